#include "zako/cli/zako.h"

#include <utility>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "base/log/log.h"
#include "zako/cli/commands.h"
#include "zako/cli/connection.h"

namespace slipway::zako::cli {
namespace {

constexpr char kProgramName[] = "zako";
constexpr int kExitUnreachable = 3;
constexpr int kExitInternal = 4;

base::cli::ProgramOptions MakeOptions(const std::string& version) {
  base::cli::ProgramOptions options;
  options.version = version;
  options.exit_of = ExitCodeOf;
  options.usage_id = kUsageId;
  options.missing_id = kUsageId;
  return options;
}

void AddGlobals(base::cli::Program& program, GlobalOptions& o) {
  base::cli::Command& globals = program.globals();
  globals.Example("zako cas put model.bin", "prints the name of the blob");
  globals.Example("zako cas get blake3:…/1048576 model.bin");
  globals.Text("--directory,-C", "DIR", &o.directory, "Relative paths start there")
      .Completes(base::cli::ValueKind::kDirectory);
  globals.Flag("--silent", &o.silent, "The same as --quiet");
  globals.Flag("--verbose,-v", &o.verbose, "Log what happens, on stderr");
  globals.Choice("--progress", "MODE", &o.progress, {"auto", "bar", "plain", "json", "none"},
                 "How progress is shown, on stderr");
}

// Opening dials nothing yet: what fails are the options, or the files that they name.
template <class T>
base::Owned<T> Opened(base::Owned<T> opened) {
  if (opened.ok()) return opened;
  return base::WithInfo(opened.status(), {kUsageId, "check the options of the connection"});
}

absl::Status Begin(const GlobalOptions& o, base::cli::Invocation& in) {
  in.quiet = in.quiet || o.silent;
  if (o.verbose && in.quiet) {
    return UsageError("--verbose and --silent exclude each other", "leave one of them out");
  }
  if (!o.directory.empty()) {
    const auto dir = in.world.files.OpenRoot(o.directory);
    if (!dir.ok()) {
      return UsageError(absl::StrCat("change to ", o.directory, ": ", dir.status().message()),
                        "name a directory with --directory");
    }
  }
  base::LogOptions options;
  options.level = o.verbose ? base::LogLevel::kInfo : base::LogLevel::kWarn;
  options.logger = kProgramName;
  return base::ConfigureLog(options, in.world.clock);
}

}  // namespace

CasServers RealCasServers() {
  return {[](const cas::RemoteOptions& options, base::World& world) {
            return Opened(cas::OpenRemoteStore(options, world.files, world.clock, world.random));
          },
          [](const cas::RemoteOptions& options, base::World& world) {
            return Opened(cas::OpenCasAdmin(options, world.files, world.clock, world.random));
          }};
}

int ExitCodeOf(const absl::Status& status) {
  if (status.ok()) return base::kExitOk;
  if (absl::StartsWith(base::GetErrorInfo(status).code, "ZK1")) return base::kExitUsage;
  switch (status.code()) {
    case absl::StatusCode::kUnavailable:
    case absl::StatusCode::kDeadlineExceeded:
      return kExitUnreachable;
    case absl::StatusCode::kInternal:
      return kExitInternal;
    default:
      return base::kExitFailure;
  }
}

Zako::Zako(const std::string& version, CasServers servers)
    : servers_(std::move(servers)),
      program_(std::make_unique<base::cli::Program>(
          kProgramName, "Builds, and talks to content-addressed stores.", MakeOptions(version))) {
  AddGlobals(*program_, globals_);
  program_->AddGroup("cas", "Blobs of a content-addressed store");
  AddPut(*program_, servers_, globals_);
  AddGet(*program_, servers_, globals_);
  AddStat(*program_, servers_, globals_);
  AddList(*program_, servers_, globals_);
  AddRemove(*program_, servers_, globals_);
  AddVerify(*program_, servers_, globals_);
  AddGc(*program_, servers_, globals_);
  program_->Before([this](base::cli::Invocation& in) { return Begin(globals_, in); });
}

Zako::~Zako() = default;

}  // namespace slipway::zako::cli
