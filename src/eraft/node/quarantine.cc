#include "eraft/node/quarantine.h"

#include <map>
#include <memory>
#include <utility>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_replace.h"
#include "base/json/json.h"
#include "base/status.h"
#include "eraft/node/group_store.h"
#include "eraft/wal/format.h"
#include "eraft/wal/two_copy.h"

namespace slipway::eraft {
namespace {

using base::Json;

constexpr uint32_t kDirMode = 0700, kFileMode = 0600;
constexpr uint64_t kReportBytesMax = 1 << 20;
constexpr int kNamesMax = 1000;

// What makes two reports say the same: all but the time and the copies.
Json Essence(absl::string_view what, absl::string_view action, const std::vector<BadFile>& files) {
  Json list = Json::MakeArray();
  for (const BadFile& file : files) {
    list.Append(Json::MakeObject({{"path", file.path}, {"why", file.why}}));
  }
  Json json = Json::MakeObject({{"what", what}, {"action", action}});
  json.Set("files", std::move(list));
  return json;
}

bool SaysTheSame(base::Dir& folder, const std::string& name, const Json& essence) {
  const auto text =
      base::ReadFile(folder, base::JoinPath(name, kQuarantineReport), kReportBytesMax);
  if (!text.ok()) return false;
  auto json = base::ParseJson(*text);
  if (!json.ok()) return false;
  const Json* found = json->Find("found");
  return found != nullptr && *found == essence;
}

absl::Status Copy(base::Dir& from, const std::string& path, base::Dir& to,
                  const std::string& name) {
  SLIPWAY_ASSIGN_OR_RETURN(const auto source, from.Open(path, {}));
  SLIPWAY_ASSIGN_OR_RETURN(const base::Meta meta, source->Stat());
  SLIPWAY_ASSIGN_OR_RETURN(const base::Space space, from.FreeSpace());
  if (space.free_bytes < meta.size_bytes + kQuarantineRoomBytes) {
    return absl::ResourceExhaustedError("there is too little room for a copy");
  }
  base::OpenOptions options;
  options.write = true;
  options.create = true;
  options.mode = kFileMode;
  SLIPWAY_ASSIGN_OR_RETURN(const auto target, to.Open(name, options));
  SLIPWAY_RETURN_IF_ERROR(target->CopyFrom(*source, 0, 0, meta.size_bytes));
  return target->Sync();
}

absl::StatusOr<std::string> MakeFolder(base::Dir& folder, absl::Time now) {
  const std::string time = absl::FormatTime("%Y%m%dT%H%M%SZ", now, absl::UTCTimeZone());
  for (int i = 1; i < kNamesMax; ++i) {
    const std::string name = i == 1 ? time : absl::StrCat(time, "-", i);
    const absl::Status made = folder.MakeDir(name, kDirMode);
    if (made.ok()) return name;
    if (!absl::IsAlreadyExists(made)) return made;
  }
  return absl::ResourceExhaustedError("quarantine: too much of it in one second");
}

}  // namespace

absl::StatusOr<std::string> Quarantine(base::Dir& dir, absl::Time now, absl::string_view what,
                                       absl::string_view action,
                                       const std::vector<BadFile>& files) {
  SLIPWAY_RETURN_IF_ERROR(base::MakeDirs(dir, kQuarantineDir, kDirMode));
  SLIPWAY_RETURN_IF_ERROR(dir.Sync());
  SLIPWAY_ASSIGN_OR_RETURN(const auto folder, dir.OpenDir(kQuarantineDir));
  const Json essence = Essence(what, action, files);
  SLIPWAY_ASSIGN_OR_RETURN(std::vector<std::string> names, NamesIn(*folder));
  for (const std::string& name : names) {
    if (SaysTheSame(*folder, name, essence)) return base::JoinPath(kQuarantineDir, name);
  }
  while (names.size() >= kQuarantinesMax) {
    SLIPWAY_RETURN_IF_ERROR(base::RemoveTree(*folder, names.front()));
    names.erase(names.begin());
  }
  SLIPWAY_ASSIGN_OR_RETURN(const std::string name, MakeFolder(*folder, now));
  SLIPWAY_ASSIGN_OR_RETURN(const auto place, folder->OpenDir(name));
  Json copies = Json::MakeArray();
  for (const BadFile& file : files) {
    const std::string copy = absl::StrReplaceAll(file.path, {{"/", "_"}});
    const absl::Status done = Copy(dir, file.path, *place, copy);
    copies.Append(done.ok() ? Json(copy) : Json(absl::StrCat("none: ", done.message())));
  }
  Json report = Json::MakeObject(
      {{"time", absl::FormatTime("%Y-%m-%d%ET%H:%M:%SZ", now, absl::UTCTimeZone())}});
  report.Set("found", essence);
  report.Set("copies", std::move(copies));
  SLIPWAY_RETURN_IF_ERROR(
      base::WriteFileDurably(*place, kQuarantineReport, report.Dump(2) + "\n", kFileMode));
  SLIPWAY_RETURN_IF_ERROR(folder->Sync());
  return base::JoinPath(kQuarantineDir, name);
}

std::vector<BadFile> DamageOf(base::Dir& dir, const SnapshotName& name) {
  const std::string path = SnapshotPath(name);
  const auto manifest = ReadManifest(dir, name);
  if (!manifest.ok()) {
    return {{base::JoinPath(path, kManifestName), std::string(manifest.status().message())}};
  }
  std::vector<BadFile> bad;
  for (const SnapshotFile& file : manifest->files) {
    const std::string of = base::JoinPath(base::JoinPath(path, kSnapshotFilesDir), file.name);
    const auto found = HashFile(dir, of);
    if (found.ok() && *found == file) continue;
    bad.push_back(
        {of, found.ok() ? "it is not what MANIFEST says" : std::string(found.status().message())});
  }
  return bad;
}

void QuarantineCopies(base::Dir& dir, absl::Time now, absl::string_view name) {
  const auto state = wal::ReadTwoCopy(dir, name);
  if (!state.ok() || state->damaged == 0) return;
  std::vector<BadFile> bad;
  const bool none = !state->newest.has_value();
  if (none || state->newest_copy != 0) bad.push_back({std::string(name), "it cannot be read"});
  if (none || state->newest_copy == 0) {
    bad.push_back({absl::StrCat(name, ".2"), "it cannot be read"});
  }
  Quarantine(dir, now, absl::StrCat("a copy of ", name, " is damaged"),
             none ? "nothing: there is no good one" : "it is written anew from the good one", bad)
      .IgnoreError();
}

absl::Status QuarantineLog(base::Dir& dir, absl::Time now, const absl::Status& status,
                           const wal::DamageReport& report) {
  if (!absl::IsDataLoss(status) || report.damages.empty()) return status;
  std::map<std::string, std::string> bad;  // of a file the first
  for (const wal::Damage& damage : report.damages) {
    const bool all = damage.file == wal::kWalDirectory;
    bad.emplace(all ? damage.file : base::JoinPath(wal::kWalDirectory, damage.file),
                absl::StrCat("at ", damage.offset, ": ", damage.why));
  }
  std::vector<BadFile> files;
  files.reserve(bad.size());
  for (const auto& [path, why] : bad) files.push_back({path, why});
  const auto kept = Quarantine(dir, now, "the write-ahead log is damaged where it had been durable",
                               "the node does not start; nothing is cut", files);
  if (!kept.ok()) return status;
  return base::MakeError(status.code(), absl::StrCat(status.message(), "copies are in ", *kept),
                         base::GetErrorInfo(status));
}

absl::Status QuarantineEngine(base::Dir& dir, absl::Time now, const absl::Status& status) {
  if (!absl::IsDataLoss(status)) return status;
  const auto folder = dir.OpenDir(kEngineDir);
  if (!folder.ok()) return status;
  const auto names = NamesIn(**folder);
  if (!names.ok()) return status;
  std::vector<BadFile> files;
  for (const std::string& name : *names) {
    // What says which files there are, and the one that the engine names, if it does.
    if (name != kEngineCurrent && !absl::StartsWith(name, "MANIFEST-") &&
        !absl::StrContains(status.message(), absl::StrCat("/", name))) {
      continue;
    }
    files.push_back({base::JoinPath(kEngineDir, name), std::string(status.message())});
  }
  const auto kept = Quarantine(dir, now, "the engine's files are damaged",
                               "the node does not start; nothing is mended", files);
  if (!kept.ok()) return status;
  return base::MakeError(status.code(), absl::StrCat(status.message(), "; copies are in ", *kept),
                         base::GetErrorInfo(status));
}

}  // namespace slipway::eraft
