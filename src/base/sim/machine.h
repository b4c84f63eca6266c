// Inside of base/sim: a kernel behind a lock, with counting and faults. Thread-safe.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/functional/function_ref.h"
#include "absl/status/status.h"
#include "base/clock.h"
#include "base/files.h"
#include "base/sim/files.h"
#include "base/sim/kernel.h"
#include "base/sim/random.h"
#include "base/sync/mutex.h"

namespace slipway::base::sim {

enum class CallKind : uint8_t { kRead, kChange, kFree, kSync };  // kFree: takes no space

struct MachineState {
  uint64_t seed = 0;
  Kernel kernel;
  uint64_t epoch = 1;  // boots
  bool off = false;
  int operations = 0;
  bool count_reads = false;
  int power_loss_at = 0;  // operation number; 0: none
  int fail_at = 0;
  absl::Status fail_status;
  bool fail_sticky = false;
  int misdirect_at = 0;
  bool keep_trace = true;
  Lie lie = Lie::kNone;
  std::vector<std::string> trace;
  base::Clock* clock = nullptr;
  absl::Time own_time = absl::FromUnixSeconds(1'700'000'000);
  uint64_t next_owner = 1;
  FaultCounts counts;

  void Reboot(Loss loss, uint64_t attempt);
  void ClearFaults();
};

class Machine {
 public:
  explicit Machine(uint64_t seed) { state_.seed = seed; }
  Machine(const Machine& other);

  using Body = absl::FunctionRef<absl::Status(Kernel&)>;
  using Describe = absl::FunctionRef<std::string(const Kernel&)>;
  // What is left of an operation that fails: `choices` says how much.
  using Faulted = absl::FunctionRef<void(Kernel&, Stream& choices)>;

  // Runs one call: `body`, or what the faults want in its place.
  absl::Status Call(uint64_t epoch, CallKind kind, Describe describe, Body body);
  // As Call, for a write: a fault leaves part of it, or sends it elsewhere.
  absl::Status Write(uint64_t epoch, Describe describe, Body body, Faulted partly,
                     Faulted elsewhere);
  // As Call, for a sync: an error dooms. `lies`: under which lie this one does nothing.
  absl::Status Sync(uint64_t epoch, Lie lies, Describe describe, Body body, Body doom);

  // Runs `body` on the state, without counts and faults.
  template <class F>
  auto Inspect(F body) const {
    const MutexLock lock(mutex_);
    return body(state_);
  }

 private:
  enum class Verdict : uint8_t { kGo, kPowerLoss, kFail, kMisdirect };
  absl::Status CheckOn(uint64_t epoch) const ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  Verdict Count(CallKind kind, Describe describe) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  absl::Status NoteFull(absl::Status status) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  absl::Status Failure(Verdict verdict) const ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  Stream Choices() const ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);

  mutable Mutex mutex_;
  mutable MachineState state_ ABSL_GUARDED_BY(mutex_);
};

// The current boot's number, for handles that are opened without one.
uint64_t EpochOf(const Machine& machine);

// A Dir on `inode`, which the caller holds one handle of (Disk::AddHandle).
std::unique_ptr<Dir> MakeDirHandle(std::shared_ptr<Machine> machine, uint64_t epoch, Inode inode);

}  // namespace slipway::base::sim
