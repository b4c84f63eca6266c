// How a group takes a member in again that lost its data and shows up under its old id with others
// (E123, E165, E416): its vote goes, it comes back as a learner with an empty log, and votes again
// when it has caught up. What the group has decided stands in its log, so that every leader goes on
// where the last one stopped, and every member knows whose data count. Pure. Thread-safe: free
// functions and plain values.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>

#include "absl/strings/string_view.h"
#include "absl/time/time.h"
#include "absl/types/span.h"
#include "raft/raft.h"
#include "raft/types.h"

namespace slipway::eraft {

// What the log says about one member, under ReadmissionKey in the system's shard.
struct Readmission {
  // kRemove: the vote of its lost data is to go. kAdmit: it is gone, the member with `incarnation`
  // is taken in. kDone: it was; until it is removed, its data are those of `incarnation`.
  enum class Stage : uint8_t { kRemove, kAdmit, kDone };
  Stage stage = Stage::kRemove;
  uint64_t incarnation = 0;
  bool voter = true;      // what it was, and is to be again
  uint32_t times = 1;     // it lost its data, lately
  uint64_t began_ms = 0;  // by the wall clock of who led then
  friend bool operator==(const Readmission&, const Readmission&) = default;
};
using Readmissions = std::map<raft::NodeId, Readmission>;

// "member/7/data"; and back, kNoNode for anything else. Such keys lie among those of addresses, and
// are not taken for one.
std::string ReadmissionKey(raft::NodeId id);
raft::NodeId ReadmissionOfKey(absl::string_view key);
// "admit 0123456789abcdef voter 1 1700000000000".
std::string EncodeReadmission(const Readmission& readmission);
// Nothing: of another version, or nonsense.
std::optional<Readmission> DecodeReadmission(absl::string_view text);

// Whose data the group has decided on: what any member remembers else counts no more. Not those
// whose vote is still to go: until then nobody listens to their new data.
std::map<raft::NodeId, uint64_t> AdmittedData(const Readmissions& readmissions);

// A peer that greets with other data than those that this node knows of it. Times are monotonic.
struct OtherData {
  raft::NodeId id = raft::kNoNode;
  uint64_t incarnation = 0;
  absl::Duration since, last;  // refused with these data
};

struct ReadmissionView {
  const raft::Status& raft;
  raft::NodeId self = raft::kNoNode;
  const Readmissions& readmissions;  // as applied here
  // `readmissions` has all that earlier leaders wrote: this one has committed an entry of its own
  // term, and applied up to there. Before, it may see what is long over.
  bool current = false;
  absl::Span<const OtherData> others;
  absl::Duration now;      // monotonic
  absl::Duration led_for;  // this node, in this term
  absl::Duration election_timeout;
  uint64_t wall_ms = 0;
};

struct ReadmissionStep {
  // kWrite: `readmission` becomes what the log says of `id`; kErase: nothing is; kPropose: the
  // members become `target`.
  enum class Kind : uint8_t { kNone, kWrite, kErase, kPropose };
  Kind kind = Kind::kNone;
  raft::NodeId id = raft::kNoNode;
  Readmission readmission;
  raft::Membership target;
  std::string waits_for;  // of kNone, where a member waits: constant for as long as it does
};

// What the leader does next, one member at a time. To be asked again when that is done or failed;
// any number of times: what is done already is not asked for again. Never takes a vote where a
// majority of the other voters is not heard from, and waits longer each time that a member loses
// its data again.
ReadmissionStep NextReadmission(const ReadmissionView& view);

}  // namespace slipway::eraft
