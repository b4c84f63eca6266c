// Puts frames together from the parts in which they come. Thread-compatible.
#pragma once

#include <vector>

#include "absl/status/status.h"
#include "absl/types/span.h"
#include "base/bytes.h"
#include "eraft/transport/link/wire.h"

namespace slipway::eraft::link {

// Of one stream: at most one frame is unfinished.
class Assembler {
 public:
  // Appends the frames that `message` completes to `frames`. InvalidArgument: a frame over
  // kFrameBytesMax, or an urgent part that is not whole; the stream ends.
  absl::Status Add(const Message& message, std::vector<base::Bytes>* frames);

  size_t unfinished_bytes() const { return unfinished_.size(); }

 private:
  base::Bytes unfinished_;
  bool continues_ = false;  // the last part had `more`
};

}  // namespace slipway::eraft::link
