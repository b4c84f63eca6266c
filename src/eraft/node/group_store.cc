#include "eraft/node/group_store.h"

#include <algorithm>
#include <utility>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "base/bytes.h"
#include "base/files.h"
#include "base/mutant.h"
#include "base/status.h"
#include "raft/raft.h"

namespace slipway::eraft {
namespace {

constexpr size_t kDetailBytes = 4 + 8 + 8 + 32;
constexpr uint32_t kDirectoryMode = 0700;

absl::Status CheckEngineFiles(base::Dir& dir) {
  const auto folder = dir.OpenDir(kEngineDir);
  if (absl::IsNotFound(folder.status())) return absl::OkStatus();
  SLIPWAY_RETURN_IF_ERROR(folder.status());
  SLIPWAY_ASSIGN_OR_RETURN(const auto names, NamesIn(**folder));
  const auto is_table = [](const std::string& name) {
    return absl::EndsWith(name, ".sst") || absl::EndsWith(name, ".ldb");
  };
  const auto tables = std::count_if(names.begin(), names.end(), is_table);
  if (tables == 0 || std::count(names.begin(), names.end(), kEngineCurrent) > 0) {
    return absl::OkStatus();
  }
  return absl::DataLossError(absl::StrCat(kEngineDir, "/", kEngineCurrent, " is missing beside ",
                                          tables, " tables of the engine"));
}

}  // namespace

absl::Status MakeEngineDir(base::Dir& dir) {
  SLIPWAY_RETURN_IF_ERROR(base::MakeDirs(dir, kEngineDir, kDirectoryMode));
  return dir.Sync();  // also where an earlier process made it and ended
}

absl::StatusOr<GroupStore> OpenGroupStore(const GroupPlace& place, GroupId group,
                                          const raft::Membership& members) {
  GroupStore store;
  if (!SLIPWAY_MUTANT("node-engine-begun-anew")) {
    SLIPWAY_RETURN_IF_ERROR(CheckEngineFiles(*place.dir));
  }
  SLIPWAY_ASSIGN_OR_RETURN(store.engine, place.engine->Open(kEngineDir));
  const base::Bytes encoded = raft::EncodeMembership(members);
  SLIPWAY_ASSIGN_OR_RETURN(
      store.machine, KvMachine::Open(*store.engine, group, std::string(base::AsText(encoded))));
  return store;
}

std::string EncodeInstallDetail(const InstallIntent& intent) {
  base::Bytes out(kDetailBytes);
  base::StoreLittle<uint32_t>(out.data(), intent.name.group);
  base::StoreLittle<uint64_t>(out.data() + 4, intent.name.term);
  base::StoreLittle<uint64_t>(out.data() + 12, intent.name.index);
  std::copy(intent.manifest.begin(), intent.manifest.end(), out.begin() + 20);
  return std::string(base::AsText(out));
}

absl::StatusOr<InstallIntent> DecodeInstallDetail(absl::string_view detail) {
  if (detail.size() != kDetailBytes) {
    return absl::DataLossError(absl::StrCat("intent of a snapshot in the log: ", detail.size(),
                                            " bytes instead of ", kDetailBytes));
  }
  const base::BytesView bytes = base::AsBytes(detail);
  InstallIntent intent;
  intent.name.group = base::LoadLittle<uint32_t>(bytes.data());
  intent.name.term = base::LoadLittle<uint64_t>(bytes.data() + 4);
  intent.name.index = base::LoadLittle<uint64_t>(bytes.data() + 12);
  std::copy(bytes.begin() + 20, bytes.end(), intent.manifest.begin());
  return intent;
}

}  // namespace slipway::eraft
