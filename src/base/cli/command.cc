#include "base/cli/command.h"

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "base/check.h"
#include "base/cli/help.h"
#include "base/status.h"

namespace slipway::base::cli {

absl::StatusOr<int64_t> internal::ParseInt(absl::string_view text, int64_t min, int64_t max) {
  int64_t number = 0;
  const bool digits = text.find_first_not_of("-0123456789") == absl::string_view::npos;
  if (!digits || !absl::SimpleAtoi(text, &number) || number < min || number > max) {
    return absl::InvalidArgumentError(absl::StrCat("expected an integer from ", min, " to ", max));
  }
  return number;
}

void Invocation::Warn(absl::string_view code, absl::string_view message) {
  warnings.push_back({std::string(code), std::string(message)});
  if (json || quiet) return;
  const std::string label = code.empty() ? "warning:" : absl::StrCat("warning[", code, "]:");
  streams.err << Paint(label, Tone::kYellow, streams.color_err) << " " << MessageText(message)
              << "\n";
}

absl::Status Invocation::Confirm(absl::string_view action, bool yes, absl::string_view error_id) {
  if (yes) return absl::OkStatus();
  if (!streams.in_is_terminal || !streams.err_is_terminal || json) {
    return MakeError(
        absl::StatusCode::kFailedPrecondition,
        absl::StrCat(action, ": needs a confirmation, and there is no terminal to ask on"),
        {std::string(error_id),
         "repeat the command with --yes, or with --dry-run to see "
         "what it would do"});
  }
  const std::string answer = absl::AsciiStrToLower(Ask(absl::StrCat(action, "? [y/N]"), "n"));
  SLIPWAY_RETURN_IF_ERROR(cancel.status());  // that is why there was no answer
  if (answer == "y" || answer == "yes") return absl::OkStatus();
  return MakeError(absl::StatusCode::kFailedPrecondition,
                   absl::StrCat(action, ": not confirmed; nothing was changed"),
                   {std::string(error_id), "repeat the command and answer y"});
}

std::string Invocation::Ask(absl::string_view question, absl::string_view fallback) {
  SLIPWAY_CHECK(streams.in_is_terminal);
  streams.err << question << " " << std::flush;
  std::string line;
  std::getline(streams.in, line);
  absl::StripAsciiWhitespace(&line);
  return line.empty() ? std::string(fallback) : line;
}

Command::Command(std::string path, std::string summary)
    : path_(std::move(path)), summary_(std::move(summary)) {}

Parameter& Command::AddOption(absl::string_view names, absl::string_view metavar,
                              absl::string_view help) {
  auto parameter = std::make_unique<Parameter>();
  const std::pair<absl::string_view, absl::string_view> parts =
      absl::StrSplit(names, absl::MaxSplits(',', 1));
  SLIPWAY_CHECK(absl::StartsWith(parts.first, "--"));
  parameter->name = std::string(parts.first);
  if (!parts.second.empty()) parameter->letter = parts.second.back();
  parameter->metavar = std::string(metavar);
  parameter->help = std::string(help);
  options_.push_back(std::move(parameter));
  return *options_.back();
}

Parameter& Command::AddArgument(absl::string_view name, absl::string_view help) {
  SLIPWAY_CHECK(arguments_.empty() || !arguments_.back()->repeated);
  auto parameter = std::make_unique<Parameter>();
  parameter->name = std::string(name);
  parameter->help = std::string(help);
  arguments_.push_back(std::move(parameter));
  return *arguments_.back();
}

Parameter& Command::List(absl::string_view names, absl::string_view metavar,
                         std::vector<std::string>* target, absl::string_view help) {
  Parameter& parameter = AddOption(names, metavar, help);
  parameter.repeated = true;
  parameter.set = [target](absl::string_view value) {
    target->emplace_back(value);
    return absl::OkStatus();
  };
  return parameter;
}

Parameter& Command::Arguments(absl::string_view name, std::vector<std::string>* target,
                              absl::string_view help) {
  Parameter& parameter = AddArgument(name, help);
  parameter.repeated = true;
  parameter.set = [target](absl::string_view value) {
    target->emplace_back(value);
    return absl::OkStatus();
  };
  return parameter;
}

Command& Command::Example(absl::string_view command, absl::string_view explanation) {
  examples_.emplace_back(command, explanation);
  return *this;
}
Command& Command::Description(absl::string_view text) {
  description_ = std::string(text);
  return *this;
}
Command& Command::Hidden() {
  hidden_ = true;
  return *this;
}
Command& Command::Run(std::function<absl::Status(Invocation&)> run) {
  run_ = std::move(run);
  return *this;
}

}  // namespace slipway::base::cli
