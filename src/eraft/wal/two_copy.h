// A small file kept twice (E163): NAME and NAME.2, written in turn, each with a generation and a
// CRC, so that no crash and no single damaged file loses what it holds. Format:
// docs/formats/eraft-wal.md. Thread-compatible; calls block.
#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "base/bytes.h"
#include "base/files.h"

namespace slipway::eraft::wal {

inline constexpr absl::string_view kTwoCopyMagic = "ERTWO001";
inline constexpr uint64_t kTwoCopyHeaderBytes = 24;

struct TwoCopyContents {
  uint64_t generation = 0;
  base::Bytes payload;
};
base::Bytes EncodeTwoCopy(const TwoCopyContents& contents);
// DataLoss for anything EncodeTwoCopy did not write; bytes behind its end are ignored (an earlier,
// longer generation). FailedPrecondition for another version.
absl::StatusOr<TwoCopyContents> DecodeTwoCopy(base::BytesView bytes);

// What both copies hold now.
struct TwoCopyState {
  std::optional<TwoCopyContents> newest;
  int newest_copy = 0;  // 0: NAME, 1: NAME.2
  int damaged = 0;      // copies that are there and cannot be read
};
// Reads only. An error is one of reading; no copy at all, or none that can be read, is in the
// state.
absl::StatusOr<TwoCopyState> ReadTwoCopy(base::Dir& dir, absl::string_view name);

class TwoCopyFile {
 public:
  // What `dir` holds under `name`, made durable once more: it may have been read from a cache that
  // an earlier failed sync left. NotFound: there is none yet, and Write makes the first. DataLoss:
  // there is one, and no copy of it can be read.
  static absl::StatusOr<TwoCopyFile> Open(base::Dir& dir, absl::string_view name);
  // For a name of which there is nothing yet: both copies with this payload. AlreadyExists.
  static absl::StatusOr<TwoCopyFile> Create(base::Dir& dir, absl::string_view name,
                                            base::BytesView payload);

  // After OK the payload survives power loss; after an error either this or the one before does,
  // and the file takes no further one. InvalidArgument above kTwoCopyBytesMax.
  absl::Status Write(base::BytesView payload);

  const base::Bytes& payload() const { return payload_; }
  uint64_t generation() const { return generation_; }
  int damaged_copies() const { return damaged_; }

 private:
  TwoCopyFile(base::Dir& dir, absl::string_view name) : dir_(&dir), name_(name) {}
  base::Dir* dir_;
  std::string name_;
  base::Bytes payload_;
  uint64_t generation_ = 0;
  int next_copy_ = 0;
  int damaged_ = 0;
  bool named_[2] = {false, false};  // the copy's name is durable
  absl::Status failed_;
};

}  // namespace slipway::eraft::wal
