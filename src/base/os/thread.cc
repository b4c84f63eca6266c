#include "base/os/thread.h"

#include <pthread.h>

#include <string>
#include <utility>

namespace slipway::base::os {

std::thread StartThread(absl::string_view name, Task body) {
  constexpr size_t kNameBytesMax = 15;
  return std::thread(
      [name = std::string(name.substr(0, kNameBytesMax)), body = std::move(body)]() mutable {
        pthread_setname_np(pthread_self(), name.c_str());
        body();
      });
}

}  // namespace slipway::base::os
