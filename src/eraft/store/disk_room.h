// Room on the disk beneath an engine (E167). The engines' libraries take a write that finds no room
// for their end, so their files do not show them one: who writes such a file waits here until there
// is room again. Entries are not handed to an engine meanwhile: Admit refuses them, and the log
// keeps them.
//
// Thread-safe.
#pragma once

#include <atomic>
#include <cstdint>
#include <functional>
#include <utility>

#include "absl/base/thread_annotations.h"
#include "absl/status/status.h"
#include "base/sync/mutex.h"

namespace slipway::eraft {

// What is free on the disk, in bytes; blocks. Null: not known, and each write is tried.
using FreeBytes = std::function<uint64_t()>;

class DiskRoom {
 public:
  explicit DiskRoom(FreeBytes free_bytes) : free_bytes_(std::move(free_bytes)) {}

  // ResourceExhausted: nothing new is to be written before there is more room; cheap.
  absl::Status Admit() const;
  // Whether so much may be tried.
  bool Has(uint64_t bytes) const;
  // Work that can be put off leaves this much to work that cannot.
  bool HasPlenty() const;
  // After a write that found no room: a moment later, to be tried again. False: it is to be given
  // up, for nobody waits any more, or this thread does not.
  bool Await();
  // From now on nobody waits.
  void Abandon();

  // While one of these lives its thread waits for no room.
  class Impatient {
   public:
    Impatient();
    ~Impatient();
    Impatient(const Impatient&) = delete;
    Impatient& operator=(const Impatient&) = delete;
  };

 private:
  const FreeBytes free_bytes_;
  std::atomic<int> waiting_{0};
  base::Mutex mutex_;
  base::CondVar changed_;
  bool abandoned_ ABSL_GUARDED_BY(mutex_) = false;
};

}  // namespace slipway::eraft
