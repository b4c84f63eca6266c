#include "kzg/scheme/errors.h"

#include "absl/strings/str_cat.h"
#include "base/status.h"

namespace slipway::kzg {

std::string Where::Text() const {
  return index.has_value() ? absl::StrCat(field, " ", *index) : std::string(field);
}

absl::Status InputError(absl::string_view reason, absl::string_view text) {
  return base::MakeError(absl::StatusCode::kInvalidArgument, text, {.code = std::string(reason)});
}

absl::Status CheckLength(BytesView bytes, size_t expected, const Where& where) {
  if (bytes.size() == expected) return absl::OkStatus();
  return InputError(kInvalidLength, absl::StrCat("read ", where.Text(), ": it has ", bytes.size(),
                                                 " bytes; it must have ", expected));
}

absl::Status CheckBlobLength(BytesView blob, const Where& where) {
  if (blob.size() == kBytesPerBlob) return absl::OkStatus();
  return InputError(kInvalidBlobSize, absl::StrCat("read ", where.Text(), ": it has ", blob.size(),
                                                   " bytes; a blob has ", kBytesPerBlob));
}

absl::Status CheckSameCount(absl::string_view first_name, size_t first,
                            absl::string_view second_name, size_t second) {
  if (first == second) return absl::OkStatus();
  return InputError(kLengthMismatch, absl::StrCat("read batch: ", first, " ", first_name, " but ",
                                                  second, " ", second_name, "; give one for each"));
}

}  // namespace slipway::kzg
