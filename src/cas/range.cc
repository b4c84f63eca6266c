#include "cas/range.h"

#include <limits>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "base/status.h"
#include "cas/errors.h"

namespace slipway::cas {

absl::Status CheckRange(const BlobRange& range) {
  if (!range.length) return absl::OkStatus();
  if (*range.length == 0) {
    return absl::InvalidArgumentError(absl::StrCat(
        "range from ", range.start, ": its length is 0; leave the length out to read to the end"));
  }
  if (range.start > std::numeric_limits<uint64_t>::max() - *range.length) {
    return absl::InvalidArgumentError(absl::StrCat(
        "range from ", range.start, " of ", *range.length, " bytes: its end is over 64 bits"));
  }
  return absl::OkStatus();
}

absl::StatusOr<Extent> Resolve(const BlobRange& range, const Digest& digest) {
  SLIPWAY_RETURN_IF_ERROR(CheckRange(range));
  const uint64_t size = digest.size_bytes;
  if (size == 0 && range.start == 0 && !range.length) return Extent{};
  const uint64_t left = range.start < size ? size - range.start : 0;
  if (left == 0 || range.length.value_or(0) > left) return OutOfRangeError(digest, range);
  return Extent{range.start, range.length.value_or(left)};
}

}  // namespace slipway::cas
