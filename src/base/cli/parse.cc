#include "base/cli/parse.h"

#include <algorithm>

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/strings/str_split.h"
#include "absl/strings/strip.h"
#include "base/bytes.h"
#include "base/config/nearest.h"
#include "base/files.h"

namespace slipway::base::cli {
namespace {

constexpr int kFileDepthMax = 4;
constexpr uint64_t kFileBytesMax = 1 << 20;
constexpr size_t kArgumentsMax = 10'000;

absl::Status Usage(const Program& program, const Walk& walk, absl::string_view text,
                   bool missing = false) {
  const std::string& id = missing && !program.options().missing_id.empty()
                              ? program.options().missing_id
                              : program.options().usage_id;
  return MakeError(absl::StatusCode::kInvalidArgument, text,
                   {id, absl::StrCat("run ", program.name(), walk.path.empty() ? "" : " ",
                                     walk.path, " --help")});
}

std::string Title(const Program& program, const Walk& walk) {
  return absl::StrCat("run ", program.name(), walk.path.empty() ? "" : " ", walk.path);
}

// All of `in`, as ReadUserFile reads a file.
absl::StatusOr<std::string> ReadInput(std::istream& in) {
  std::string text(kFileBytesMax + 1, '\0');
  in.read(text.data(), static_cast<std::streamsize>(text.size()));
  text.resize(static_cast<size_t>(in.gcount()));
  if (text.size() <= kFileBytesMax) return text;
  return absl::ResourceExhaustedError(absl::StrCat("read standard input: more than the limit of ",
                                                   kFileBytesMax, " bytes; pass fewer"));
}

absl::Status ExpandInto(absl::Span<const std::string> args, Files& files, std::istream& in,
                        int depth, bool* ended, std::vector<std::string>& out) {
  for (const std::string& arg : args) {
    if (out.size() >= kArgumentsMax) {
      return absl::ResourceExhaustedError(
          absl::StrCat("read arguments: more than ", kArgumentsMax, "; pass fewer"));
    }
    if (*ended || arg.size() < 2 || arg.front() != '@') {
      *ended = *ended || arg == "--";
      out.push_back(arg);
      continue;
    }
    if (arg[1] == '@') {
      out.push_back(arg.substr(1));
      continue;
    }
    if (depth >= kFileDepthMax) {
      return absl::InvalidArgumentError(absl::StrCat(
          "read argument file ", arg.substr(1), ": nested deeper than ", kFileDepthMax, " files"));
    }
    const std::string name = arg.substr(1);
    // A pipe has no path that leads to it without links, and no beginning to read again.
    absl::StatusOr<std::string> text = name == "-" || name == "/dev/stdin"
                                           ? ReadInput(in)
                                           : ReadUserFile(files, name, kFileBytesMax);
    if (!text.ok()) {
      return WithInfo(Annotate(text.status(), "read argument file"),
                      {"", absl::StrCat("write @", arg, " for an argument that begins with @")});
    }
    std::vector<std::string> lines;
    for (absl::string_view line : absl::StrSplit(*text, '\n')) {
      line = absl::StripAsciiWhitespace(line);
      if (!line.empty() && line.front() != '#') lines.emplace_back(line);
    }
    SLIPWAY_RETURN_IF_ERROR(ExpandInto(lines, files, in, depth + 1, ended, out));
  }
  return absl::OkStatus();
}

std::vector<std::string> OptionWords(const Program& program, const Walk& walk) {
  std::vector<std::string> words;
  const auto add = [&](const Command& command) {
    for (const auto& option : command.options()) {
      if (option->hidden) continue;
      words.push_back(option->name);
      if (option->negatable) words.push_back("--no-" + option->name.substr(2));
    }
  };
  if (walk.command != nullptr) add(*walk.command);
  add(program.global_options());
  return words;
}

absl::Status SetValue(const Program& program, const Walk& walk, const Parameter& parameter,
                      absl::string_view word, absl::string_view value, bool apply) {
  if (!parameter.choices.empty() && std::find(parameter.choices.begin(), parameter.choices.end(),
                                              value) == parameter.choices.end()) {
    const auto nearest = NearestWord(value, parameter.choices);
    return Usage(
        program, walk,
        absl::StrCat(Title(program, walk), ": ", word, " does not take \"",
                     EscapeForTerminal(value), "\"; ",
                     nearest.has_value()
                         ? absl::StrCat("did you mean ", *nearest, "?")
                         : absl::StrCat("choose one of ", absl::StrJoin(parameter.choices, ", "))));
  }
  if (!apply) return absl::OkStatus();
  if (const absl::Status status = parameter.set(value); !status.ok()) {
    return Usage(program, walk,
                 absl::StrCat(Title(program, walk), ": ", word, " does not take \"",
                              EscapeForTerminal(value), "\": ", status.message()));
  }
  return absl::OkStatus();
}

absl::Status TakeFlag(const Program& program, const Parameter& option, bool negated, bool apply,
                      Walk& walk) {
  if (option.name == "--help") walk.help = !negated;
  if (option.name == "--version") walk.version = !negated;
  return SetValue(program, walk, option, option.name, negated ? "false" : "true", apply);
}

absl::Status UnknownOption(const Program& program, const Walk& walk, absl::string_view name) {
  const auto nearest = NearestWord(name, OptionWords(program, walk));
  std::string text =
      absl::StrCat(Title(program, walk), ": unknown option ", EscapeForTerminal(name));
  if (nearest.has_value()) absl::StrAppend(&text, "; did you mean ", *nearest, "?");
  return Usage(program, walk, text);
}

absl::Status TakeLongOption(const Program& program, absl::string_view word, bool apply,
                            Walk& walk) {
  const size_t equals = word.find('=');
  const absl::string_view name = word.substr(0, equals);
  bool negated = false;
  const Parameter* option = FindOption(program, walk, name, &negated);
  if (option == nullptr) return UnknownOption(program, walk, name);
  if (!option->takes_value) {
    if (equals == absl::string_view::npos) {
      return TakeFlag(program, *option, negated, apply, walk);
    }
    bool value = false;
    if (!program.options().go_style) {
      return Usage(program, walk,
                   absl::StrCat(Title(program, walk), ": ", name, " takes no value"));
    }
    if (!absl::SimpleAtob(word.substr(equals + 1), &value)) {
      return Usage(program, walk,
                   absl::StrCat(Title(program, walk), ": ", name, " takes true or false"));
    }
    return TakeFlag(program, *option, negated == value, apply, walk);
  }
  if (equals == absl::string_view::npos) {
    walk.pending = option;
    walk.pending_word = std::string(name);
    return absl::OkStatus();
  }
  return SetValue(program, walk, *option, name, word.substr(equals + 1), apply);
}

// "-f", "-fv" (flags together), "-nNAME", "-n NAME".
absl::Status TakeLetters(const Program& program, absl::string_view word, bool apply, Walk& walk) {
  for (size_t i = 1; i < word.size(); ++i) {
    const std::string name = absl::StrCat("-", word.substr(i, 1));
    bool negated = false;
    const Parameter* option = FindOption(program, walk, name, &negated);
    if (option == nullptr) return UnknownOption(program, walk, name);
    if (!option->takes_value) {
      SLIPWAY_RETURN_IF_ERROR(TakeFlag(program, *option, false, apply, walk));
      continue;
    }
    if (i + 1 < word.size()) {
      return SetValue(program, walk, *option, name, word.substr(i + 1), apply);
    }
    walk.pending = option;
    walk.pending_word = name;
  }
  return absl::OkStatus();
}

// Whether every argument that the command takes has been given.
bool ArgumentsFull(const Walk& walk) {
  const auto& arguments = walk.command->arguments();
  return arguments.empty() || (walk.arguments >= arguments.size() && !arguments.back()->repeated);
}

// What `word` is on the command line of a Go program: a value, an argument, or an option, then
// `*spelling` is the one that the others know.
enum class GoWord : uint8_t { kOption, kArgument, kUnknown };

GoWord ClassifyGoWord(const Program& program, const Walk& walk, absl::string_view word,
                      std::string* spelling) {
  *spelling = std::string(word);
  if (word.size() < 2 || word.front() != '-') return GoWord::kArgument;
  // Behind the last argument only an option makes sense.
  if (BetweenArguments(program, walk)) return GoWord::kArgument;
  if (absl::StartsWith(word, "--")) return GoWord::kOption;
  bool negated = false;
  const absl::string_view name = word.substr(0, word.find('='));
  const std::string longer = absl::StrCat("-", name);
  if (name.size() > 2 && FindOption(program, walk, longer, &negated) != nullptr) {
    *spelling = absl::StrCat("-", word);
    return GoWord::kOption;
  }
  if (FindOption(program, walk, word.substr(0, 2), &negated) != nullptr) return GoWord::kOption;
  if (absl::ascii_isdigit(static_cast<unsigned char>(word[1])) && walk.command != nullptr &&
      !ArgumentsFull(walk)) {
    return GoWord::kArgument;
  }
  return GoWord::kUnknown;
}

absl::Status UnknownCommand(const Program& program, const Walk& walk, absl::string_view word) {
  std::vector<std::string> words;
  for (const Candidate& child : program.Children(walk.path)) words.push_back(child.word);
  const auto nearest = NearestWord(word, words);
  return Usage(
      program, walk,
      absl::StrCat(Title(program, walk), ": unknown command ", EscapeForTerminal(word), "; ",
                   nearest.has_value()
                       ? absl::StrCat("did you mean ", *nearest, "?")
                       : absl::StrCat("commands are ", absl::StrJoin(words, ", "))));
}

absl::Status TakeWord(const Program& program, absl::string_view word, bool apply, Walk& walk) {
  const std::vector<Candidate> children = program.Children(walk.path, /*hidden=*/true);
  if (!children.empty() && walk.arguments == 0 && !walk.options_ended) {
    const auto found = std::find_if(children.begin(), children.end(),
                                    [&](const Candidate& c) { return c.word == word; });
    if (found != children.end()) {
      walk.path = walk.path.empty() ? found->word : absl::StrCat(walk.path, " ", word);
      walk.command = program.Find(walk.path);
      return absl::OkStatus();
    }
  }
  if (walk.command == nullptr) return UnknownCommand(program, walk, word);
  const auto& arguments = walk.command->arguments();
  if (ArgumentsFull(walk)) {
    return Usage(
        program, walk,
        absl::StrCat(Title(program, walk), ": unexpected argument \"", EscapeForTerminal(word),
                     "\"; it takes ",
                     arguments.empty() ? "none" : absl::StrCat("at most ", arguments.size())));
  }
  const Parameter& argument = *arguments[std::min(walk.arguments, arguments.size() - 1)];
  ++walk.arguments;
  return SetValue(program, walk, argument, argument.name, word, apply);
}

}  // namespace

absl::StatusOr<std::vector<std::string>> ExpandArgumentFiles(absl::Span<const std::string> args,
                                                             Files& files, std::istream& in) {
  std::vector<std::string> out;
  bool ended = false;
  SLIPWAY_RETURN_IF_ERROR(ExpandInto(args, files, in, 0, &ended, out));
  return out;
}

bool BetweenArguments(const Program& program, const Walk& walk) {
  return program.options().go_style && walk.arguments > 0 && !ArgumentsFull(walk);
}

const Parameter* FindOption(const Program& program, const Walk& walk, absl::string_view name,
                            bool* negated) {
  const auto find = [&](const Command& command) -> const Parameter* {
    for (const auto& option : command.options()) {
      *negated = false;
      if (option->name == name) return option.get();
      if (name.size() == 2 && name[0] == '-' && option->letter == name[1]) return option.get();
      absl::string_view rest = name;
      *negated = true;
      if (option->negatable && absl::ConsumePrefix(&rest, "--no-") &&
          rest == absl::string_view(option->name).substr(2)) {
        return option.get();
      }
    }
    *negated = false;
    return nullptr;
  };
  const Parameter* option = walk.command != nullptr ? find(*walk.command) : nullptr;
  return option != nullptr ? option : find(program.global_options());
}

absl::Status Step(const Program& program, absl::string_view word, bool apply, Walk& walk) {
  const bool go_style = program.options().go_style;
  if (walk.pending != nullptr) {
    if (absl::StartsWith(word, "--") && !walk.options_ended && !go_style) {
      return Usage(
          program, walk,
          absl::StrCat(Title(program, walk), ": ", walk.pending_word, " needs a value; write ",
                       walk.pending_word, "=VALUE if the value begins with --"),
          /*missing=*/true);
    }
    const Parameter& option = *walk.pending;
    walk.pending = nullptr;
    return SetValue(program, walk, option, walk.pending_word, word, apply);
  }
  if (!walk.options_ended && word == "--" && !BetweenArguments(program, walk)) {
    walk.options_ended = true;
    if (walk.command == nullptr) {
      return Usage(program, walk, absl::StrCat(Title(program, walk), ": no command before --"),
                   true);
    }
    return absl::OkStatus();
  }
  std::string spelling(word);
  if (go_style && !walk.options_ended) {
    const GoWord kind = ClassifyGoWord(program, walk, word, &spelling);
    if (kind == GoWord::kUnknown) {
      return UnknownOption(program, walk, absl::StrCat("-", word.substr(0, word.find('='))));
    }
    if (kind == GoWord::kArgument) return TakeWord(program, word, apply, walk);
  }
  word = spelling;
  if (!walk.options_ended && absl::StartsWith(word, "--")) {
    return TakeLongOption(program, word, apply, walk);
  }
  if (!walk.options_ended && word.size() > 1 && word.front() == '-') {
    return TakeLetters(program, word, apply, walk);
  }
  return TakeWord(program, word, apply, walk);
}

absl::Status CheckEnd(const Program& program, const Walk& walk) {
  if (walk.pending != nullptr) {
    return Usage(program, walk,
                 absl::StrCat(Title(program, walk), ": ", walk.pending_word, " needs a value"),
                 /*missing=*/true);
  }
  if (walk.command == nullptr) {
    std::vector<std::string> words;
    for (const Candidate& child : program.Children(walk.path)) words.push_back(child.word);
    return Usage(program, walk,
                 absl::StrCat(Title(program, walk), ": no command given; commands are ",
                              absl::StrJoin(words, ", ")),
                 /*missing=*/true);
  }
  for (size_t i = walk.arguments; i < walk.command->arguments().size(); ++i) {
    const Parameter& argument = *walk.command->arguments()[i];
    if (!argument.required) continue;
    return Usage(program, walk,
                 absl::StrCat(Title(program, walk), ": ", argument.name, " is missing"),
                 /*missing=*/true);
  }
  return absl::OkStatus();
}

}  // namespace slipway::base::cli
