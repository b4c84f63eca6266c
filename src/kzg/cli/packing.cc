#include "kzg/cli/packing.h"

#include <algorithm>

#include "absl/strings/str_cat.h"
#include "base/status.h"
#include "kzg/scheme/errors.h"

namespace slipway::kzg::cli {

base::Bytes PackChunk(base::BytesView file, size_t index) {
  base::Bytes blob(kBytesPerBlob);
  const base::BytesView chunk = file.subspan(index * kBytesPerChunk, kBytesPerChunk);
  for (size_t at = 0, element = 0; at < chunk.size(); at += kBytesPerPiece, ++element) {
    const size_t count = std::min(kBytesPerPiece, chunk.size() - at);
    std::copy_n(chunk.data() + at, count, blob.data() + element * kBytesPerFieldElement + 1);
  }
  return blob;
}

absl::Status UnpackChunk(base::BytesView blob, size_t index, uint64_t file_bytes,
                         base::Bytes& file) {
  SLIPWAY_RETURN_IF_ERROR(CheckBlobLength(blob, {"blob", index}));
  for (size_t element = 0; element < kFieldElementsPerBlob; ++element) {
    const base::BytesView piece = blob.subspan(element * kBytesPerFieldElement, 32);
    const auto count =
        static_cast<size_t>(std::min<uint64_t>(kBytesPerPiece, file_bytes - file.size()));
    const auto zero = [](uint8_t byte) { return byte == 0; };
    if (piece[0] != 0 || !std::all_of(piece.begin() + 1 + count, piece.end(), zero)) {
      return absl::InvalidArgumentError(
          absl::StrCat("decode: blob ", index, ": element ", element,
                       " is not one that `kzg encode` makes of a file of ", file_bytes, " bytes"));
    }
    file.insert(file.end(), piece.begin() + 1, piece.begin() + 1 + count);
  }
  return absl::OkStatus();
}

}  // namespace slipway::kzg::cli
