#include "eraft/transport/link/send_queue.h"

#include <algorithm>
#include <utility>

#include "absl/strings/str_cat.h"
#include "eraft/transport/link/limits.h"

namespace slipway::eraft::link {

absl::Status SendQueue::Push(base::FrameClass frame_class, base::Bytes frame, absl::Duration now) {
  const size_t bytes = frame.size();
  if (bytes > kFrameBytesMax) {
    return absl::InvalidArgumentError(
        absl::StrCat("send frame: it has ", bytes, " bytes; at most ", kFrameBytesMax, " may be"));
  }
  // A control frame that does not go in one piece would keep others back: it is none.
  const bool control = frame_class == base::FrameClass::kControl && bytes <= kPartBytesMax;
  if (control && (control_.size() >= limits_.control_frames_max ||
                  control_bytes_ + bytes > kControlBytesMax)) {
    return absl::ResourceExhaustedError(
        absl::StrCat("send frame: ", control_.size(), " control frames wait already"));
  }
  if (!control && !bulk_.empty() && bulk_bytes_ + bytes > limits_.bulk_bytes_max) {
    return absl::ResourceExhaustedError(
        absl::StrCat("send frame: ", bulk_bytes_, " bytes wait already"));
  }
  Item item{std::make_shared<const base::Bytes>(std::move(frame)), now};
  (control ? control_bytes_ : bulk_bytes_) += bytes;
  (control ? control_ : bulk_).push_back(std::move(item));
  return absl::OkStatus();
}

void SendQueue::PopControl() {
  control_bytes_ -= control_.front().frame->size();
  control_.pop_front();
}

void SendQueue::PopBulk() {
  bulk_bytes_ -= bulk_.front().frame->size();
  bulk_.pop_front();
  offset_ = 0;
}

size_t SendQueue::DropBefore(absl::Duration time) {
  size_t dropped = 0;
  for (; !control_.empty() && control_.front().at < time; ++dropped) PopControl();
  for (; !bulk_.empty() && bulk_.front().at < time; ++dropped) PopBulk();
  return dropped;
}

size_t SendQueue::Reset() {
  if (offset_ == 0) return 0;
  PopBulk();
  return 1;
}

size_t SendQueue::Clear() { return DropBefore(absl::InfiniteDuration()); }

size_t SendQueue::Fill(MessageWriter* writer) {
  size_t ended = 0;
  size_t parts = 0;
  size_t room = kMessageBytesMax;
  while (!control_.empty() && parts < kPartsMax && control_.front().frame->size() <= room) {
    const std::shared_ptr<const base::Bytes>& frame = control_.front().frame;
    room -= frame->size();
    writer->AddPart(frame, 0, frame->size(), /*more=*/false, /*urgent=*/true);
    PopControl();
    ++parts;
    ++ended;
  }
  // Control frames that found no room go first in the next message, not after more bulk.
  while (control_.empty() && !bulk_.empty() && parts < kPartsMax && room > 0) {
    const std::shared_ptr<const base::Bytes>& frame = bulk_.front().frame;
    const size_t left = frame->size() - offset_;
    const size_t count = std::min({left, room, kPartBytesMax});
    writer->AddPart(frame, offset_, count, /*more=*/count < left, /*urgent=*/false);
    room -= count;
    ++parts;
    offset_ += count;
    if (count < left) continue;
    PopBulk();
    ++ended;
  }
  return ended;
}

}  // namespace slipway::eraft::link
