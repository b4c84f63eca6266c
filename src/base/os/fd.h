// A file descriptor that closes itself, and calls repeated when a signal interrupts them.
#pragma once

#include <unistd.h>

#include <cerrno>
#include <utility>

namespace slipway::base::os {

class Fd {
 public:
  Fd() = default;
  explicit Fd(int fd) : fd_(fd) {}
  ~Fd() { Reset(); }
  Fd(Fd&& other) noexcept : fd_(std::exchange(other.fd_, -1)) {}
  Fd& operator=(Fd&& other) noexcept {
    if (this != &other) {
      Reset();
      fd_ = std::exchange(other.fd_, -1);
    }
    return *this;
  }
  int get() const { return fd_; }
  bool valid() const { return fd_ >= 0; }
  // Keeps errno. An error of close is of no use: what matters was synced before.
  void Reset() {
    if (fd_ < 0) return;
    const int saved = errno;
    close(std::exchange(fd_, -1));
    errno = saved;
  }

 private:
  int fd_ = -1;
};

// `call()`, again while it returns -1 with EINTR.
template <class Call>
auto RetryInterrupted(Call call) {
  decltype(call()) result;
  do {
    result = call();
  } while (result == -1 && errno == EINTR);
  return result;
}

}  // namespace slipway::base::os
