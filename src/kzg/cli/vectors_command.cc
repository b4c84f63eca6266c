// kzg vectors DIR: cases in the official form, DIR/<function>/<case>.yaml (K63).
#include <algorithm>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "base/cli/command.h"
#include "base/files.h"
#include "base/json/json.h"
#include "base/status.h"
#include "kzg/cli/context.h"
#include "kzg/cli/vectors.h"

namespace slipway::kzg::cli {
namespace {

using base::Json;
using base::cli::Invocation;

constexpr uint64_t kCaseBytesMax = 64 << 20;

struct CaseFile {
  std::string function, name;
};

absl::StatusOr<std::vector<std::string>> Names(base::Dir& dir, base::FileKind kind) {
  SLIPWAY_ASSIGN_OR_RETURN(const auto cursor, dir.List());
  std::vector<std::string> names;
  while (true) {
    SLIPWAY_ASSIGN_OR_RETURN(const std::optional<base::DirEntry> entry, cursor->Next());
    if (!entry.has_value()) break;
    if (entry->kind == kind) names.push_back(entry->name);
  }
  std::sort(names.begin(), names.end());
  return names;
}

// The cases below `dir`, sorted; folders of no known function are an error.
absl::StatusOr<std::vector<CaseFile>> FindCases(base::Dir& dir, const std::string& path) {
  std::vector<CaseFile> cases;
  const std::vector<std::string> known = VectorFunctions();
  SLIPWAY_ASSIGN_OR_RETURN(const std::vector<std::string> folders,
                           Names(dir, base::FileKind::kDirectory));
  for (const std::string& function : folders) {
    if (std::find(known.begin(), known.end(), function) == known.end()) {
      return absl::InvalidArgumentError(absl::StrCat(
          "run vectors ", path, ": no function is called '", base::EscapeForTerminal(function),
          "'; give the folder whose folders are "
          "named for functions"));
    }
    SLIPWAY_ASSIGN_OR_RETURN(const auto folder, dir.OpenDir(function));
    SLIPWAY_ASSIGN_OR_RETURN(const std::vector<std::string> files,
                             Names(*folder, base::FileKind::kFile));
    for (const std::string& file : files) {
      if (absl::EndsWith(file, ".yaml")) cases.push_back({function, file});
    }
  }
  if (!cases.empty()) return cases;
  return absl::InvalidArgumentError(
      absl::StrCat("run vectors ", path, ": there is no <function>/<case>.yaml"));
}

absl::Status RunVectors(const Context& context, const std::string& path, Invocation& in) {
  SLIPWAY_ASSIGN_OR_RETURN(const auto dir, in.world.files.OpenRoot(path));
  SLIPWAY_ASSIGN_OR_RETURN(const std::vector<CaseFile> cases, FindCases(*dir, path));
  const std::unique_ptr<Executor> executor = context.MakeExecutor(in.world);
  SLIPWAY_ASSIGN_OR_RETURN(const LoadedSetup loaded, context.Load(in, executor.get()));
  uint64_t passed = 0;
  Json failures = Json::MakeArray();
  for (const CaseFile& c : cases) {
    SLIPWAY_RETURN_IF_ERROR(in.cancel.status());
    const std::string name = base::JoinPath(c.function, c.name);
    SLIPWAY_ASSIGN_OR_RETURN(const std::string text, base::ReadFile(*dir, name, kCaseBytesMax));
    const absl::StatusOr<VectorCase> parsed = VectorCase::Parse(c.function, name, text);
    const VectorOutcome outcome =
        parsed.ok() ? parsed->Run(*loaded.setup, executor.get())
                    : VectorOutcome{false, std::string(parsed.status().message())};
    if (outcome.passed) {
      ++passed;
      continue;
    }
    failures.Append(Json::MakeObject({{"case", name}, {"reason", outcome.detail}}));
    if (!in.json) in.streams.err << "failed " << name << ": " << outcome.detail << "\n";
  }
  const uint64_t failed = cases.size() - passed;
  in.result =
      Json::MakeObject({{"passed", passed}, {"failed", failed}, {"failures", std::move(failures)}});
  if (!in.json) in.streams.out << passed << " passed, " << failed << " failed\n";
  if (failed > 0) in.exit_code = base::kExitFailure;
  return absl::OkStatus();
}

}  // namespace

void AddVectorsCommand(base::cli::Program& program, const ContextPtr& context) {
  auto path = std::make_shared<std::string>();
  base::cli::Command& vectors = program.Add("vectors", "Run a folder of official test cases");
  vectors.Argument("DIR", path.get(), "Holds <function>/<case>.yaml")
      .Required()
      .Completes(base::cli::ValueKind::kDirectory);
  vectors.Example("kzg vectors consensus-vectors/");
  vectors.Run([context, path](Invocation& in) { return RunVectors(*context, *path, in); });
}

}  // namespace slipway::kzg::cli
