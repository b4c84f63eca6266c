#include "base/cli/program.h"

#include <algorithm>
#include <ostream>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/strings/str_split.h"
#include "absl/strings/strip.h"
#include "base/check.h"
#include "base/cli/completion.h"
#include "base/cli/help.h"
#include "base/cli/parse.h"
#include "base/status.h"

namespace slipway::base::cli {

// What the options of every program are bound to.
struct Program::Builtin {
  bool help = false;
  bool version = false;
  bool json = false;
  bool quiet = false;
  std::string color = "auto";
  std::string shell;
  std::vector<std::string> topic;
};

Program::Program(absl::string_view name, absl::string_view summary, ProgramOptions options)
    : name_(name),
      summary_(summary),
      options_(std::move(options)),
      globals_(std::make_unique<Command>("", "")),
      builtin_(std::make_unique<Builtin>()) {
  globals_->Flag("--help,-h", &builtin_->help, "Show help for the program or a command");
  globals_->Flag("--version", &builtin_->version, "Show the version");
  globals_->Flag("--json", &builtin_->json, "Print one JSON object for machines");
  globals_->Flag("--quiet,-q", &builtin_->quiet, "Print results and errors only");
  globals_->Choice("--color", "WHEN", &builtin_->color, {"auto", "always", "never"},
                   "Use colour; NO_COLOR turns auto off");
}

Program::~Program() = default;

Command& Program::Add(absl::string_view path, absl::string_view summary) {
  SLIPWAY_CHECK(Find(path) == nullptr);
  commands_.push_back(std::make_unique<Command>(std::string(path), std::string(summary)));
  return *commands_.back();
}

void Program::AddGroup(absl::string_view path, absl::string_view summary) {
  groups_.push_back(std::make_unique<Command>(std::string(path), std::string(summary)));
}

const Command* Program::Find(absl::string_view path) const {
  for (const auto& command : commands_) {
    if (command->path() == path) return command.get();
  }
  return nullptr;
}

std::vector<Candidate> Program::Children(absl::string_view path, bool hidden) const {
  std::vector<Candidate> children;
  const std::string prefix = path.empty() ? "" : absl::StrCat(path, " ");
  const auto add = [&](const Command& command) {
    absl::string_view rest = command.path();
    if ((command.hidden() && !hidden) || !absl::ConsumePrefix(&rest, prefix) || rest.empty())
      return;
    const absl::string_view word = rest.substr(0, rest.find(' '));
    const std::string summary = word == rest ? command.summary() : std::string();
    const auto found = std::find_if(children.begin(), children.end(),
                                    [&](const Candidate& child) { return child.word == word; });
    if (found == children.end()) {
      children.push_back({std::string(word), summary});
    } else if (found->description.empty()) {
      found->description = summary;
    }
  };
  for (const auto& command : commands_) add(*command);
  for (const auto& group : groups_) add(*group);
  return children;
}

int Program::CancelledExit(const CancelToken& cancel) const {
  return cancel.cancelled() && cancel.reason().text == "SIGTERM" ? kExitTerminated
                                                                 : kExitInterrupted;
}

int Program::ExitCodeOf(const absl::Status& status) const {
  if (status.ok()) return kExitOk;
  if (options_.exit_of) return options_.exit_of(status);
  const ErrorInfo info = GetErrorInfo(status);
  const std::string& id = info.code.empty() ? options_.internal_id : info.code;
  for (const auto& [known, exit] : options_.exits) {
    if (known == id) return exit;
  }
  return kExitFailure;
}

bool Program::AsksForJson(absl::Span<const std::string> args) const {
  const auto separator = std::find(args.begin(), args.end(), "--");
  return std::find_if(args.begin(), separator, [&](const std::string& word) {
           return word == "--json" || (options_.go_style && word == "-json");
         }) != separator;
}

int Program::Run(absl::Span<const std::string> args, Streams& streams, World& world,
                 CancelToken cancel) {
  streams.SetColor(ColorMode::kAuto, world.environment);
  if (Find("completion") == nullptr) AddBuiltinCommands(*this, builtin_->shell, builtin_->topic);
  if (!args.empty() && args[0] == "__complete") {
    streams.out << Complete(*this, args.subspan(1), world) << std::flush;
    return kExitOk;
  }
  // Wrong usage is told as JSON too, so --json is looked for before the words are understood.
  const bool json = AsksForJson(args);
  absl::StatusOr<std::vector<std::string>> expanded =
      options_.go_style ? std::vector<std::string>(args.begin(), args.end())
                        : ExpandArgumentFiles(args, world.files, streams.in);
  if (!expanded.ok()) return FailUsage(expanded.status(), "", streams, json);
  if (options_.check_arguments) {
    const absl::Status checked = options_.check_arguments(*expanded, world);
    if (!checked.ok()) return FailEarly(checked, ExitCodeOf(checked), "", streams, json);
  }
  return Dispatch(*expanded, streams, world, std::move(cancel));
}

int Program::Dispatch(const std::vector<std::string>& args, Streams& streams, World& world,
                      CancelToken cancel) {
  Walk walk;
  walk.command = Find("");
  absl::Status status;
  for (const std::string& word : args) {
    status = Step(*this, word, /*apply=*/true, walk);
    if (!status.ok() || walk.help || walk.version) break;
  }
  streams.SetColor(builtin_->color == "always"  ? ColorMode::kAlways
                   : builtin_->color == "never" ? ColorMode::kNever
                                                : ColorMode::kAuto,
                   world.environment);
  const bool json = builtin_->json || AsksForJson(args);
  if (status.ok() && walk.version) {
    const std::string commit = commit_.empty() ? "" : absl::StrCat("+", commit_);
    return Answer(walk.path, "version", absl::StrCat(name_, " ", options_.version, commit, "\n"),
                  streams, json);
  }
  if (status.ok() && (walk.help || (walk.command == nullptr && args.empty()))) {
    return Answer(walk.path, "help", HelpText(*this, walk.path, streams.width), streams, json);
  }
  if (status.ok()) status = CheckEnd(*this, walk);
  if (!status.ok()) {
    const int exit = FailUsage(status, walk.path, streams, json);
    // A bare group was a question, so the answer comes along (D133).
    if (walk.command == nullptr && !walk.path.empty() && !json &&
        walk.path == absl::StrJoin(args, " ")) {
      streams.err << "\n" << HelpText(*this, walk.path, streams.width) << std::flush;
    }
    return exit;
  }
  return Execute(*walk.command, absl::StrJoin(args, " "), streams, world, std::move(cancel));
}

int Program::Execute(const Command& command, absl::string_view typed, Streams& streams,
                     World& world, CancelToken cancel) {
  Invocation in{streams, world, std::move(cancel), std::string(typed)};
  in.json = builtin_->json;
  in.quiet = builtin_->quiet;
  const absl::Duration start = world.clock.Monotonic();
  absl::Status status = before_ ? before_(in) : absl::OkStatus();
  if (status.ok()) status = command.Invoke(in);
  return Finish(command, status, in, world.clock.Monotonic() - start);
}

int Program::Finish(const Command& command, absl::Status status, Invocation& in,
                    absl::Duration duration) {
  if (!status.ok() && options_.hint_of && GetErrorInfo(status).hint.empty()) {
    const std::string hint = options_.hint_of(status);
    status = WithInfo(std::move(status), {"", hint});
  }
  int exit = in.exit_code.value_or(ExitCodeOf(status));
  if (absl::IsCancelled(status) && in.cancel.cancelled()) exit = CancelledExit(in.cancel);
  // A failure never leaves with 0 (D135).
  if (!status.ok() && exit == kExitOk) exit = kExitFailure;
  if (in.json) {
    Outcome outcome{command.path(),         status.ok(), duration, std::move(in.result),
                    std::move(in.warnings), Json()};
    if (!status.ok()) outcome.error = ErrorJson(status, exit, in.details);
    WriteJson(outcome, in.streams);
  } else if (!status.ok()) {
    RenderError(status, in.streams);
  }
  return Flush(in.streams, exit);
}

int Program::Flush(Streams& streams, int exit) const {
  streams.out << std::flush;
  if (streams.out || exit != kExitOk) return exit;
  // Whoever stopped reading (`| head`) has seen enough.
  if (streams.out_reader_gone && streams.out_reader_gone()) return exit;
  const absl::Status status = MakeError(
      absl::StatusCode::kUnavailable, "write the result: standard output is full or closed",
      {options_.output_id, "what was asked for is done; send the output somewhere else"});
  RenderError(status, streams);
  return options_.output_id.empty() ? kExitFailure : ExitCodeOf(status);
}

int Program::Answer(absl::string_view command, absl::string_view key, const std::string& text,
                    Streams& streams, bool json) {
  if (json) {
    Outcome outcome;
    outcome.command = std::string(command);
    outcome.data = Json::MakeObject();
    outcome.data.Set(key, key == "version" ? options_.version : text);
    if (key == "version" && !commit_.empty()) outcome.data.Set("commit", commit_);
    WriteJson(outcome, streams);
  } else {
    streams.out << text;
  }
  return Flush(streams, kExitOk);
}

int Program::FailUsage(const absl::Status& status, absl::string_view command, Streams& streams,
                       bool json) {
  return FailEarly(WithInfo(status, {options_.usage_id, ""}), kExitUsage, command, streams, json);
}

int Program::FailEarly(const absl::Status& error, int exit, absl::string_view command,
                       Streams& streams, bool json) {
  if (json) {
    Outcome outcome;
    outcome.command = std::string(command);
    outcome.ok = false;
    outcome.error = ErrorJson(error, exit, Json());
    WriteJson(outcome, streams);
  } else {
    RenderError(error, streams);
  }
  streams.out << std::flush;
  return exit;
}

void Program::RenderError(const absl::Status& status, Streams& streams) const {
  const ErrorInfo info = GetErrorInfo(status);
  const std::string& id = info.code.empty() ? options_.internal_id : info.code;
  const std::string label = id.empty() ? "error:" : absl::StrCat("error[", id, "]:");
  const std::vector<std::string> lines =
      absl::StrSplit(std::string(status.message()), '\n', absl::SkipEmpty());
  streams.err << Paint(label, Tone::kRed, streams.color_err);
  for (size_t i = 0; i < lines.size(); ++i) {
    streams.err << (i == 0 ? " " : "  ") << MessageText(lines[i]) << "\n";
  }
  if (lines.empty()) streams.err << " " << absl::StatusCodeToString(status.code()) << "\n";
  if (!info.hint.empty()) {
    streams.err << "  " << Paint("hint:", Tone::kCyan, streams.color_err) << " "
                << MessageText(info.hint) << "\n";
  }
  streams.err << std::flush;
}

Json Program::ErrorJson(const absl::Status& status, int exit, const Json& details) const {
  const ErrorInfo info = GetErrorInfo(status);
  const std::string message(status.message());
  // "verb object: reason": the reason is the cause.
  const size_t colon = message.find(": ");
  Json error = Json::MakeObject();
  error.Set("code", info.code.empty() ? options_.internal_id : info.code);
  error.Set("exit", exit);
  error.Set("message", message);
  error.Set("cause", colon == std::string::npos ? "" : message.substr(colon + 2));
  error.Set("hint", info.hint);
  error.Set("details", details.is_null() ? Json::MakeObject() : details);
  return error;
}

void Program::WriteJson(const Outcome& outcome, Streams& streams) const {
  Json document;
  if (options_.envelope) {
    document = options_.envelope(outcome);
  } else if (outcome.ok) {
    document = outcome.data.is_null() ? Json::MakeObject() : outcome.data;
  } else {
    document = Json::MakeObject({{"error", outcome.error}});
    if (!outcome.data.is_null()) document.Set("data", outcome.data);  // what a check found
  }
  streams.out << document.Dump() << "\n";
}

}  // namespace slipway::base::cli
