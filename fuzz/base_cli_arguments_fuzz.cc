// A Go-style command line (E52): no words end the process, and options of several letters mean the
// same with one dash and with two.
#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

#include "absl/strings/match.h"
#include "absl/strings/str_split.h"
#include "base/check.h"
#include "base/cli/parse.h"
#include "base/cli/program.h"

namespace {

using slipway::base::cli::CheckEnd;
using slipway::base::cli::Command;
using slipway::base::cli::Invocation;
using slipway::base::cli::Program;
using slipway::base::cli::ProgramOptions;
using slipway::base::cli::Step;
using slipway::base::cli::Walk;

struct Parsed {
  bool ok = true;
  std::string id, value;
  bool flag = false;
  std::vector<std::string> words;
  friend bool operator==(const Parsed&, const Parsed&) = default;
};

// Parses `words`; with `spell`, options that the walk takes for such get two dashes.
Parsed Parse(const std::vector<std::string>& words, bool spell) {
  Parsed parsed;
  ProgramOptions options;
  options.go_style = true;
  Program program("fuzz", "", options);
  program.globals().Text("--id", "N", &parsed.id, "");
  program.globals().Text("--value,-v", "V", &parsed.value, "");
  program.globals().Switch("--flag,-f", &parsed.flag, "");
  Command& append = program.Add("append", "");
  const auto take = [&parsed](absl::string_view word) {
    parsed.words.emplace_back(word);
    return absl::OkStatus();
  };
  append.Argument("KEY", &parsed.id, "").Required().set = take;
  append.Argument("VALUE", &parsed.id, "").Required().set = take;
  append.Run([](Invocation&) { return absl::OkStatus(); });
  Command& join = program.Add("join", "");
  join.Arguments("GROUP", &parsed.words, "");
  join.Run([](Invocation&) { return absl::OkStatus(); });
  Walk walk;
  for (std::string word : words) {
    const bool known = absl::StartsWith(word, "-id") || absl::StartsWith(word, "-value") ||
                       absl::StartsWith(word, "-flag");
    // Where a dash is data it stays as it is.
    const bool data = walk.pending != nullptr || walk.options_ended || walk.arguments > 0;
    if (spell && known && !data) word.insert(0, 1, '-');
    if (!Step(program, word, /*apply=*/true, walk).ok()) {
      parsed.ok = false;
      return parsed;
    }
  }
  parsed.ok = CheckEnd(program, walk).ok();
  return parsed;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const absl::string_view text(reinterpret_cast<const char*>(data), size);
  const std::vector<std::string> words = absl::StrSplit(text, '\n');
  const Parsed one = Parse(words, false);
  const Parsed two = Parse(words, true);
  SLIPWAY_CHECK(one.ok == two.ok);
  if (one.ok) SLIPWAY_CHECK(one == two);
  return 0;
}
