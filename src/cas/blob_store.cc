#include "cas/blob_store.h"

#include "absl/strings/str_cat.h"
#include "cas/errors.h"

namespace slipway::cas {

absl::Status PutBytes(BlobStore& store, const Digest& digest, base::BytesView data) {
  base::Owned<BlobWriter> writer = store.Store(digest);
  if (absl::IsAlreadyExists(writer.status())) return absl::OkStatus();
  SLIPWAY_RETURN_IF_ERROR(writer.status());
  SLIPWAY_RETURN_IF_ERROR((*writer)->Append(data));
  return (*writer)->Commit();
}

absl::StatusOr<base::Bytes> GetBytes(BlobStore& store, const Digest& digest, uint64_t limit_bytes) {
  if (digest.size_bytes > limit_bytes) {
    return absl::ResourceExhaustedError(absl::StrCat("read blob ", digest.ToString(), ": over the ",
                                                     "limit of ", limit_bytes, " bytes"));
  }
  SLIPWAY_ASSIGN_OR_RETURN(const std::unique_ptr<BlobReader> reader, store.Fetch(digest, {}));
  base::Bytes data(static_cast<size_t>(digest.size_bytes));
  size_t done = 0;
  while (done < data.size()) {
    SLIPWAY_ASSIGN_OR_RETURN(const size_t got, reader->Read(absl::MakeSpan(data).subspan(done)));
    if (got == 0) return CorruptError(digest);
    done += got;
  }
  // The end is asked for too: a reader may find only there that the bytes are wrong.
  uint8_t more = 0;
  SLIPWAY_ASSIGN_OR_RETURN(const size_t past, reader->Read(absl::MakeSpan(&more, 1)));
  if (past != 0) return CorruptError(digest);
  return data;
}

}  // namespace slipway::cas
