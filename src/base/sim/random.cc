#include "base/sim/random.h"

#include <algorithm>
#include <cstring>

namespace slipway::base::sim {
namespace {

constexpr uint64_t kGolden = 0x9e3779b97f4a7c15;  // 2^64 / golden ratio, the paper's increment

uint64_t Finalise(uint64_t z) {
  z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9;
  z = (z ^ (z >> 27)) * 0x94d049bb133111eb;
  return z ^ (z >> 31);
}

}  // namespace

uint64_t Mix(uint64_t a, uint64_t b, uint64_t c) {
  return Finalise(Finalise(Finalise(a + kGolden) ^ (b + kGolden)) ^ (c + kGolden));
}

uint64_t Stream::Next() {
  state_ += kGolden;
  return Finalise(state_);
}

void Random::Fill(absl::Span<uint8_t> out) {
  const MutexLock lock(mutex_);
  for (size_t done = 0; done < out.size();) {
    const uint64_t word = stream_.Next();
    const size_t part = std::min(sizeof(word), out.size() - done);
    std::memcpy(out.data() + done, &word, part);
    done += part;
  }
}

}  // namespace slipway::base::sim
