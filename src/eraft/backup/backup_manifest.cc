#include "eraft/backup/backup_manifest.h"

#include <algorithm>
#include <utility>

#include "absl/strings/str_cat.h"
#include "base/bytes.h"
#include "base/digest/sha256.h"
#include "base/json/json.h"
#include "base/status.h"

namespace slipway::eraft {
namespace {

using base::Json;

constexpr char kKind[] = "eraft-backup";
constexpr char kHashKey[] = "sha256";

absl::Status Damaged(absl::string_view why) {
  return absl::DataLossError(absl::StrCat("BACKUP.json: ", why));
}

std::string Digest(const Json& json) {
  return base::ToHex(base::Sha256Of(base::AsBytes(json.DumpCanonical())));
}

// The values of an object; the first one that is missing or of another type is remembered.
class Fields {
 public:
  explicit Fields(const Json& object) : object_(object) {}

  std::string Text(absl::string_view key) {
    const Json* value = object_.Find(key);
    if (value != nullptr && value->is_string()) return *value->AsString();
    Miss(key);
    return "";
  }
  uint64_t Number(absl::string_view key) {
    const Json* value = object_.Find(key);
    if (const auto number = value == nullptr ? std::nullopt : value->AsUint()) return *number;
    Miss(key);
    return 0;
  }
  const Json::Array& Items(absl::string_view key) {
    static const Json::Array* const kNone = new Json::Array;
    const Json* value = object_.Find(key);
    if (value != nullptr && value->is_array()) return *value->AsArray();
    Miss(key);
    return *kNone;
  }
  template <size_t kBytes>
  void Hex(absl::string_view key, std::array<uint8_t, kBytes>& out) {
    const auto bytes = base::FromHex(Text(key));
    if (!bytes.ok() || bytes->size() != kBytes) return Miss(key);
    std::copy(bytes->begin(), bytes->end(), out.begin());
  }
  absl::Status status() const { return status_; }

 private:
  void Miss(absl::string_view key) {
    if (status_.ok()) status_ = Damaged(absl::StrCat("no usable ", key));
  }
  const Json& object_;
  absl::Status status_;
};

absl::StatusOr<SnapshotFile> FileOf(const Json& json) {
  Fields fields(json);
  SnapshotFile file;
  file.name = fields.Text("name");
  file.size_bytes = fields.Number("size");
  fields.Hex(kHashKey, file.sha256);
  SLIPWAY_RETURN_IF_ERROR(fields.status());
  if (base::CheckRelative(file.name).ok() && file.name.find('/') == std::string::npos) return file;
  return Damaged("a file has a name that is none");
}

absl::Status CheckFiles(const std::vector<SnapshotFile>& files) {
  const auto unordered = std::adjacent_find(
      files.begin(), files.end(),
      [](const SnapshotFile& a, const SnapshotFile& b) { return a.name >= b.name; });
  if (unordered != files.end()) return Damaged("its files are not in order");
  return absl::OkStatus();
}

}  // namespace

uint64_t BackupManifest::bytes() const {
  uint64_t sum = 0;
  for (const SnapshotFile& file : files) sum += file.size_bytes;
  return sum;
}

std::string EncodeBackupManifest(const BackupManifest& manifest) {
  const BackupHeader& header = manifest.header;
  Json members = Json::MakeArray();
  for (const auto& [id, address] : header.members) {
    members.Append(Json::MakeObject({{"address", address}, {"id", id}}));
  }
  Json files = Json::MakeArray();
  for (const SnapshotFile& file : manifest.files) {
    files.Append(Json::MakeObject(
        {{"name", file.name}, {kHashKey, base::ToHex(file.sha256)}, {"size", file.size_bytes}}));
  }
  Json json = Json::MakeObject(
      {{"kind", kKind},
       {"format", kBackupFormat},
       {"cluster", base::ToHex(base::BytesView(header.cluster))},
       {"node", header.node},
       {"group", static_cast<uint64_t>(header.group)},
       {"term", header.term},
       {"index", header.index},
       {"engine", EngineKindName(header.engine)},
       {"created", absl::FormatTime("%Y-%m-%d%ET%H:%M:%SZ", manifest.created, absl::UTCTimeZone())},
       {"version", manifest.version}});
  json.Set("members", std::move(members));
  json.Set("files", std::move(files));
  json.Set(kHashKey, Digest(json));
  return json.Dump(2) + "\n";
}

absl::StatusOr<BackupManifest> DecodeBackupManifest(absl::string_view text) {
  auto json = base::ParseJson(text);
  if (!json.ok()) return Damaged(json.status().message());
  Fields fields(*json);
  if (fields.Text("kind") != kKind) return Damaged("it is not of a backup of eraft");
  const uint64_t format = fields.Number("format");
  if (fields.status().ok() && format > kBackupFormat) {
    return absl::FailedPreconditionError(
        absl::StrCat("BACKUP.json: the backup is of format ", format, ", this program knows ",
                     kBackupFormat, "; use the program that made it, or a newer one"));
  }
  const std::string hash = fields.Text(kHashKey);
  BackupManifest out;
  BackupHeader& header = out.header;
  fields.Hex("cluster", header.cluster);
  header.node = fields.Number("node");
  header.group = static_cast<GroupId>(fields.Number("group"));
  header.term = fields.Number("term");
  header.index = fields.Number("index");
  const std::string engine = fields.Text("engine");
  std::string why;
  const bool dated =
      absl::ParseTime(absl::RFC3339_full, fields.Text("created"), &out.created, &why);
  out.version = fields.Text("version");
  for (const Json& member : fields.Items("members")) {
    Fields of(member);
    const raft::NodeId id = of.Number("id");
    header.members[id] = of.Text("address");
    SLIPWAY_RETURN_IF_ERROR(of.status());
  }
  for (const Json& file : fields.Items("files")) {
    SLIPWAY_ASSIGN_OR_RETURN(SnapshotFile known, FileOf(file));
    out.files.push_back(std::move(known));
  }
  SLIPWAY_RETURN_IF_ERROR(fields.status());
  SLIPWAY_RETURN_IF_ERROR(CheckFiles(out.files));
  json->Remove(kHashKey);
  if (Digest(*json) != hash) return Damaged("its own checksum does not match");
  const auto kind = ParseEngineKind(engine);
  if (!kind.ok() || !dated) return Damaged("no usable engine or date");
  header.engine = *kind;
  return out;
}

}  // namespace slipway::eraft
