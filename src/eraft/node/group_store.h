// What a group has open on its disk, and how an install is told to the log. Free functions block.
#pragma once

#include <memory>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "base/files.h"
#include "eraft/node/node.h"
#include "eraft/store/engine.h"
#include "eraft/store/install.h"
#include "eraft/store/kv_machine.h"

namespace slipway::eraft {

// Shared with the jobs that use it.
struct GroupStore {
  std::shared_ptr<Engine> engine;
  std::shared_ptr<KvMachine> machine;
};

// Makes kv/ where it is not, for nobody else to look into; its name is durable.
absl::Status MakeEngineDir(base::Dir& dir);

// What says which files are the engine's; without it they are none.
inline constexpr char kEngineCurrent[] = "CURRENT";

// `members`: of a group without any state. DataLoss also where kv/ holds tables and no CURRENT: the
// engine would begin anew on top of them.
absl::StatusOr<GroupStore> OpenGroupStore(const GroupPlace& place, GroupId group,
                                          const raft::Membership& members);

// The log has the records of an install before and after, by a road of its own.
class NoJournal : public InstallJournal {
 public:
  absl::Status Begin(const InstallIntent& /*intent*/) override { return absl::OkStatus(); }
  absl::Status End(const InstallIntent& /*intent*/) override { return absl::OkStatus(); }
};

// The detail of the log's snapshot intent: group u32, term u64, index u64, SHA-256 of MANIFEST, all
// little-endian. DataLoss for anything else.
std::string EncodeInstallDetail(const InstallIntent& intent);
absl::StatusOr<InstallIntent> DecodeInstallDetail(absl::string_view detail);

}  // namespace slipway::eraft
