#include "cas/service/session/download_session.h"

#include <utility>

#include "absl/strings/str_cat.h"
#include "base/check.h"
#include "base/status.h"
#include "cas/service/session/answer.h"

namespace slipway::cas {
namespace {

constexpr char kOperation[] = "read blob";

}  // namespace

absl::Status DownloadSession::Open(const std::optional<WireResource>& metadata) {
  if (!metadata.has_value()) {
    return absl::InvalidArgumentError("read request: metadata is missing");
  }
  SLIPWAY_ASSIGN_OR_RETURN(digest_, DigestOf(*metadata));
  SLIPWAY_ASSIGN_OR_RETURN(const BlobRange range, RangeOf(*metadata));
  base::Owned<BlobReader> reader = store_.Fetch(*digest_, range);
  if (!reader.ok()) return AnswerOf(reader.status(), kOperation);
  absl::StatusOr<Extent> extent = Resolve(range, *digest_);
  if (!extent.ok()) return AnswerOf(extent.status(), kOperation);
  reader_ = *std::move(reader);
  left_bytes_ = extent->size_bytes;
  return absl::OkStatus();
}

absl::StatusOr<size_t> DownloadSession::Next(absl::Span<uint8_t> out) {
  SLIPWAY_CHECK(reader_ != nullptr);
  if (left_bytes_ == 0) return size_t{0};
  absl::StatusOr<size_t> size = reader_->Read(out);
  if (!size.ok()) return AnswerOf(size.status(), kOperation);
  if (*size == 0 || *size > left_bytes_) {
    return AnswerOf(absl::DataLossError(absl::StrCat("read blob ", digest_->ToString(), ": ",
                                                     left_bytes_, " bytes are missing")),
                    kOperation);
  }
  left_bytes_ -= *size;
  sent_bytes_ += *size;
  return size;
}

}  // namespace slipway::cas
