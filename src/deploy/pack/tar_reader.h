// Reads a tar stream from anyone: ustar, pax, GNU long names, binary numbers and sparse 1.0,
// nothing else. Trusts no field; what it hands out has passed D191 as far as one member alone can
// tell. Thread-compatible.
#pragma once

#include <array>
#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <string>

#include "absl/status/statusor.h"
#include "absl/types/span.h"
#include "base/bytes.h"
#include "base/codec/codec.h"
#include "deploy/pack/tar.h"

namespace slipway::deploy {

// A piece of a file's data: `size` bytes that belong at `offset` of the logical file; size 0: no
// more.
struct TarPiece {
  uint64_t offset = 0;
  size_t size = 0;
};

class TarReader {
 public:
  explicit TarReader(base::ByteSource& source);
  ~TarReader();
  TarReader(const TarReader&) = delete;
  TarReader& operator=(const TarReader&) = delete;

  // The next member, after skipping what is left of the one before; nullopt after an end-of-archive
  // mark that only zeros follow. An entry for the root itself ("./") is not handed out.
  // DT023: unsafe or unsupported, naming the member. DT007: damaged or cut off, with the offset.
  absl::StatusOr<std::optional<TarMember>> Next();

  // The next data of the member that Next gave, into the beginning of `out` (not empty).
  absl::StatusOr<TarPiece> Read(absl::Span<uint8_t> out);

  uint64_t offset_bytes() const { return offset_; }  // of the stream, consumed so far

 private:
  struct Pax;
  struct Header;

  absl::StatusOr<bool> ReadBlock();  // false: the stream ends here
  absl::Status Skip(uint64_t bytes);
  absl::StatusOr<size_t> Take(absl::Span<uint8_t> out);
  absl::Status TakeAll(absl::Span<uint8_t> out);
  absl::Status Damaged(absl::string_view reason) const;
  absl::Status CheckEnd();
  absl::StatusOr<std::string> ReadText(uint64_t bytes, uint64_t bytes_max, absl::string_view what);
  absl::Status ReadExtension(const Header& header, Pax& pax);
  absl::StatusOr<TarMember> BuildMember(const Header& header, Pax& pax);
  absl::Status ReadSparseMap(TarMember& member, uint64_t realsize);
  absl::StatusOr<uint64_t> ReadMapNumber(std::string& line_buffer);

  base::ByteSource& source_;
  base::Bytes buffer_;
  size_t begin_ = 0, end_ = 0;  // unread part of buffer_
  uint64_t offset_ = 0;
  std::array<uint8_t, kTarBlockBytes> block_{};
  std::optional<int64_t> global_mtime_ns_;

  uint64_t stored_left_ = 0;  // of the current member
  size_t padding_ = 0;
  TarRanges ranges_;  // what is left of it, in logical places
  size_t range_index_ = 0;
  uint64_t range_done_ = 0;
  bool finished_ = false;
};

}  // namespace slipway::deploy
