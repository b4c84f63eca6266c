#include "base/sim/machine.h"

#include <utility>

#include "absl/strings/str_cat.h"

namespace slipway::base::sim {

void MachineState::ClearFaults() {
  power_loss_at = 0;
  fail_at = 0;
  fail_status = absl::OkStatus();
  fail_sticky = false;
  misdirect_at = 0;
}

void MachineState::Reboot(Loss loss, uint64_t attempt) {
  Stream choices(Mix(Mix(seed, epoch), static_cast<uint64_t>(operations), attempt));
  kernel.disk.PowerLoss(loss, choices);
  kernel.UnlockAll();
  ++epoch;
  off = false;
  operations = 0;
  trace.clear();
  ClearFaults();
}

Machine::Machine(const Machine& other) {
  const MutexLock lock(other.mutex_);
  state_ = other.state_;
  state_.kernel.UnlockAll();
  state_.kernel.disk.DropAllHandles();
}

absl::Status Machine::CheckOn(uint64_t epoch) const {
  if (state_.off) return absl::UnavailableError("the simulated machine is off");
  if (epoch != state_.epoch) return absl::UnavailableError("opened before the machine rebooted");
  return absl::OkStatus();
}

Stream Machine::Choices() const {
  return Stream(Mix(state_.seed, state_.epoch, static_cast<uint64_t>(state_.operations)));
}

Machine::Verdict Machine::Count(CallKind kind, Describe describe) {
  if (kind != CallKind::kRead) state_.own_time += absl::Milliseconds(1);
  state_.kernel.now = state_.clock != nullptr ? state_.clock->Wall() : state_.own_time;
  if (kind == CallKind::kRead && !state_.count_reads) return Verdict::kGo;
  const int number = ++state_.operations;
  if (state_.keep_trace) state_.trace.push_back(describe(state_.kernel));
  const auto note = [this](absl::string_view what) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_) {
    if (state_.keep_trace) absl::StrAppend(&state_.trace.back(), what);
  };
  if (number == state_.power_loss_at) {
    note(" (power lost)");
    ++state_.counts.power_lost;
    state_.off = true;
    return Verdict::kPowerLoss;
  }
  if (number == state_.misdirect_at) return Verdict::kMisdirect;
  const bool full = absl::IsResourceExhausted(state_.fail_status);
  const bool sticks = state_.fail_sticky && state_.fail_at != 0 && number > state_.fail_at &&
                      !(full && (kind == CallKind::kFree || kind == CallKind::kSync));
  if (number != state_.fail_at && !sticks) return Verdict::kGo;
  note(" (failed)");
  ++(full ? state_.counts.full : state_.counts.failed);
  if (kind == CallKind::kSync) ++state_.counts.syncs_failed;
  return Verdict::kFail;
}

absl::Status Machine::Failure(Verdict verdict) const {
  if (verdict == Verdict::kFail) return state_.fail_status;
  return absl::UnavailableError("the simulated machine lost its power");
}

absl::Status Machine::NoteFull(absl::Status status) {
  if (absl::IsResourceExhausted(status)) ++state_.counts.full;
  return status;
}

absl::Status Machine::Call(uint64_t epoch, CallKind kind, Describe describe, Body body) {
  const MutexLock lock(mutex_);
  SLIPWAY_RETURN_IF_ERROR(CheckOn(epoch));
  const Verdict verdict = Count(kind, describe);
  if (verdict == Verdict::kGo || verdict == Verdict::kMisdirect) {
    return NoteFull(body(state_.kernel));
  }
  // It may have happened just before the power went; nobody was told.
  if (verdict == Verdict::kPowerLoss && kind != CallKind::kRead && Choices().Chance(50)) {
    body(state_.kernel).IgnoreError();
  }
  return Failure(verdict);
}

absl::Status Machine::Write(uint64_t epoch, Describe describe, Body body, Faulted partly,
                            Faulted elsewhere) {
  const MutexLock lock(mutex_);
  SLIPWAY_RETURN_IF_ERROR(CheckOn(epoch));
  const Verdict verdict = Count(CallKind::kChange, describe);
  if (verdict == Verdict::kGo) return NoteFull(body(state_.kernel));
  Stream choices = Choices();
  if (verdict == Verdict::kMisdirect) {
    SLIPWAY_RETURN_IF_ERROR(body(state_.kernel));
    elsewhere(state_.kernel, choices);
    ++state_.counts.misdirected;
    return absl::OkStatus();
  }
  partly(state_.kernel, choices);
  ++state_.counts.cut_short;
  return Failure(verdict);
}

absl::Status Machine::Sync(uint64_t epoch, Lie lies, Describe describe, Body body, Body doom) {
  const MutexLock lock(mutex_);
  SLIPWAY_RETURN_IF_ERROR(CheckOn(epoch));
  const Verdict verdict = Count(CallKind::kSync, describe);
  const bool lying = state_.lie == Lie::kEverySync || state_.lie == lies;
  if (verdict == Verdict::kGo || verdict == Verdict::kMisdirect) {
    return lying ? absl::OkStatus() : body(state_.kernel);
  }
  if (verdict == Verdict::kFail) {
    SLIPWAY_RETURN_IF_ERROR(doom(state_.kernel));
  } else if (!lying && Choices().Chance(50)) {
    body(state_.kernel).IgnoreError();
  }
  return Failure(verdict);
}

uint64_t EpochOf(const Machine& machine) {
  return machine.Inspect([](const MachineState& state) { return state.epoch; });
}

}  // namespace slipway::base::sim
