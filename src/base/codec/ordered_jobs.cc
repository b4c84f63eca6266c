#include "base/codec/ordered_jobs.h"

namespace slipway::base::codec {

std::unique_ptr<Slot> OrderedJobs::Take() {
  if (free_.empty()) return std::make_unique<Slot>();
  std::unique_ptr<Slot> slot = std::move(free_.back());
  free_.pop_back();
  return slot;
}

void OrderedJobs::Run(std::unique_ptr<Slot> slot, Work work) {
  Slot* const borrowed = slot.get();  // running_ keeps it until it is done
  running_.push_back(std::move(slot));
  group_.Run([this, borrowed, work = std::move(work)]() mutable {
    if (dropped_.load(std::memory_order_relaxed)) return;
    borrowed->status = work(*borrowed);
    borrowed->done.store(true, std::memory_order_release);
  });
}

Slot& OrderedJobs::Front() {
  Slot& front = *running_.front();
  for (size_t unfinished = running_.size(); !FrontDone() && unfinished > 0;) {
    group_.WaitUntil(--unfinished);
  }
  if (!FrontDone()) front.status = absl::CancelledError("the pool dropped a job");
  return front;
}

void OrderedJobs::PopFront() {
  std::unique_ptr<Slot> slot = std::move(running_.front());
  running_.pop_front();
  slot->input_bytes = 0;
  slot->input_used = 0;
  slot->output_bytes = 0;
  slot->ended = false;
  slot->status = absl::OkStatus();
  slot->done.store(false, std::memory_order_relaxed);
  free_.push_back(std::move(slot));
}

}  // namespace slipway::base::codec
