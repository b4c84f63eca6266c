// The ballast of a data directory (E167): the file `reserve`, whose bytes are given up when the
// disk is full, so that the node can finish what it has accepted, and taken again when there is
// room. Thread-compatible; calls block.
#pragma once

#include <cstdint>

#include "absl/status/status.h"
#include "base/files.h"

namespace slipway::eraft {

inline constexpr char kReserveName[] = "reserve";
inline constexpr uint64_t kReserveBytes = uint64_t{64} << 20;

// How many bytes the reserve of a disk of that size has: 64 MiB, of a small disk a 32nd.
uint64_t ReserveBytesOf(const base::Space& space);

// What is enough for a node to take writes again: the less of 256 MiB and 5 %.
uint64_t EnoughBytesOf(const base::Space& space);

class Reserve {
 public:
  explicit Reserve(base::Dir& dir) : dir_(dir) {}

  // At start and then again and again: gives it up when less than an eighth of it is free or
  // `log_waits` for room, and makes it when enough is free beside it. An error is of the disk; what
  // stands is told by the members below.
  absl::Status Look(const base::Space& space, bool log_waits);

  uint64_t held_bytes() const { return held_; }
  // Given up and not made anew: so much of what is free is not for writes of clients.
  uint64_t owed_bytes() const { return owed_; }

 private:
  absl::Status Find(uint64_t bytes);
  absl::Status GiveUp();
  absl::Status Make(uint64_t bytes);

  base::Dir& dir_;
  bool found_ = false;  // Find has looked
  uint64_t held_ = 0;
  uint64_t owed_ = 0;
};

}  // namespace slipway::eraft
