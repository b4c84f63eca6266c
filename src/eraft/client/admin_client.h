// The administration of nodes and their group (slipway.eraft.admin.v1). Thread-safe; calls block.
// No gRPC here.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "base/status.h"
#include "base/sync/cancel.h"
#include "base/world.h"
#include "eraft/client/connect_options.h"

namespace slipway::eraft::client {

struct PeerInfo {
  uint64_t node = 0;
  std::string address;
  bool reachable = false;
  absl::Duration rtt;
  absl::Duration clock_difference;
  uint32_t feature_level = 0;
  std::string error;  // why it is not reachable
};

struct NodeInfo {
  std::string version, commit;
  std::string cluster;  // hex
  uint64_t node = 0;
  uint64_t incarnation = 0;
  uint32_t feature_level = 0;
  std::string address, engine, directory;
  absl::Duration uptime;
  absl::Time wall;
  uint64_t disk_free_bytes = 0;
  absl::Duration sync;                       // of a small file, made for this answer
  std::optional<absl::Time> cert_not_after;  // nothing: no TLS
  std::vector<PeerInfo> peers;
  std::vector<std::string> options;    // "name=value"
  std::string phase;                   // starting, serving or draining; empty: an older node
  std::vector<std::string> not_ready;  // "part: why"
  absl::Duration asked_for;            // from question to answer
  absl::Time heard;                    // when the answer came, by this machine's clock
};

enum class MemberRole : uint8_t { kVoter, kLearner, kLeaving };

struct MemberInfo {
  uint64_t node = 0;
  std::string address;
  MemberRole role = MemberRole::kVoter;
  uint64_t match = 0;   // known to the leader only
  bool active = false;  // the leader hears from it
};

struct GroupInfo {
  uint64_t id = 0;
  std::string role;  // Leader, Follower, Candidate, PreCandidate
  uint64_t leader = 0, term = 0;
  uint64_t commit = 0, applied = 0, first = 0, last = 0, snapshot = 0;  // indices
  uint64_t keys = 0, bytes = 0, sessions = 0, storage_bytes = 0;
  std::vector<MemberInfo> members;
  bool installing = false;
};

// What all nodes answered, in the order of the addresses.
template <class T>
struct FromNode {
  std::string address;
  absl::StatusOr<T> answer = absl::UnknownError("not asked");
};

struct MembershipChange {
  uint64_t expected_term = 0;
  std::vector<MemberInfo> add;  // node, address, role: voter or learner
  std::vector<uint64_t> remove;
  bool force = false;
};

// What a backup is of (E193).
struct BackupInfo {
  std::string cluster;  // its 16 bytes
  uint64_t node = 0, group = 0, term = 0, index = 0;
  std::string engine;
  std::vector<MemberInfo> members;
};
// A part of one of its files.
struct BackupPiece {
  std::string file;
  uint64_t offset = 0;
  std::string data;
  uint32_t crc32c = 0;
  bool last = false;       // of this file
  std::string sha256;      // of the whole file, 32 bytes; with `last`
  bool unchanged = false;  // it was named as known: there is no data
};
// Takes them as they come, in order; the first error ends the call.
class BackupSink {
 public:
  virtual ~BackupSink() = default;
  virtual absl::Status OnInfo(const BackupInfo& info) = 0;
  virtual absl::Status OnPiece(BackupPiece piece) = 0;
};

// A write answers with the server's error: Aborted (another change came first), FailedPrecondition,
// PermissionDenied, …; Unavailable, DeadlineExceeded.
class AdminClient {
 public:
  // Errors of Connect. `world` outlives it.
  static base::Owned<AdminClient> Open(ConnectOptions options, base::World& world,
                                       base::CancelToken cancel = {});
  virtual ~AdminClient() = default;

  // All nodes at once; whoever has not answered within `each` is told so.
  virtual std::vector<FromNode<NodeInfo>> Infos(absl::Duration each) = 0;
  virtual std::vector<FromNode<std::vector<GroupInfo>>> Groups(absl::Duration each) = 0;
  virtual std::vector<FromNode<std::vector<std::string>>> Alarms(absl::Duration each) = 0;
  // OK: the node serves; FailedPrecondition: it says that it does not.
  virtual std::vector<FromNode<bool>> Health(absl::Duration each) = 0;

  // To the leader, which is looked for.
  virtual absl::StatusOr<uint64_t> TransferLeader(uint64_t to, uint64_t expected_term,
                                                  absl::Duration timeout) = 0;
  virtual absl::StatusOr<std::vector<MemberInfo>> ChangeMembership(const MembershipChange& change,
                                                                   absl::Duration timeout) = 0;
  // To one node.
  virtual absl::Status Drain(const std::string& address, absl::Duration timeout) = 0;
  virtual absl::StatusOr<uint64_t> Snapshot(const std::string& address, absl::Duration timeout) = 0;
  // The value before.
  virtual absl::StatusOr<std::string> SetOption(const std::string& address, const std::string& name,
                                                const std::string& value,
                                                absl::Duration timeout) = 0;
  // All that was acknowledged before the call, without the files whose SHA-256 are `known`; sent at
  // `rate` bytes a second, 0: as fast as it goes. Errors of the sink, and of the server.
  virtual absl::Status Backup(const std::string& address, uint64_t rate,
                              const std::vector<std::string>& known, BackupSink& sink) = 0;
};

}  // namespace slipway::eraft::client
