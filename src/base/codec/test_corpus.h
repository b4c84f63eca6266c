// Bytes for tests and benchmarks, the same on every machine: integer arithmetic, exact floats.
// Thread-safe: free functions without state.
#pragma once

#include <algorithm>
#include <bit>
#include <cstdint>
#include <string>
#include <vector>

#include "base/bytes.h"

namespace slipway::base::codec {

class CorpusRandom {
 public:
  explicit CorpusRandom(uint64_t seed) : state_(seed) {}
  uint64_t Next() {  // xorshift*, Vigna 2016
    state_ ^= state_ >> 12;
    state_ ^= state_ << 25;
    state_ ^= state_ >> 27;
    return state_ * 0x2545f4914f6cdd1d;
  }
  uint64_t Below(uint64_t bound) { return (Next() >> 32) * bound >> 32; }

 private:
  uint64_t state_;
};

inline Bytes RandomBytes(size_t size, uint64_t seed = 1) {
  CorpusRandom random(seed);
  Bytes out(size);
  for (uint8_t& byte : out) byte = static_cast<uint8_t>(random.Next() >> 56);
  return out;
}

// Near-normal numbers (sums of twelve uniform ones) with deviation 1/50, as a trained layer has.
inline float Weight(CorpusRandom& random) {
  int32_t sum = -6 * 65536;
  for (int i = 0; i < 3; ++i) {
    for (uint64_t four = random.Next(), j = 0; j < 4; ++j, four >>= 16) sum += four & 0xffff;
  }
  const int32_t low = static_cast<int32_t>(random.Below(256));  // all bits of the fraction in use
  return static_cast<float>(sum * 256 + low) * (1.0f / 1024 / 1024 / 1024);
}

inline Bytes Weights32(size_t size, uint64_t seed = 2) {
  CorpusRandom random(seed);
  Bytes out(size);
  for (size_t at = 0; at + 4 <= size; at += 4) {
    StoreLittle<uint32_t>(&out[at], std::bit_cast<uint32_t>(Weight(random)));
  }
  return out;
}

inline Bytes Weights16(size_t size, uint64_t seed = 3) {  // bfloat16
  CorpusRandom random(seed);
  Bytes out(size);
  for (size_t at = 0; at + 2 <= size; at += 2) {
    const uint32_t bits = std::bit_cast<uint32_t>(Weight(random));
    StoreLittle<uint16_t>(&out[at], static_cast<uint16_t>(bits >> 16));
  }
  return out;
}

// Words of a made-up language, the frequent ones often.
inline Bytes Text(size_t size, uint64_t seed = 4) {
  CorpusRandom random(seed);
  std::vector<std::string> words(4096);
  for (std::string& word : words) {
    const uint64_t letters = 2 + random.Below(8);
    for (uint64_t i = 0; i < letters; ++i) {
      word += "etaoinshrdlucmfwypvbgkqjxz"[std::min(random.Below(26), random.Below(26))];
    }
  }
  Bytes out;
  out.reserve(size + 16);
  while (out.size() < size) {
    const uint64_t pick = std::min(
        {random.Below(words.size()), random.Below(words.size()), random.Below(words.size())});
    out.insert(out.end(), words[pick].begin(), words[pick].end());
    out.push_back(random.Below(12) == 0 ? '\n' : ' ');
  }
  out.resize(size);
  return out;
}

// Records like those of symbol tables and indexes: near repeats at every distance.
inline Bytes Records(size_t size, uint64_t seed = 5) {
  CorpusRandom random(seed);
  Bytes out(size);
  uint32_t address = 0x1000;
  for (size_t at = 0; at + 16 <= size; at += 16) {
    address += static_cast<uint32_t>(16 * random.Below(64));
    StoreLittle<uint32_t>(&out[at], address);
    StoreLittle<uint32_t>(&out[at + 4], static_cast<uint32_t>(random.Below(300)));
    StoreLittle<uint64_t>(&out[at + 8], random.Below(4) == 0 ? random.Next() : 0x7f00);
  }
  return out;
}

// Sound: a walk of 16-bit samples, loud and soft in turn.
inline Bytes Sound(size_t size, uint64_t seed = 6) {
  CorpusRandom random(seed);
  Bytes out(size);
  int64_t value = 0;
  for (size_t at = 0; at + 2 <= size; at += 2) {
    const int64_t step = static_cast<int64_t>(random.Below(512)) - 256;
    value = std::clamp<int64_t>(value + step, -30000, 30000);
    StoreLittle<uint16_t>(&out[at], static_cast<uint16_t>(value));
  }
  return out;
}

// Random blocks of 8 KiB, each twice.
inline Bytes Doubled(size_t size, uint64_t seed = 7) {
  constexpr size_t kBlock = 8192;
  Bytes out = RandomBytes(size, seed);
  for (size_t at = kBlock; at + kBlock <= size; at += 2 * kBlock) {
    std::copy_n(&out[at - kBlock], kBlock, &out[at]);
  }
  return out;
}

// As much as wanted in little time: half a MiB of weights, over and over, each time a little other.
inline Bytes Repeating(size_t size) {
  constexpr size_t kPeriod = 512 << 10;
  Bytes out = Weights16(std::min(size, kPeriod));
  out.resize(size);
  for (size_t at = kPeriod; at < size; at += kPeriod) {
    std::copy_n(&out[at - kPeriod], std::min(kPeriod, size - at), &out[at]);
    out[at] = static_cast<uint8_t>(at / kPeriod);
  }
  return out;
}

// Pieces of all of the above.
inline Bytes Mixed(size_t size, uint64_t seed = 8) {
  CorpusRandom random(seed);
  Bytes out;
  out.reserve(size + (300 << 10));
  using Maker = Bytes (*)(size_t, uint64_t);
  constexpr Maker kMakers[] = {RandomBytes, Weights32, Weights16, Text, Records, Sound, Doubled};
  while (out.size() < size) {
    const Bytes piece =
        kMakers[random.Below(std::size(kMakers))](16 + random.Below(300 << 10), random.Next());
    out.insert(out.end(), piece.begin(), piece.end());
  }
  out.resize(size);
  return out;
}

}  // namespace slipway::base::codec
