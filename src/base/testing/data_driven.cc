#include "base/testing/data_driven.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <sstream>
#include <utility>

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"

namespace slipway::base::testing {
namespace {

constexpr char kRule[] = "----";

struct Stanza {
  std::string before;  // comments and blank lines, as they stand
  std::string head;    // the command line, as it stands
  DataCase data;
  std::string expected;
  int expected_line = 0;
  bool first = false;  // of its file
};

struct DataFile {
  std::vector<Stanza> stanzas;
  std::string after;  // comments behind the last case
};

bool RewriteWanted() {
  const char* variable = std::getenv("SLIPWAY_REWRITE");
  if (variable != nullptr && absl::string_view(variable) == "1") return true;
  const std::vector<std::string> args = ::testing::internal::GetArgvs();
  return std::find(args.begin(), args.end(), "--rewrite") != args.end();
}

// Splits at blanks outside of double quotes, which are dropped.
std::vector<std::string> SplitWords(absl::string_view line) {
  std::vector<std::string> words;
  bool quoted = false;
  bool in_word = false;
  for (const char c : line) {
    if (c == '"') {
      quoted = !quoted;
    } else if (!quoted && absl::ascii_isspace(static_cast<unsigned char>(c))) {
      in_word = false;
      continue;
    }
    if (!in_word) words.emplace_back();
    in_word = true;
    if (c != '"') words.back() += c;
  }
  return words;
}

class Parser {
 public:
  Parser(absl::string_view path, const std::string& text) : path_(path) {
    lines_ = absl::StrSplit(text, '\n');
    if (!lines_.empty() && lines_.back().empty()) lines_.pop_back();
  }

  std::optional<DataFile> Parse() {
    DataFile file;
    while (true) {
      std::string before = TakeBetween();
      if (AtEnd()) {
        file.after = std::move(before);
        return file;
      }
      std::optional<Stanza> stanza = TakeStanza();
      if (!stanza.has_value()) return std::nullopt;
      stanza->before = std::move(before);
      stanza->first = file.stanzas.empty();
      file.stanzas.push_back(*std::move(stanza));
    }
  }

 private:
  bool AtEnd() const { return next_ == lines_.size(); }
  int line_number() const { return static_cast<int>(next_) + 1; }
  bool AtRule(size_t ahead = 0) const {
    return next_ + ahead < lines_.size() && lines_[next_ + ahead] == kRule;
  }

  std::string TakeBetween() {
    std::string text;
    while (!AtEnd() && (lines_[next_].empty() || absl::StartsWith(lines_[next_], "#"))) {
      absl::StrAppend(&text, lines_[next_++], "\n");
    }
    return text;
  }

  std::optional<Stanza> TakeStanza() {
    Stanza stanza;
    stanza.data.file = path_;
    stanza.data.line = line_number();
    stanza.head = lines_[next_++];
    std::vector<std::string> words = SplitWords(stanza.head);
    if (words.empty()) return Malformed(stanza, "a case without a command");
    stanza.data.command = std::move(words.front());
    for (size_t i = 1; i < words.size(); ++i) {
      const size_t equals = words[i].find('=');
      if (equals == std::string::npos) {
        stanza.data.words.push_back(words[i]);
      } else {
        stanza.data.named[words[i].substr(0, equals)] = words[i].substr(equals + 1);
      }
    }
    while (!AtEnd() && !AtRule()) absl::StrAppend(&stanza.data.input, lines_[next_++], "\n");
    if (AtEnd()) return Malformed(stanza, "a case without ----");
    ++next_;
    stanza.expected_line = line_number();
    if (!AtRule()) {
      while (!AtEnd() && !lines_[next_].empty()) {
        absl::StrAppend(&stanza.expected, lines_[next_++], "\n");
      }
      return stanza;
    }
    ++next_;
    while (!AtEnd() && !(AtRule() && AtRule(1))) {
      absl::StrAppend(&stanza.expected, lines_[next_++], "\n");
    }
    if (AtEnd()) return Malformed(stanza, "an output whose doubled ---- does not end");
    next_ += 2;
    return stanza;
  }

  std::nullopt_t Malformed(const Stanza& stanza, absl::string_view what) const {
    ADD_FAILURE_AT(path_.c_str(), stanza.data.line) << what;
    return std::nullopt;
  }

  std::string path_;
  std::vector<std::string> lines_;
  size_t next_ = 0;
};

// Whether `output` would be read back otherwise without doubled rules.
bool NeedsDoubledRules(absl::string_view output) {
  return absl::StartsWith(output, "\n") || absl::StrContains(output, "\n\n") ||
         absl::StartsWith(output, absl::StrCat(kRule, "\n"));
}

std::string Render(const Stanza& stanza, absl::string_view output) {
  std::string text;
  // What ended with doubled rules may end with a blank line now.
  if (!stanza.first && !absl::StartsWith(stanza.before, "\n")) text = "\n";
  absl::StrAppend(&text, stanza.before, stanza.head, "\n", stanza.data.input, kRule, "\n");
  if (NeedsDoubledRules(output)) {
    absl::StrAppend(&text, kRule, "\n", output, kRule, "\n", kRule, "\n");
  } else {
    absl::StrAppend(&text, output);
  }
  return text;
}

}  // namespace

std::string DataCase::Get(absl::string_view key, absl::string_view otherwise) const {
  const auto found = named.find(std::string(key));
  return found == named.end() ? std::string(otherwise) : found->second;
}

bool DataCase::Has(absl::string_view word) const {
  return std::find(words.begin(), words.end(), std::string(word)) != words.end();
}

namespace internal {

void RunDataFile(absl::string_view path, const DataHandler& handler, bool rewrite) {
  const std::string name(path);
  std::ifstream in(name, std::ios::binary);
  std::ostringstream text;
  text << in.rdbuf();
  if (!in) {
    ADD_FAILURE() << "read " << name << ": cannot be opened";
    return;
  }
  const std::optional<DataFile> file = Parser(path, text.str()).Parse();
  if (!file.has_value()) return;
  EXPECT_FALSE(file->stanzas.empty()) << name << " has no case";
  std::string rewritten;
  for (const Stanza& stanza : file->stanzas) {
    std::string output = handler(stanza.data);
    if (!output.empty() && output.back() != '\n') output += '\n';
    if (output != stanza.expected && !rewrite) {
      ADD_FAILURE_AT(name.c_str(), stanza.expected_line) << stanza.head << "\nexpected:\n"
                                                         << stanza.expected << "actual:\n"
                                                         << output;
    }
    rewritten += Render(stanza, output);
  }
  rewritten += file->after;
  if (rewrite && rewritten != text.str()) {
    std::ofstream out(name, std::ios::binary | std::ios::trunc);
    out << rewritten;
    EXPECT_TRUE(out.flush().good()) << "write " << name;
  }
}

}  // namespace internal

void RunDataFile(absl::string_view path, const DataHandler& handler) {
  internal::RunDataFile(path, handler, RewriteWanted());
}

std::vector<std::string> DataFiles(absl::string_view directory) {
  std::vector<std::string> files;
  std::error_code error;
  for (std::filesystem::directory_iterator it(std::string(directory), error), end;
       !error && it != end; it.increment(error)) {
    if (it->path().extension() == ".txt") files.push_back(it->path().string());
  }
  if (files.empty()) ADD_FAILURE() << "no *.txt in " << std::string(directory);
  std::sort(files.begin(), files.end());
  return files;
}

void RunDataFiles(absl::string_view directory, absl::FunctionRef<DataHandler()> make_handler) {
  for (const std::string& file : DataFiles(directory)) {
    RunDataFile(file, make_handler());
  }
}

}  // namespace slipway::base::testing
