#include "eraft/node/reserve.h"

#include <algorithm>
#include <memory>

#include "base/bytes.h"
#include "base/mutant.h"
#include "base/status.h"

namespace slipway::eraft {
namespace {

constexpr uint64_t kEnoughBytes = uint64_t{256} << 20;
constexpr uint64_t kEnoughDivisor = 20;   // 5 %
constexpr uint64_t kReserveDivisor = 32;  // of a small disk
constexpr uint64_t kLittleDivisor = 8;    // of the reserve: with less free the disk is full
constexpr uint64_t kFillBytes = 1 << 20;

base::Owned<base::File> OpenReserve(base::Dir& dir, bool create) {
  base::OpenOptions options;
  options.write = true;
  options.create = create;
  options.mode = 0600;
  return dir.Open(kReserveName, options);
}

}  // namespace

uint64_t ReserveBytesOf(const base::Space& space) {
  return std::min(kReserveBytes, space.total_bytes / kReserveDivisor);
}

uint64_t EnoughBytesOf(const base::Space& space) {
  return std::min(kEnoughBytes, space.total_bytes / kEnoughDivisor);
}

// What an earlier process has left: the whole file, an empty one where it was given up, or, after a
// crash while it was made, a part.
absl::Status Reserve::Find(uint64_t bytes) {
  const auto meta = dir_.Stat(kReserveName);
  if (meta.ok() && meta->size_bytes >= bytes) {
    held_ = meta->size_bytes;
  } else if (meta.ok()) {
    SLIPWAY_RETURN_IF_ERROR(GiveUp());
    owed_ = bytes;
  } else if (!absl::IsNotFound(meta.status())) {
    return meta.status();
  }
  found_ = true;
  return absl::OkStatus();
}

// It keeps its name, which takes no room and tells the next process that it is owed.
absl::Status Reserve::GiveUp() {
  SLIPWAY_ASSIGN_OR_RETURN(const auto file, OpenReserve(dir_, /*create=*/false));
  SLIPWAY_RETURN_IF_ERROR(file->Truncate(0));
  owed_ = std::max(owed_, held_);
  held_ = 0;
  return file->Sync();
}

// Zeros are written, not only promised: a file system that shares blocks or compresses may give
// less, but none gives back what it has not given.
absl::Status Reserve::Make(uint64_t bytes) {
  SLIPWAY_ASSIGN_OR_RETURN(const auto file, OpenReserve(dir_, /*create=*/true));
  const base::Bytes zeros(static_cast<size_t>(std::min(bytes, kFillBytes)));
  absl::Status status;
  for (uint64_t at = 0; at < bytes && status.ok(); at += zeros.size()) {
    const uint64_t size = std::min<uint64_t>(zeros.size(), bytes - at);
    status = file->WriteAt(at, base::BytesView(zeros).subspan(0, size));
  }
  if (status.ok()) status = file->Sync();
  if (!status.ok()) {
    file->Truncate(0).IgnoreError();
    return status;
  }
  held_ = bytes;
  owed_ = 0;
  return dir_.Sync();
}

absl::Status Reserve::Look(const base::Space& space, bool log_waits) {
  const uint64_t bytes = ReserveBytesOf(space);
  if (bytes == 0) return absl::OkStatus();
  if (!found_) SLIPWAY_RETURN_IF_ERROR(Find(bytes));
  const bool full = log_waits || space.free_bytes < bytes / kLittleDivisor;
  if (full && held_ > 0 && !SLIPWAY_MUTANT("reserve-never-given-up")) return GiveUp();
  const bool room = !log_waits && space.free_bytes >= bytes + EnoughBytesOf(space);
  return held_ == 0 && room ? Make(bytes) : absl::OkStatus();
}

}  // namespace slipway::eraft
