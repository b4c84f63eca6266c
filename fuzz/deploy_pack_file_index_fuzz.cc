// Any text as a file index: what is taken is written back as a text that is taken and says the
// same.
#include <cstdint>
#include <string>

#include "absl/strings/str_cat.h"
#include "absl/strings/string_view.h"
#include "base/check.h"
#include "deploy/pack/file_index.h"
#include "deploy/pack/file_index_text.h"

using slipway::deploy::FileIndex;

namespace {

std::string Text(const FileIndex& index) {
  std::string text;
  const absl::Status status =
      slipway::deploy::FormatFileIndex(index, [&text](absl::string_view piece) {
        absl::StrAppend(&text, piece);
        return absl::OkStatus();
      });
  SLIPWAY_CHECK(status.ok());
  return text;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const absl::string_view input(reinterpret_cast<const char*>(data), size);
  (void)slipway::deploy::DecodeFileIndex({data, size}, 1 << 20);
  const absl::StatusOr<FileIndex> index = slipway::deploy::ParseFileIndex(input);
  if (!index.ok()) return 0;
  const std::string text = Text(*index);
  const absl::StatusOr<FileIndex> again = slipway::deploy::ParseFileIndex(text);
  SLIPWAY_CHECK(again.ok());
  SLIPWAY_CHECK(Text(*again) == text);
  SLIPWAY_CHECK(slipway::deploy::TreeDigest(again->entries) ==
                slipway::deploy::TreeDigest(index->entries));
  return 0;
}
