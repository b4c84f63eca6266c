// What goes wrong in a run, and when: drawn from the seed before it begins, so that a shorter list
// of the same faults can be tried (E201, E202, E206). One thread.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/time/time.h"

namespace slipway::eraft::simulation {

enum class Profile : uint8_t {
  kCalm,
  kNetwork,
  kCrash,
  kDisk,
  kClock,
  kMembership,
  kCorruption,
  kLeaders,
  kPower,
  kMixed,
};
inline constexpr int kProfiles = 10;
absl::string_view ProfileName(Profile profile);
absl::StatusOr<Profile> ParseProfile(absl::string_view name);  // InvalidArgument lists them
// Whether runs of this profile are what they were when seeds.tsv was begun. What is added to runs
// is not for those, so that the seeds that found something keep their meaning.
bool IsFrozen(Profile profile);

enum class FaultKind : uint8_t {
  kKill,         // the process; the machine lives
  kPowerLoss,    // between two operations
  kPowerLossAt,  // in the middle of the disk operation that many from now
  kPowerLossOfAll,
  kPowerLossAfterInstall,  // soon after a snapshot came in
  kPause,
  kSuspend,      // a pause in which nothing arrives either
  kIsolate,      // one from all others, both ways
  kDeafen,       // nothing reaches it
  kMute,         // nothing leaves it
  kLateAnswers,  // what comes to it takes long, and then nothing leaves it any more
  kSplit,        // two parts that do not hear each other
  kCutLink,      // between two nodes only
  kFlap,         // a link that comes and goes
  kBadWeather,   // loss, doubles, overtaking everywhere
  kSlowLink,
  kSlowDisk,
  kDiskError,  // EIO of the n-th operation
  kDiskFull,
  kClockRate,
  kClockJump,
  kBitFlip,
  kMisdirect,
  kMembers,
  kTransfer,
  kCampaign,
  kSnapshot,
  kBurst,
  kLonelyLeader,      // who leads is cut off while a crowd writes to it
  kPowerLossInBurst,  // in the middle of a disk operation while much is written
  kUproar,            // for a while each new leader falls soon after it comes
};
inline constexpr int kFaultKinds = 31;
absl::string_view FaultName(FaultKind kind);

struct Fault {
  FaultKind kind = FaultKind::kKill;
  absl::Duration at;  // after the start
  absl::Duration lasts;
  uint64_t node = 0;    // 0: who leads then
  uint64_t other = 0;   // a second node
  uint64_t choice = 0;  // everything else that is drawn
};
std::string Describe(const Fault& fault);

struct FaultPlanOptions {
  uint64_t seed = 0;
  Profile profile = Profile::kMixed;
  int nodes = 3;
  absl::Duration until;
  double clock_rate_spread = 0.1;
};
std::vector<Fault> PlanFaults(const FaultPlanOptions& options);

}  // namespace slipway::eraft::simulation
