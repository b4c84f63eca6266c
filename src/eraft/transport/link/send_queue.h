// What waits to be sent on one lane. Control frames have room of their own and go first; large
// frames go in parts, between which control frames may go (E122). Thread-compatible.
#pragma once

#include <cstddef>
#include <deque>
#include <memory>

#include "absl/status/status.h"
#include "absl/time/time.h"
#include "base/bytes.h"
#include "base/transport.h"
#include "eraft/transport/link/wire.h"

namespace slipway::eraft::link {

struct QueueLimits {
  size_t control_frames_max = 4096;
  size_t bulk_bytes_max = 32 << 20;
};

class SendQueue {
 public:
  explicit SendQueue(QueueLimits limits) : limits_(limits) {}

  // ResourceExhausted: there is no room for the class; for bulk there is always room for one frame.
  // InvalidArgument: larger than a frame may be. `now` is monotonic.
  absl::Status Push(base::FrameClass frame_class, base::Bytes frame, absl::Duration now);
  // Gives up what was pushed before `time`, and says how many frames. Not while one is sent.
  size_t DropBefore(absl::Duration time);
  // The stream is gone: gives up the frame that was sent in part, if there is one.
  size_t Reset();
  // Gives up everything.
  size_t Clear();
  bool empty() const { return control_.empty() && bulk_.empty(); }
  size_t bulk_bytes() const { return bulk_bytes_; }

  // Moves parts into `writer`, as many as a message may have. Returns how many frames ended in it.
  size_t Fill(MessageWriter* writer);

 private:
  struct Item {
    std::shared_ptr<const base::Bytes> frame;
    absl::Duration at;
  };
  void PopControl();
  void PopBulk();

  const QueueLimits limits_;
  std::deque<Item> control_, bulk_;
  size_t control_bytes_ = 0, bulk_bytes_ = 0;
  size_t offset_ = 0;  // of the first bulk frame, already sent
};

}  // namespace slipway::eraft::link
