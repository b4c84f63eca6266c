#include "base/os/input.h"

#include <poll.h>
#include <sys/eventfd.h>

#include "base/check.h"
#include "base/status.h"
#include "base/units.h"

namespace slipway::base::os {
namespace {

constexpr size_t kBufferBytes = 64 * kKiB;

}  // namespace

Input::Input(int fd, const CancelToken& cancel)
    : fd_(fd),
      cancel_(cancel),
      wake_(eventfd(0, EFD_CLOEXEC)),
      buffer_(kBufferBytes),
      stream_(this),
      on_cancel_(cancel.OnCancel([this] {
        if (!wake_.valid()) return;
        const uint64_t one = 1;
        SLIPWAY_CHECK(write(wake_.get(), &one, sizeof(one)) == sizeof(one));
      })) {}

Input::~Input() { on_cancel_ = nullptr; }

absl::StatusOr<size_t> Input::Fill() {
  if (fd_ < 0) return ErrnoError(EBADF, "read standard input");
  // A read of a terminal or a pipe may last for ever, and no signal ends it: they are blocked.
  if (!wake_.valid()) {
    return absl::ResourceExhaustedError("wait for standard input: there was no descriptor for it");
  }
  pollfd waited[2] = {{.fd = fd_, .events = POLLIN, .revents = 0},
                      {.fd = wake_.get(), .events = POLLIN, .revents = 0}};
  if (RetryInterrupted([&] { return poll(waited, 2, -1); }) < 0) {
    return ErrnoError(errno, "wait for standard input");
  }
  SLIPWAY_RETURN_IF_ERROR(cancel_.status());
  const ssize_t got = RetryInterrupted([&] { return read(fd_, buffer_.data(), buffer_.size()); });
  if (got < 0) return ErrnoError(errno, "read standard input");
  return static_cast<size_t>(got);
}

Input::int_type Input::underflow() {
  const absl::StatusOr<size_t> got = Fill();
  status_ = got.status();
  if (got.value_or(0) == 0) return traits_type::eof();
  setg(buffer_.data(), buffer_.data(), buffer_.data() + *got);
  return traits_type::to_int_type(*gptr());
}

}  // namespace slipway::base::os
