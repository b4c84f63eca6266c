#include "base/os/random.h"

#include <sys/random.h>

#include "base/check.h"
#include "base/os/fd.h"

namespace slipway::base::os {

void SystemRandom::Fill(absl::Span<uint8_t> out) {
  size_t done = 0;
  while (done < out.size()) {
    const ssize_t got =
        RetryInterrupted([&] { return getrandom(out.data() + done, out.size() - done, 0); });
    // Fails only for a bad address or a kernel without the call: no program can go on then.
    SLIPWAY_CHECK(got > 0);
    done += static_cast<size_t>(got);
  }
}

std::string RandomName() { return SystemRandom().Hex(8); }

}  // namespace slipway::base::os
