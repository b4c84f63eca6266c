// A command-line program as an object: `program noun verb --options arguments`, help, hints,
// errors, exit codes, JSON, completion. A test runs it in process.
//
//   Program program("deploy-tool", "Packs, publishes and deploys components.", {.version = "1.0"});
//   auto options = std::make_shared<PackOptions>();
//   Command& pack = program.Add("pack", "Make a package of a directory");
//   pack.Argument("SOURCE", &options->source, "Directory to
//   pack").Completes(ValueKind::kDirectory); pack.Text("--type", "TYPE", &options->type, "Component
//   type"); pack.Example("deploy-tool pack ./models --type model --version 1.0.0");
//   pack.Run([options](Invocation& in) { return Pack(*options, in); });
//   return program.Run(args, streams, world, cancel);
//
// Everywhere: --help, --version, --json, --quiet, --color, `@FILE` (one argument a line; `@@x` is
// the argument `@x`), `--option=value`, `--` before arguments that begin with a dash, `completion
// SHELL` and `help COMMAND`. An unknown word is answered with the nearest known one.
//
// Thread-compatible. A program is run once: options keep the values that a run gave them.
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/strings/string_view.h"
#include "absl/types/span.h"
#include "base/cli/command.h"
#include "base/json/json.h"

namespace slipway::base::cli {

// What came of a run, for the JSON envelope of a program that has one.
struct Outcome {
  std::string command;  // "version switch"
  bool ok = true;
  absl::Duration duration;
  Json data;
  std::vector<Warning> warnings;
  Json error;  // {code, exit, message, cause, hint, details}; null when ok
};

struct ProgramOptions {
  std::string version;
  // Exit codes of error ids; an id that is missing gives 1, wrong usage always 2.
  std::vector<std::pair<std::string, int>> exits;
  // Instead of `exits`, for a program with a table of its own.
  std::function<int(const absl::Status&)> exit_of;
  // Looks at the arguments before they are understood, argument files included. An error ends the
  // run and must not repeat what it found: what passes may be logged, recorded and shown.
  std::function<absl::Status(absl::Span<const std::string>, World&)> check_arguments;
  // The hint of an error that brings none; null: none.
  std::function<std::string(const absl::Status&)> hint_of;
  // The command line of Go programs (E52): `-name value`, `-name=value`, `--name value` and
  // `--name=value` are the same for options of several letters; the word behind an option is its
  // value, whatever it looks like; flags take =true and =false; a negative number is an argument;
  // from the first argument to the last one that the command takes nothing is an option; `@FILE`
  // is a word like others.
  bool go_style = false;
  std::string usage_id;     // id of wrong usage; empty: none
  std::string missing_id;   // id of a missing argument or value
  std::string internal_id;  // id of an error that carries none
  std::string output_id;    // id of a result that could not be written; empty: internal_id
  // Without: the bare result, or {"error": …} with "data" where a failed check found something.
  std::function<Json(const Outcome&)> envelope;
};

class Program {
 public:
  Program(absl::string_view name, absl::string_view summary, ProgramOptions options = {});
  ~Program();
  Program(const Program&) = delete;
  Program& operator=(const Program&) = delete;

  // The command `path`, words separated by one space. Groups above it ("version") appear by
  // themselves; AddGroup gives one its summary. The command "" is what runs without one: a server.
  Command& Add(absl::string_view path, absl::string_view summary);
  void AddGroup(absl::string_view path, absl::string_view summary);
  // Its options are accepted with every command.
  Command& globals() { return *globals_; }
  // What --version adds to the version: "1.0.0+COMMIT", and "commit" under --json. Other places
  // name the version alone: what a program writes must not change with each commit.
  void SetCommit(absl::string_view commit) { commit_ = std::string(commit); }
  // Runs after parsing and before every command, for what global options mean.
  void Before(std::function<absl::Status(Invocation&)> before) { before_ = std::move(before); }

  // Parses, runs, renders; returns the exit code. `args` without the program's own name.
  // 0, 1, 2 usage, the program's own, 130 or 143 when `cancel` was an interrupt or a SIGTERM.
  int Run(absl::Span<const std::string> args, Streams& streams, World& world,
          CancelToken cancel = {});

  const std::string& name() const { return name_; }
  const std::string& summary() const { return summary_; }
  const ProgramOptions& options() const { return options_; }
  const std::vector<std::unique_ptr<Command>>& commands() const { return commands_; }
  // The command at exactly this path, or null.
  const Command* Find(absl::string_view path) const;
  // First words below `path` ("" is the top), with summaries, in the order of their making.
  std::vector<Candidate> Children(absl::string_view path, bool hidden = false) const;
  const Command& global_options() const { return *globals_; }
  int ExitCodeOf(const absl::Status& status) const;

 private:
  struct Builtin;
  bool AsksForJson(absl::Span<const std::string> args) const;
  int Dispatch(const std::vector<std::string>& args, Streams& streams, World& world,
               CancelToken cancel);
  int Execute(const Command& command, absl::string_view typed, Streams& streams, World& world,
              CancelToken cancel);
  int Finish(const Command& command, absl::Status status, Invocation& in, absl::Duration duration);
  int FailUsage(const absl::Status& status, absl::string_view command, Streams& streams, bool json);
  int FailEarly(const absl::Status& error, int exit, absl::string_view command, Streams& streams,
                bool json);
  void RenderError(const absl::Status& status, Streams& streams) const;
  Json ErrorJson(const absl::Status& status, int exit, const Json& details) const;
  void WriteJson(const Outcome& outcome, Streams& streams) const;
  // Prints what --help and --version ask for.
  int Answer(absl::string_view command, absl::string_view key, const std::string& text,
             Streams& streams, bool json);
  // After all was written: the exit code, where the output may have failed.
  int Flush(Streams& streams, int exit) const;
  int CancelledExit(const CancelToken& cancel) const;

  const std::string name_;
  const std::string summary_;
  const ProgramOptions options_;
  std::string commit_;
  std::vector<std::unique_ptr<Command>> commands_;
  std::vector<std::unique_ptr<Command>> groups_;  // never run; hold summaries
  std::unique_ptr<Command> globals_;
  std::unique_ptr<Builtin> builtin_;
  std::function<absl::Status(Invocation&)> before_;
};

}  // namespace slipway::base::cli
