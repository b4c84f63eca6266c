// Commands of eraftctl, added to its program. Thread-compatible.
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "absl/time/time.h"
#include "base/cli/doctor.h"
#include "base/cli/program.h"
#include "eraft/cli/connection_flags.h"
#include "eraft/client/admin_client.h"

namespace slipway::eraft::cli {

// wal dump, wal verify, wal stat (E116): a node's log, offline and read-only.
void AddWalCommands(base::cli::Program& program);

using OpenAdmin = std::function<base::Owned<client::AdminClient>(client::ConnectOptions,
                                                                 base::World&, base::CancelToken)>;

// What the commands over the network share; lives as long as the program.
struct AdminContext {
  OpenAdmin open;
  // Lets time pass; Cancelled: the person wants no more.
  std::function<absl::Status(absl::Duration, const base::CancelToken&)> pause;
  ConnectionFlags connection;

  // The client for one command, and the addresses it asks. Wrong options: exit 2.
  base::Owned<client::AdminClient> Connect(base::cli::Invocation& in) const;
  // How long a question to one node may take.
  absl::Duration each() const;
};

// health, status, alarms, set, drain, transfer, snapshot take.
void AddClusterCommands(base::cli::Program& program, const std::shared_ptr<AdminContext>& context);
// member list, add, remove, promote, replace (E169).
void AddMemberCommands(base::cli::Program& program, const std::shared_ptr<AdminContext>& context);
// doctor (E35).
void AddDoctorCommand(base::cli::Program& program, const std::shared_ptr<AdminContext>& context);

// backup, backup verify, restore (E193, E194), unsafe-recover (E170).
void AddBackupCommands(base::cli::Program& program, const std::shared_ptr<AdminContext>& context,
                       const std::string& version);
// drill: whether a backup can be restored, and in what time (E194).
void AddDrillCommand(base::cli::Program& program, const std::shared_ptr<AdminContext>& context);

// ---- What they are made of ----

using Infos = std::vector<client::FromNode<client::NodeInfo>>;
using Groups = std::vector<client::FromNode<std::vector<client::GroupInfo>>>;
using AlarmLists = std::vector<client::FromNode<std::vector<std::string>>>;

// The group as its leader tells it; else as somebody does who knows less. Unavailable: nobody
// answers, with the first error.
absl::StatusOr<client::GroupInfo> GroupOf(const Groups& groups);
absl::string_view RoleText(client::MemberRole role);
base::Json ToJson(const client::GroupInfo& group);
base::Json ToJson(const std::vector<client::MemberInfo>& members);

// What is wrong with a cluster, from what its nodes say. `now`: here. `before`: of the groups a
// moment earlier.
void Examine(const Infos& infos, const Groups& before, const Groups& groups,
             const AlarmLists& alarms, absl::Time now, base::cli::Doctor& doctor);

}  // namespace slipway::eraft::cli
