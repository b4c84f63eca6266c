#include "base/os/thread.h"

#include <pthread.h>

#include <cstdio>
#include <cstdlib>
#include <string>
#include <system_error>
#include <utility>

#include "absl/strings/str_cat.h"

namespace slipway::base::os {

absl::StatusOr<std::thread> TryStartThread(absl::string_view name, Task body) {
  constexpr size_t kNameBytesMax = 15;
  try {
    return std::thread(
        [name = std::string(name.substr(0, kNameBytesMax)), body = std::move(body)]() mutable {
          pthread_setname_np(pthread_self(), name.c_str());
          body();
        });
  } catch (const std::system_error& error) {
    return absl::ResourceExhaustedError(
        absl::StrCat("start thread ", name, ": ", error.code().message(),
                     "; raise the limit of processes and threads (ulimit -u)"));
  }
}

std::thread StartThread(absl::string_view name, Task body) {
  absl::StatusOr<std::thread> thread = TryStartThread(name, std::move(body));
  if (thread.ok()) return *std::move(thread);
  std::fprintf(stderr, "error: %s\n", std::string(thread.status().message()).c_str());
  std::_Exit(EXIT_FAILURE);  // nothing to tidy up: no object of this program works without it
}

}  // namespace slipway::base::os
