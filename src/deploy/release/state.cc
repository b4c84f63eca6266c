#include "deploy/release/state.h"

#include <algorithm>
#include <utility>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/strip.h"
#include "base/digest/sha256.h"
#include "base/units.h"
#include "deploy/model/errors.h"
#include "deploy/release/history.h"
#include "deploy/release/json_fields.h"
#include "deploy/repository/codec.h"

namespace slipway::deploy {
namespace {

using base::Json;

constexpr int kStateFormat = 1;

void SetTime(Json& json, absl::string_view key, const std::optional<absl::Time>& time) {
  if (time) json.Set(key, base::FormatRfc3339(*time));
}

Json VersionToJson(const VersionState& version) {
  Json json = Json::MakeObject();
  SetTime(json, "deployed_at", version.deployed_at);
  SetTime(json, "last_active_at", version.last_active_at);
  json.Set("sha256", version.sha256);
  json.Set("bytes", version.bytes);
  json.Set("files", version.files);
  json.Set("manifest_sha256", version.manifest_sha256);
  json.Set("source", version.source);
  json.Set("pinned", version.pinned);
  json.Set("tags", StringsToJson(version.tags));
  json.Set("bad", version.bad);
  if (version.dir_stat) {
    Json stat = Json::MakeObject();
    stat.Set("inode", version.dir_stat->inode);
    stat.Set("mtime_ns", version.dir_stat->mtime_ns);
    json.Set("dir_stat", std::move(stat));
  }
  return json;
}

VersionState VersionFromJson(const Json& json, Fields& outer) {
  Fields fields(json, "state");
  VersionState version;
  version.deployed_at = fields.OptionalTime("deployed_at");
  version.last_active_at = fields.OptionalTime("last_active_at");
  version.sha256 = fields.OptionalText("sha256");
  version.bytes = fields.OptionalUnsigned("bytes").value_or(0);
  version.files = fields.OptionalUnsigned("files").value_or(0);
  version.manifest_sha256 = fields.OptionalText("manifest_sha256");
  version.source = fields.OptionalText("source");
  version.pinned = fields.OptionalBool("pinned");
  version.bad = fields.OptionalBool("bad");
  version.tags = fields.Texts("tags");
  const Json* stat = json.Find("dir_stat");
  const Json* mtime = stat == nullptr ? nullptr : stat->Find("mtime_ns");
  const Json* inode = stat == nullptr ? nullptr : stat->Find("inode");
  if (mtime != nullptr && inode != nullptr && mtime->AsInt() && inode->AsUint()) {
    version.dir_stat = DirStat{*inode->AsUint(), *mtime->AsInt()};
  }
  outer.Take(fields);
  return version;
}

std::string StateFile(absl::string_view type) { return absl::StrCat(type, ".json"); }

// From the manifest kept beside the index and from the history.
VersionState RebuildVersion(base::Dir& root, const Component& component,
                            const std::vector<HistoryEntry>& history) {
  VersionState version;
  const auto text = base::ReadFile(root, ManifestPath(component), kSmallFileBytesMax);
  const auto manifest = text.ok() ? ParseManifest(*text) : text.status();
  if (manifest.ok()) {
    version.sha256 = manifest->package.sha256;
    if (manifest->package.content) {
      version.bytes = manifest->package.content->bytes;
      version.files = manifest->package.content->files;
    }
    version.manifest_sha256 = base::ToHex(base::Sha256Of(base::AsBytes(*text)));
  }
  for (const HistoryEntry& entry : history) {  // oldest first
    for (const HistoryEntry::Change& change : entry.changes) {
      if (change.type != component.type) continue;
      if (change.installed == component.version) {
        version.deployed_at = entry.at;
        version.source = change.source;
      }
      if (change.to == component.version || change.from == component.version) {
        version.last_active_at = entry.at;
      }
    }
  }
  return version;
}

std::string PreviousByHistory(absl::string_view type, const std::vector<HistoryEntry>& history) {
  for (auto entry = history.rbegin(); entry != history.rend(); ++entry) {
    for (const HistoryEntry::Change& change : entry->changes) {
      if (change.type == type && !change.to.empty() && change.to != change.from) return change.from;
    }
  }
  return "";
}

// What the file says; nullopt when it is not there or not readable as a state.
absl::StatusOr<std::optional<TypeState>> ReadStateFile(base::Dir& root, absl::string_view type) {
  const auto text =
      base::ReadFile(root, absl::StrCat(kStateDir, "/", StateFile(type)), kSmallFileBytesMax);
  if (absl::IsNotFound(text.status())) return std::optional<TypeState>();
  SLIPWAY_RETURN_IF_ERROR(text.status());
  const auto json = base::ParseJson(*text);
  if (!json.ok()) return std::optional<TypeState>();
  auto state = StateFromJson(*json);
  if (state.ok()) return std::optional<TypeState>(*std::move(state));
  if (base::GetErrorInfo(state.status()).code == DtName(Dt::kFormat)) {
    return base::Annotate(state.status(), absl::StrCat(kStateDir, "/", StateFile(type)));
  }
  return std::optional<TypeState>();
}

}  // namespace

DirStat DirStatOf(const base::Meta& meta) { return {meta.inode, absl::ToUnixNanos(meta.mtime)}; }

Json StateToJson(const TypeState& state) {
  Json versions = Json::MakeObject();
  for (const auto& [name, version] : state.versions) versions.Set(name, VersionToJson(version));
  Json json = Json::MakeObject();
  json.Set("format", kStateFormat);
  json.Set("current", state.current);
  json.Set("previous", state.previous);
  json.Set("versions", std::move(versions));
  return json;
}

absl::StatusOr<TypeState> StateFromJson(const Json& json) {
  Fields fields(json, "state");
  if (fields.Unsigned("format") > kStateFormat) {
    return Error(Dt::kFormat, "read state: it has a newer format",
                 "use the newer deploy-tool that wrote it");
  }
  TypeState state;
  state.current = fields.Text("current");
  state.previous = fields.Text("previous");
  const Json* versions = fields.Value("versions");
  if (versions != nullptr && versions->is_object()) {
    for (const auto& [name, version] : *versions->AsObject()) {
      state.versions.emplace(name, VersionFromJson(version, fields));
    }
  }
  SLIPWAY_RETURN_IF_ERROR(fields.status());
  return state;
}

absl::StatusOr<TypeState> ReadState(base::Dir& root, absl::string_view type) {
  SLIPWAY_ASSIGN_OR_RETURN(const auto stored, ReadStateFile(root, type));
  SLIPWAY_ASSIGN_OR_RETURN(const auto installed, InstalledVersions(root, type));
  TypeState state;
  if (stored) {
    state.previous = stored->previous;
    state.recorded_current = stored->current;
  }
  std::optional<std::vector<HistoryEntry>> history;  // read only when something is missing
  const auto read_history = [&]() -> absl::Status {
    if (history) return absl::OkStatus();
    SLIPWAY_ASSIGN_OR_RETURN(history, ReadHistory(root));
    return absl::OkStatus();
  };
  for (const std::string& version : installed) {
    const auto known = stored ? stored->versions.find(version) : decltype(stored->versions.end())();
    if (stored && known != stored->versions.end()) {
      state.versions.insert(*known);
      continue;
    }
    SLIPWAY_RETURN_IF_ERROR(read_history());
    state.versions.emplace(version, RebuildVersion(root, {std::string(type), version}, *history));
  }
  SLIPWAY_ASSIGN_OR_RETURN(state.current, ReadCurrent(root, type));
  if (!stored && !installed.empty()) {
    SLIPWAY_RETURN_IF_ERROR(read_history());
    state.previous = PreviousByHistory(type, *history);
  }
  return state;
}

absl::Status WriteState(const Root& root, absl::string_view type, const Json& state) {
  SLIPWAY_ASSIGN_OR_RETURN(const auto dir, root.dir->OpenDir(kStateDir));
  return base::WriteFileDurably(*dir, StateFile(type), state.Dump(2) + "\n", root.modes.file);
}

absl::StatusOr<std::vector<std::string>> InstalledVersions(base::Dir& root,
                                                           absl::string_view type) {
  SLIPWAY_ASSIGN_OR_RETURN(const auto entries, ListSorted(root, TypeDir(type)));
  std::vector<std::string> versions;
  for (const base::DirEntry& entry : entries) {
    if (entry.kind != base::FileKind::kDirectory || entry.name == kCurrentName) continue;
    if (CheckVersion(entry.name, VersionScheme::kAny).ok()) versions.push_back(entry.name);
  }
  return versions;
}

absl::StatusOr<std::vector<std::string>> InstalledTypes(base::Dir& root) {
  SLIPWAY_ASSIGN_OR_RETURN(const auto entries, ListSorted(root, kComponentsDir));
  std::vector<std::string> types;
  for (const base::DirEntry& entry : entries) {
    if (entry.kind == base::FileKind::kDirectory && CheckType(entry.name).ok()) {
      types.push_back(entry.name);
    }
  }
  return types;
}

absl::StatusOr<std::string> ReadCurrent(base::Dir& root, absl::string_view type) {
  SLIPWAY_ASSIGN_OR_RETURN(const auto meta, StatIfAny(root, CurrentLink(type)));
  if (!meta || meta->kind != base::FileKind::kSymlink) return std::string();
  SLIPWAY_ASSIGN_OR_RETURN(const std::string target, root.ReadLink(CurrentLink(type)));
  const std::string version(absl::StripSuffix(target, "/"));
  return CheckVersion(version, VersionScheme::kAny).ok() ? version : std::string();
}

}  // namespace slipway::deploy
