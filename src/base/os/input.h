// Standard input as a stream whose reader can be interrupted, and that tells an error from the end.
#pragma once

#include <istream>
#include <memory>
#include <streambuf>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "base/os/fd.h"
#include "base/sync/cancel.h"

namespace slipway::base::os {

// Thread-compatible; `cancel` may come from any thread.
class Input : private std::streambuf {
 public:
  // Reads the descriptor `fd`, which is borrowed; -1: there is none, and reading it is an error.
  Input(int fd, const CancelToken& cancel);
  ~Input() override;
  Input(const Input&) = delete;
  Input& operator=(const Input&) = delete;

  std::istream& stream() { return stream_; }
  // Why the stream has no more bytes: OK at the end of the input; else Cancelled, which also ends a
  // wait for bytes that is under way, or the error of read(2).
  const absl::Status& status() const { return status_; }

 private:
  int_type underflow() override;
  absl::StatusOr<size_t> Fill();

  const int fd_;
  const CancelToken cancel_;
  const Fd wake_;  // eventfd: cancelled
  std::vector<char> buffer_;
  absl::Status status_;
  std::istream stream_;
  std::shared_ptr<void> on_cancel_;
};

}  // namespace slipway::base::os
