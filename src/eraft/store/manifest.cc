// The only file of this folder that includes protobuf.
#include "eraft/store/manifest.h"

#include <algorithm>

#include "absl/strings/str_cat.h"
#include "base/bytes.h"
#include "base/check.h"
#include "base/digest/crc32c.h"
#include "base/files.h"
#include "eraft/store/limits.h"
#include "slipway/eraft/snapshot/v1/manifest.pb.h"

namespace slipway::eraft {
namespace {

namespace pb = ::slipway::eraft::snapshot::v1;

constexpr size_t kCrcBytes = 4;

absl::Status Damaged(absl::string_view what) {
  return absl::DataLossError(absl::StrCat("MANIFEST of a snapshot: ", what));
}

absl::StatusOr<EngineKind> FromProto(pb::Engine engine) {
  switch (engine) {
    case pb::ENGINE_MEMORY:
      return EngineKind::kMemory;
    case pb::ENGINE_ROCKSDB:
      return EngineKind::kRocksDb;
    case pb::ENGINE_LEVELDB:
      return EngineKind::kLevelDb;
    default:
      return Damaged("names no engine");
  }
}

absl::StatusOr<SnapshotFile> FromProto(const pb::File& file) {
  SnapshotFile out = {.name = file.name(), .size_bytes = file.size_bytes()};
  if (!base::CheckRelative(out.name).ok() ||
      absl::string_view(out.name).find('/') != absl::string_view::npos) {
    return Damaged("names a file outside of its directory");
  }
  if (file.sha256().size() != out.sha256.size()) return Damaged("a SHA-256 has another length");
  std::copy(file.sha256().begin(), file.sha256().end(), out.sha256.begin());
  return out;
}

}  // namespace

std::string EncodeManifest(const Manifest& manifest) {
  pb::Manifest message;
  message.set_feature_level(kFeatureLevel);
  message.set_group(manifest.group);
  message.set_index(manifest.index);
  message.set_term(manifest.term);
  message.set_membership(manifest.membership);
  message.set_engine(static_cast<pb::Engine>(manifest.engine));
  for (const SnapshotFile& file : manifest.files) {
    pb::File* out = message.add_files();
    out->set_name(file.name);
    out->set_size_bytes(file.size_bytes);
    out->set_sha256(file.sha256.data(), file.sha256.size());
  }
  message.set_logical_digest(manifest.logical_digest);
  std::string bytes = message.SerializeAsString();
  uint8_t crc[kCrcBytes];
  base::StoreLittle(crc, base::Crc32c(base::AsBytes(bytes)));
  absl::StrAppend(&bytes, base::AsText(crc));
  return bytes;
}

absl::StatusOr<Manifest> DecodeManifest(absl::string_view bytes) {
  if (bytes.size() < kCrcBytes || bytes.size() > kManifestBytesMax) {
    return Damaged(absl::StrCat(bytes.size(), " bytes"));
  }
  const absl::string_view body = bytes.substr(0, bytes.size() - kCrcBytes);
  const auto crc = base::LoadLittle<uint32_t>(base::AsBytes(bytes).data() + body.size());
  if (crc != base::Crc32c(base::AsBytes(body))) return Damaged("its checksum does not match");
  pb::Manifest message;
  if (!message.ParseFromArray(body.data(), static_cast<int>(body.size()))) {
    return Damaged("no message of its kind");
  }
  if (message.feature_level() > kFeatureLevel) {
    return absl::FailedPreconditionError(absl::StrCat("MANIFEST of a snapshot: feature level ",
                                                      message.feature_level(), " is newer than ",
                                                      kFeatureLevel, "; upgrade this node"));
  }
  Manifest out = {.group = message.group(),
                  .index = message.index(),
                  .term = message.term(),
                  .membership = message.membership(),
                  .logical_digest = message.logical_digest()};
  if (message.feature_level() == 0 || out.logical_digest.size() != base::Sha256Digest().size()) {
    return Damaged("no level or no digest");
  }
  if (static_cast<uint64_t>(message.files_size()) > kSnapshotFilesMax) {
    return Damaged("too many files");
  }
  SLIPWAY_ASSIGN_OR_RETURN(out.engine, FromProto(message.engine()));
  for (const pb::File& file : message.files()) {
    SLIPWAY_ASSIGN_OR_RETURN(SnapshotFile next, FromProto(file));
    if (!out.files.empty() && out.files.back().name >= next.name) {
      return Damaged("its files are not in order");
    }
    out.files.push_back(std::move(next));
  }
  return out;
}

}  // namespace slipway::eraft
