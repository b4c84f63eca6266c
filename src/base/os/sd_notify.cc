#include "base/os/sd_notify.h"

#include <sys/socket.h>
#include <sys/un.h>

#include <cerrno>
#include <cstddef>
#include <cstring>
#include <ctime>
#include <optional>
#include <string>

#include "absl/strings/str_cat.h"
#include "absl/time/time.h"
#include "base/os/fd.h"
#include "base/status.h"

namespace slipway::base::os {

absl::Status NotifyServiceManager(Environment& environment, absl::string_view state) {
  const std::optional<std::string> name = environment.Get("NOTIFY_SOCKET");
  if (!name.has_value() || name->empty()) return absl::OkStatus();
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  if (name->size() >= sizeof(address.sun_path)) {
    return absl::InvalidArgumentError(
        absl::StrCat("notify service manager: NOTIFY_SOCKET has ", name->size(), " bytes"));
  }
  std::memcpy(address.sun_path, name->data(), name->size());
  if (address.sun_path[0] == '@') address.sun_path[0] = '\0';
  const Fd socket(::socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
  if (socket.get() < 0) return ErrnoError(errno, "notify service manager: make socket");
  // An abstract name has no end mark, so its length counts.
  const auto size = static_cast<socklen_t>(offsetof(sockaddr_un, sun_path) + name->size());
  const ssize_t sent = RetryInterrupted([&] {
    return ::sendto(socket.get(), state.data(), state.size(), MSG_NOSIGNAL,
                    reinterpret_cast<const sockaddr*>(&address), size);
  });
  if (sent < 0) return ErrnoError(errno, absl::StrCat("notify service manager at ", *name));
  return absl::OkStatus();
}

std::string ReloadingState() {
  timespec now = {};
  clock_gettime(CLOCK_MONOTONIC, &now);
  return absl::StrCat("RELOADING=1\nMONOTONIC_USEC=",
                      absl::ToInt64Microseconds(absl::DurationFromTimespec(now)));
}

}  // namespace slipway::base::os
