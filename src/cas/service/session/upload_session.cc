#include "cas/service/session/upload_session.h"

#include <utility>

#include "absl/strings/str_cat.h"
#include "base/check.h"
#include "base/status.h"
#include "cas/errors.h"
#include "cas/service/session/answer.h"

namespace slipway::cas {
namespace {

constexpr char kOperation[] = "store blob";

absl::Status FirstMustBeMetadata() {
  return absl::FailedPreconditionError("first message must be metadata");
}

// A whole blob is all that can be sent; a start would resume an upload, of which none is held.
absl::Status CheckUploadRange(const WireResource& metadata, const Digest& digest) {
  if (!metadata.has_range) return absl::OkStatus();
  SLIPWAY_ASSIGN_OR_RETURN(const BlobRange range, RangeOf(metadata));
  if (range.start != 0) {
    return absl::FailedPreconditionError(absl::StrCat(
        "store blob ", digest.ToString(), ": nothing of it is held, so it cannot go on at byte ",
        range.start, "; begin at 0"));
  }
  if (range.length.has_value() && *range.length != digest.size_bytes) {
    return absl::InvalidArgumentError(absl::StrCat("store blob ", digest.ToString(),
                                                   ": the range has ", *range.length,
                                                   " bytes; send the whole blob"));
  }
  return absl::OkStatus();
}

}  // namespace

absl::Status UploadSession::Begin(const WireResource& metadata) {
  SLIPWAY_ASSIGN_OR_RETURN(digest_, DigestOf(metadata));
  SLIPWAY_RETURN_IF_ERROR(CheckUploadRange(metadata, *digest_));
  base::Owned<BlobWriter> writer = store_.Store(*digest_);
  if (!writer.ok()) return AnswerOf(writer.status(), kOperation);
  writer_ = *std::move(writer);
  return absl::OkStatus();
}

absl::Status UploadSession::OnMessage(const UploadMessage& message) {
  const bool is_metadata = message.kind == UploadMessage::Kind::kMetadata;
  if (!digest_.has_value()) {
    return is_metadata ? Begin(message.metadata) : FirstMustBeMetadata();
  }
  SLIPWAY_CHECK(writer_ != nullptr);  // an error ended the session
  if (message.kind != UploadMessage::Kind::kChunk) {
    return absl::InvalidArgumentError(
        absl::StrCat("store blob ", digest_->ToString(), ": ",
                     is_metadata ? "metadata came again" : "a message holds nothing",
                     "; every message but the first must be a chunk"));
  }
  for (const base::BytesView& piece : message.chunk) {
    received_bytes_ += piece.size();
    SLIPWAY_RETURN_IF_ERROR(AnswerOf(writer_->Append(piece), kOperation));
  }
  return absl::OkStatus();
}

absl::StatusOr<uint64_t> UploadSession::OnEnd() {
  if (!digest_.has_value()) return FirstMustBeMetadata();
  SLIPWAY_CHECK(writer_ != nullptr);
  const absl::Status committed = writer_->Commit();
  writer_.reset();
  if (!committed.ok()) return AnswerOf(committed, kOperation);
  return digest_->size_bytes;
}

}  // namespace slipway::cas
