#include "eraft/store/disk_room.h"

#include "absl/time/time.h"
#include "base/units.h"

namespace slipway::eraft {
namespace {

// With less free nothing new is begun; what can be put off leaves more.
constexpr uint64_t kLeastBytes = 1 * base::kMiB;
constexpr uint64_t kPlentyBytes = 8 * base::kMiB;
constexpr absl::Duration kLookEvery = absl::Milliseconds(100);

thread_local int impatient = 0;

}  // namespace

DiskRoom::Impatient::Impatient() { ++impatient; }
DiskRoom::Impatient::~Impatient() { --impatient; }

bool DiskRoom::Has(uint64_t bytes) const { return !free_bytes_ || free_bytes_() >= bytes; }

bool DiskRoom::HasPlenty() const { return Has(kPlentyBytes); }

absl::Status DiskRoom::Admit() const {
  if (waiting_ == 0 && Has(kLeastBytes)) return absl::OkStatus();
  return absl::ResourceExhaustedError("write to the engine: there is no room on its disk");
}

bool DiskRoom::Await() {
  base::MutexLock lock(mutex_);
  if (abandoned_ || impatient > 0) return false;
  ++waiting_;
  changed_.WaitFor(mutex_, kLookEvery);
  --waiting_;
  return !abandoned_;
}

void DiskRoom::Abandon() {
  base::MutexLock lock(mutex_);
  abandoned_ = true;
  changed_.NotifyAll();
}

}  // namespace slipway::eraft
