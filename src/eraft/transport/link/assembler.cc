#include "eraft/transport/link/assembler.h"

#include <utility>

#include "absl/strings/str_cat.h"
#include "eraft/transport/link/limits.h"

namespace slipway::eraft::link {
namespace {

void Append(absl::Span<const base::BytesView> pieces, base::Bytes* out) {
  for (const base::BytesView& piece : pieces) out->insert(out->end(), piece.begin(), piece.end());
}

}  // namespace

absl::Status Assembler::Add(const Message& message, std::vector<base::Bytes>* frames) {
  for (const PartView& part : message.parts) {
    if (part.urgent && part.more) {
      return absl::InvalidArgumentError("read frame: an urgent one is not whole");
    }
    const bool alone = part.urgent || (!continues_ && !part.more);
    const size_t before = alone ? 0 : unfinished_.size();
    if (part.bytes > kFrameBytesMax - before) {
      return absl::InvalidArgumentError(
          absl::StrCat("read frame: it is larger than ", kFrameBytesMax, " bytes"));
    }
    if (alone) {
      base::Bytes frame;
      frame.reserve(part.bytes);
      Append(message.PiecesOf(part), &frame);
      frames->push_back(std::move(frame));
      continue;
    }
    Append(message.PiecesOf(part), &unfinished_);
    continues_ = part.more;
    if (continues_) continue;
    frames->push_back(std::move(unfinished_));
    unfinished_ = base::Bytes();
  }
  return absl::OkStatus();
}

}  // namespace slipway::eraft::link
