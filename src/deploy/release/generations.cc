#include "deploy/release/generations.h"

#include <algorithm>
#include <utility>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/strip.h"
#include "deploy/release/state.h"

namespace slipway::deploy {
namespace {

std::optional<uint64_t> ParseNumber(absl::string_view text) {
  uint64_t number = 0;
  if (text.empty() || text.front() == '0' || text.front() == '+') return std::nullopt;
  return absl::SimpleAtoi(text, &number) ? std::optional<uint64_t>(number) : std::nullopt;
}

// Descending.
absl::StatusOr<std::vector<uint64_t>> ListNumbers(base::Dir& root) {
  SLIPWAY_ASSIGN_OR_RETURN(const auto entries, ListSorted(root, kGenerationsDir));
  std::vector<uint64_t> numbers;
  for (const base::DirEntry& entry : entries) {
    const auto number = ParseNumber(entry.name);
    if (number && entry.kind == base::FileKind::kDirectory) numbers.push_back(*number);
  }
  std::sort(numbers.rbegin(), numbers.rend());
  return numbers;
}

// The version in "../../components/<type>/<version>"; empty for anything else.
std::string VersionInTarget(absl::string_view target, const std::string& type) {
  const std::string prefix = absl::StrCat("../../", TypeDir(type), "/");
  if (!absl::ConsumePrefix(&target, prefix)) return "";
  absl::ConsumeSuffix(&target, "/");
  return CheckVersion(target, VersionScheme::kAny).ok() ? std::string(target) : "";
}

absl::StatusOr<Generation> ReadOne(base::Dir& root, uint64_t number) {
  Generation generation;
  generation.number = number;
  const std::string dir = GenerationDir(number);
  SLIPWAY_ASSIGN_OR_RETURN(const auto entries, ListSorted(root, dir));
  for (const base::DirEntry& entry : entries) {
    if (entry.kind != base::FileKind::kSymlink) continue;
    SLIPWAY_ASSIGN_OR_RETURN(const std::string target,
                             root.ReadLink(base::JoinPath(dir, entry.name)));
    Component component{entry.name, VersionInTarget(target, entry.name)};
    if (component.version.empty()) continue;
    SLIPWAY_ASSIGN_OR_RETURN(const auto meta, StatIfAny(root, VersionDir(component)));
    if (!meta) generation.incomplete = true;
    generation.components.push_back(std::move(component));
  }
  return generation;
}

}  // namespace

absl::StatusOr<std::vector<Generation>> ReadGenerations(base::Dir& root) {
  SLIPWAY_ASSIGN_OR_RETURN(const auto numbers, ListNumbers(root));
  SLIPWAY_ASSIGN_OR_RETURN(const auto active, ReadActiveGeneration(root));
  std::vector<Generation> generations;
  for (const uint64_t number : numbers) {
    if (active && number > *active) continue;  // of a transaction that was undone, or runs
    SLIPWAY_ASSIGN_OR_RETURN(Generation generation, ReadOne(root, number));
    generation.active = active == number;
    generations.push_back(std::move(generation));
  }
  return generations;
}

absl::StatusOr<std::optional<uint64_t>> ReadActiveGeneration(base::Dir& root) {
  SLIPWAY_ASSIGN_OR_RETURN(const auto meta, StatIfAny(root, kActiveLink));
  if (!meta || meta->kind != base::FileKind::kSymlink) return std::optional<uint64_t>();
  SLIPWAY_ASSIGN_OR_RETURN(const std::string target, root.ReadLink(kActiveLink));
  absl::string_view rest = target;
  if (!absl::ConsumePrefix(&rest, absl::StrCat(kGenerationsDir, "/"))) {
    return std::optional<uint64_t>();
  }
  absl::ConsumeSuffix(&rest, "/");
  return ParseNumber(rest);
}

absl::StatusOr<uint64_t> NextGenerationNumber(base::Dir& root) {
  SLIPWAY_ASSIGN_OR_RETURN(const auto active, ReadActiveGeneration(root));
  if (active) return *active + 1;
  SLIPWAY_ASSIGN_OR_RETURN(const auto numbers, ListNumbers(root));
  return numbers.empty() ? 1 : numbers.front() + 1;
}

absl::StatusOr<ActiveSet> ReadActiveSet(base::Dir& root) {
  SLIPWAY_ASSIGN_OR_RETURN(const auto types, InstalledTypes(root));
  ActiveSet set;
  for (const std::string& type : types) {
    SLIPWAY_ASSIGN_OR_RETURN(std::string version, ReadCurrent(root, type));
    if (!version.empty()) set.emplace(type, std::move(version));
  }
  return set;
}

ActiveSet SetOf(const Generation& generation) {
  ActiveSet set;
  for (const Component& component : generation.components) {
    set.emplace(component.type, component.version);
  }
  return set;
}

absl::Status WriteGeneration(const Root& root, uint64_t number, const ActiveSet& set) {
  const std::string path = GenerationDir(number);
  SLIPWAY_RETURN_IF_ERROR(base::RemoveTree(*root.dir, path));
  SLIPWAY_RETURN_IF_ERROR(root.dir->MakeDir(path, root.modes.dir));
  for (const auto& [type, version] : set) {
    SLIPWAY_RETURN_IF_ERROR(
        root.dir->Symlink(GenerationLinkTarget({type, version}), base::JoinPath(path, type)));
  }
  SLIPWAY_RETURN_IF_ERROR(SyncDirAt(*root.dir, path));
  return SyncDirAt(*root.dir, kGenerationsDir);
}

absl::Status RemoveGeneration(base::Dir& root, uint64_t number) {
  SLIPWAY_RETURN_IF_ERROR(base::RemoveTree(root, GenerationDir(number)));
  const absl::Status synced = SyncDirAt(root, kGenerationsDir);
  return absl::IsNotFound(synced) ? absl::OkStatus() : synced;  // somebody took all of them away
}

absl::Status TrimGenerations(base::Dir& root) {
  SLIPWAY_ASSIGN_OR_RETURN(const auto numbers, ListNumbers(root));
  SLIPWAY_ASSIGN_OR_RETURN(const auto active, ReadActiveGeneration(root));
  if (!active) return absl::OkStatus();
  size_t kept = 0;
  for (const uint64_t number : numbers) {
    const bool keep = number <= *active && ++kept <= kGenerationsKept;
    if (!keep) SLIPWAY_RETURN_IF_ERROR(base::RemoveTree(root, GenerationDir(number)));
  }
  return absl::OkStatus();
}

}  // namespace slipway::deploy
