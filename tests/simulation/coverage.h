// What happened in runs, counted: which faults took effect and what the cluster did under them. A
// profile that never tears a write or never moves a member proves nothing about either.
// Thread-compatible.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

#include "absl/strings/string_view.h"
#include "faults.h"

namespace slipway::eraft::simulation {

enum class Mark : uint8_t {
  // The network; frames.
  kFramesLost,
  kFramesCut,  // of these: a link was
  kFramesTwice,
  kFramesOvertaken,
  // Disks.
  kPowerLostInOperation,
  kWritesCutShort,
  kWritesLost,
  kWritesTorn,
  kNamesLost,
  kOperationsFailed,
  kSyncsFailed,
  kDiskFull,
  kWritesMisdirected,
  kBitsFlipped,
  // Processes.
  kRestarts,
  kStartsFailed,  // while the disk had a fault
  kEndedItself,   // a node that could go on no more
  kFenced,        // by its damaged disk
  // The group.
  kLeaders,
  kConflicts,  // entries sent for a place that another leader had filled
  kAppendsRefused,
  kOfficesHanded,
  kSnapshotsInstalled,
  kLogsCut,
  kMemberships,  // applied by somebody, each counted once
  kJointMemberships,
  kDigestsCompared,  // of two replicas that had applied the same
  // Clients.
  kRetries,
  kUnknownOutcomes,
  kCommandsRepeated,  // answered from the session
  kSessionsEvicted,
  kLeaseReads,  // asked for
  kOverloads,   // refused: too much under way
};
inline constexpr size_t kMarks = 33;
absl::string_view MarkName(Mark mark);

struct Coverage {
  std::array<uint64_t, kFaultKinds> faults{};  // that took effect
  std::array<uint64_t, kMarks> marks{};

  uint64_t& operator[](Mark mark) { return marks[static_cast<size_t>(mark)]; }
  uint64_t operator[](Mark mark) const { return marks[static_cast<size_t>(mark)]; }
  uint64_t& operator[](FaultKind kind) { return faults[static_cast<size_t>(kind)]; }
  uint64_t operator[](FaultKind kind) const { return faults[static_cast<size_t>(kind)]; }
  void Add(const Coverage& other);
};

// A table for people: a line for each fault and mark, a column for each profile and their sum.
// `runs` and `coverage` are of the profiles, in their order.
std::string CoverageTable(const std::vector<uint64_t>& runs, const std::vector<Coverage>& coverage);

}  // namespace slipway::eraft::simulation
