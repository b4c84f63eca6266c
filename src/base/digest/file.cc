#include "base/digest/file.h"

#include <algorithm>
#include <array>
#include <memory>

#include "absl/status/status.h"
#include "base/run_steps.h"

namespace slipway::base {
namespace {

// A window is read in pieces by several threads, then hashed by them. Both are powers of two, so
// that a window is a whole subtree.
constexpr size_t kPieceBytes = 1 * kMiB;
constexpr size_t kPieces = 8;
constexpr size_t kWindowBytes = kPieces * kPieceBytes;

// Reads from `offset` on; returns how much there was: less than out.size() only at the end.
absl::StatusOr<size_t> ReadWindow(File& file, uint64_t offset, absl::Span<uint8_t> out,
                                  Pool& pool) {
  if (out.size() <= kPieceBytes) return file.ReadAt(offset, out);
  std::array<absl::StatusOr<size_t>, kPieces> read;
  const size_t pieces = (out.size() + kPieceBytes - 1) / kPieceBytes;
  RunSteps(pool, pool.threads() + 1, pieces, [&](size_t i) {
    read[i] = file.ReadAt(offset + i * kPieceBytes, out.subspan(i * kPieceBytes, kPieceBytes));
  });
  size_t total = 0;
  for (size_t i = 0; i < pieces; ++i) {
    if (!read[i].ok()) return read[i].status();
    if (*read[i] > 0 && total != i * kPieceBytes) {
      return absl::AbortedError("hash file: it changed in size while it was read; try again");
    }
    total += *read[i];
  }
  return total;
}

}  // namespace

absl::StatusOr<Blake3Digest> Blake3OfFile(File& file, Pool& pool, bool drop_cache) {
  const absl::StatusOr<Meta> meta = file.Stat();
  if (!meta.ok()) return meta.status();
  const bool drop = drop_cache || meta->size_bytes > kKeepCachedFileBytesMax;
  // One byte more than the file has: a small file shows its end in the first read.
  const size_t window = static_cast<size_t>(std::min<uint64_t>(kWindowBytes, meta->size_bytes + 1));
  const auto buffer = std::make_unique_for_overwrite<uint8_t[]>(window);
  Blake3 hash;
  for (uint64_t offset = 0;;) {
    const absl::StatusOr<size_t> read =
        ReadWindow(file, offset, absl::MakeSpan(buffer.get(), window), pool);
    if (!read.ok()) return read.status();
    hash.UpdateParallel(BytesView(buffer.get(), *read), pool);
    if (drop) file.DropCache(offset, *read);
    offset += *read;
    if (*read < window) break;
  }
  return hash.Finish();
}

}  // namespace slipway::base
