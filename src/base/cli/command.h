// One command of a program: its words, options and arguments, bound to variables, and what it does.
// Thread-compatible.
#pragma once

#include <cstdint>
#include <functional>
#include <limits>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/time/time.h"
#include "base/cli/streams.h"
#include "base/json/json.h"
#include "base/sync/cancel.h"
#include "base/units.h"
#include "base/world.h"

namespace slipway::base::cli {

// What completes a value: words of the program, or names of files.
struct Candidate {
  std::string word;
  std::string description;
};
using Completer = std::function<std::vector<Candidate>(World& world)>;
enum class ValueKind : uint8_t { kWord, kFile, kDirectory };

// One option or argument. Made by the functions of Command.
struct Parameter {
  std::string name;  // "--force" or "SOURCE"
  char letter = 0;   // "-f"
  std::string metavar;
  std::string help;
  std::string group;  // heading in the help; empty: "Options"
  bool takes_value = true;
  bool negatable = false;  // has a --no- form
  bool repeated = false;
  bool required = false;  // arguments only
  bool hidden = false;
  std::vector<std::string> choices;
  ValueKind kind = ValueKind::kWord;
  Completer completer;
  std::function<absl::Status(absl::string_view value)> set;  // "true" and "false" for flags
  // Refinements, for chaining.
  Parameter& Hidden() { return hidden = true, *this; }
  Parameter& Required() { return required = true, *this; }
  Parameter& Group(absl::string_view heading) { return group = std::string(heading), *this; }
  Parameter& Completes(Completer c) { return completer = std::move(c), *this; }
  Parameter& Completes(ValueKind k) { return kind = k, *this; }
};

struct Warning {
  std::string code, message;
};

// What a command gets to work with. In JSON mode nothing but `result` may go to `streams.out`.
struct Invocation {
  Streams& streams;
  World& world;
  CancelToken cancel;
  std::string command;  // as it was typed: "deploy model:1.0.0"
  bool json = false;
  bool quiet = false;
  Json result;   // printed in JSON mode, after an error too
  Json details;  // of an error, in JSON mode
  std::vector<Warning> warnings;
  std::optional<int> exit_code;  // overrides the one of the returned status

  // A doubt for the person who runs this; to stderr at once, unless JSON or quiet.
  void Warn(absl::string_view code, absl::string_view message);
  // Asks on a terminal; `yes` answers without. FailedPrecondition when there is no terminal to ask
  // on, Cancelled when the answer is no. `action`: "remove 3 versions of model".
  absl::Status Confirm(absl::string_view action, bool yes, absl::string_view error_id);
  // The answer to a question, `fallback` for an empty line. CHECK: in_is_terminal.
  std::string Ask(absl::string_view question, absl::string_view fallback);
};

class Command {
 public:
  Command(std::string path, std::string summary);
  Command(const Command&) = delete;
  Command& operator=(const Command&) = delete;

  // Options. `names`: "--force" or "--force,-f". `Target` is the type or an optional of it. Each
  // returns the parameter; the reference holds until the next one is added.
  template <class Target>
  Parameter& Flag(absl::string_view names, Target* target, absl::string_view help);
  // --x and --no-x.
  template <class Target>
  Parameter& Switch(absl::string_view names, Target* target, absl::string_view help);
  template <class Target>
  Parameter& Text(absl::string_view names, absl::string_view metavar, Target* target,
                  absl::string_view help);
  template <class Target>
  Parameter& Int(absl::string_view names, absl::string_view metavar, Target* target, int64_t min,
                 int64_t max, absl::string_view help);
  template <class Target>
  Parameter& Size(absl::string_view names, absl::string_view metavar, Target* target,
                  absl::string_view help);
  template <class Target>
  Parameter& Duration(absl::string_view names, absl::string_view metavar, Target* target,
                      absl::string_view help);
  template <class Target>
  Parameter& Choice(absl::string_view names, absl::string_view metavar, Target* target,
                    std::vector<std::string> choices, absl::string_view help);
  // Repeatable.
  Parameter& List(absl::string_view names, absl::string_view metavar,
                  std::vector<std::string>* target, absl::string_view help);

  // Arguments, in their order; only the last may be a list.
  template <class Target>
  Parameter& Argument(absl::string_view name, Target* target, absl::string_view help);
  Parameter& Arguments(absl::string_view name, std::vector<std::string>* target,
                       absl::string_view help);

  // "deploy-tool pack ./models --type model --version 1.0.0"
  Command& Example(absl::string_view command, absl::string_view explanation = "");
  Command& Description(absl::string_view text);
  Command& Hidden();
  Command& Run(std::function<absl::Status(Invocation&)> run);

  const std::string& path() const { return path_; }
  const std::string& summary() const { return summary_; }
  const std::string& description() const { return description_; }
  const std::vector<std::unique_ptr<Parameter>>& options() const { return options_; }
  const std::vector<std::unique_ptr<Parameter>>& arguments() const { return arguments_; }
  const std::vector<std::pair<std::string, std::string>>& examples() const { return examples_; }
  bool hidden() const { return hidden_; }
  bool runs() const { return static_cast<bool>(run_); }
  absl::Status Invoke(Invocation& invocation) const { return run_(invocation); }

 private:
  Parameter& AddOption(absl::string_view names, absl::string_view metavar, absl::string_view help);
  Parameter& AddArgument(absl::string_view name, absl::string_view help);

  const std::string path_;
  const std::string summary_;
  std::string description_;
  std::vector<std::unique_ptr<Parameter>> options_;
  std::vector<std::unique_ptr<Parameter>> arguments_;
  std::vector<std::pair<std::string, std::string>> examples_;
  std::function<absl::Status(Invocation&)> run_;
  bool hidden_ = false;
};

// ---- Templates ----

namespace internal {
absl::StatusOr<int64_t> ParseInt(absl::string_view text, int64_t min, int64_t max);
template <class T>
void Assign(T* target, int64_t number) {
  *target = static_cast<T>(number);
}
template <class T>
void Assign(std::optional<T>* target, int64_t number) {
  *target = static_cast<T>(number);
}
}  // namespace internal

template <class Target>
Parameter& Command::Flag(absl::string_view names, Target* target, absl::string_view help) {
  Parameter& parameter = AddOption(names, "", help);
  parameter.takes_value = false;
  parameter.set = [target](absl::string_view value) {
    *target = value == "true";
    return absl::OkStatus();
  };
  return parameter;
}

template <class Target>
Parameter& Command::Switch(absl::string_view names, Target* target, absl::string_view help) {
  Parameter& parameter = Flag(names, target, help);
  parameter.negatable = true;
  return parameter;
}

template <class Target>
Parameter& Command::Text(absl::string_view names, absl::string_view metavar, Target* target,
                         absl::string_view help) {
  Parameter& parameter = AddOption(names, metavar, help);
  parameter.set = [target](absl::string_view value) {
    *target = std::string(value);
    return absl::OkStatus();
  };
  return parameter;
}

template <class Target>
Parameter& Command::Int(absl::string_view names, absl::string_view metavar, Target* target,
                        int64_t min, int64_t max, absl::string_view help) {
  Parameter& parameter = AddOption(names, metavar, help);
  parameter.set = [target, min, max](absl::string_view value) {
    const absl::StatusOr<int64_t> number = internal::ParseInt(value, min, max);
    if (number.ok()) internal::Assign(target, *number);
    return number.status();
  };
  return parameter;
}

template <class Target>
Parameter& Command::Size(absl::string_view names, absl::string_view metavar, Target* target,
                         absl::string_view help) {
  Parameter& parameter = AddOption(names, metavar, help);
  parameter.set = [target](absl::string_view value) {
    const absl::StatusOr<uint64_t> size = ParseSize(value);
    if (size.ok()) *target = *size;
    return size.status();
  };
  return parameter;
}

template <class Target>
Parameter& Command::Duration(absl::string_view names, absl::string_view metavar, Target* target,
                             absl::string_view help) {
  Parameter& parameter = AddOption(names, metavar, help);
  parameter.set = [target](absl::string_view value) {
    const absl::StatusOr<absl::Duration> duration = ParseDuration(value);
    if (!duration.ok()) return duration.status();
    if (*duration < absl::ZeroDuration()) return absl::InvalidArgumentError("it is below zero");
    *target = *duration;
    return absl::OkStatus();
  };
  return parameter;
}

template <class Target>
Parameter& Command::Choice(absl::string_view names, absl::string_view metavar, Target* target,
                           std::vector<std::string> choices, absl::string_view help) {
  Parameter& parameter = Text(names, metavar, target, help);
  parameter.choices = std::move(choices);
  return parameter;
}

template <class Target>
Parameter& Command::Argument(absl::string_view name, Target* target, absl::string_view help) {
  Parameter& parameter = AddArgument(name, help);
  parameter.set = [target](absl::string_view value) {
    *target = std::string(value);
    return absl::OkStatus();
  };
  return parameter;
}

}  // namespace slipway::base::cli
