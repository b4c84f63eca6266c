// For tests and fuzzing: BLAKE3 written down once more from the paper, recursively and without any
// care for speed. Shares no code with what it checks.
#pragma once

#include <array>
#include <cstdint>
#include <utility>

#include "base/bytes.h"

namespace slipway::base::blake3_oracle {

using Key = std::array<uint32_t, 8>;
using Block = std::array<uint32_t, 16>;

inline constexpr Key kInitial = {0x6a09e667, 0xbb67ae85, 0x3c6ef372, 0xa54ff53a,
                                 0x510e527f, 0x9b05688c, 0x1f83d9ab, 0x5be0cd19};

// The input of a compression; which one is the root is known only afterwards.
struct Pending {
  Key h;
  Block m;
  uint64_t t;
  uint32_t b;
  uint32_t d;
};

inline Block Compressed(const Pending& in, uint64_t t, uint32_t more_flags) {
  Block v = {};
  for (size_t i = 0; i < 8; ++i) v[i] = in.h[i];
  for (size_t i = 0; i < 4; ++i) v[8 + i] = kInitial[i];
  v[12] = static_cast<uint32_t>(t & 0xffffffff);
  v[13] = static_cast<uint32_t>(t >> 32);
  v[14] = in.b;
  v[15] = in.d | more_flags;
  Block m = in.m;
  const auto turn = [](uint32_t x, int n) { return (x >> n) | (x << (32 - n)); };
  const auto g = [&](size_t a, size_t b, size_t c, size_t d, uint32_t x, uint32_t y) {
    v[a] += v[b] + x;
    v[d] = turn(v[d] ^ v[a], 16);
    v[c] += v[d];
    v[b] = turn(v[b] ^ v[c], 12);
    v[a] += v[b] + y;
    v[d] = turn(v[d] ^ v[a], 8);
    v[c] += v[d];
    v[b] = turn(v[b] ^ v[c], 7);
  };
  for (int round = 0; round < 7; ++round) {
    for (size_t i = 0; i < 4; ++i) g(i, 4 + i, 8 + i, 12 + i, m[2 * i], m[2 * i + 1]);
    for (size_t i = 0; i < 4; ++i) {
      g(i, 4 + (i + 1) % 4, 8 + (i + 2) % 4, 12 + (i + 3) % 4, m[8 + 2 * i], m[9 + 2 * i]);
    }
    constexpr size_t kFrom[16] = {2, 6, 3, 10, 7, 0, 4, 13, 1, 11, 12, 5, 9, 14, 15, 8};
    Block moved;
    for (size_t i = 0; i < 16; ++i) moved[i] = m[kFrom[i]];
    m = moved;
  }
  for (size_t i = 0; i < 8; ++i) {
    v[i] ^= v[8 + i];
    v[8 + i] ^= in.h[i];
  }
  return v;
}

inline Key Chaining(const Pending& in) {
  const Block out = Compressed(in, in.t, 0);
  Key key;
  for (size_t i = 0; i < 8; ++i) key[i] = out[i];
  return key;
}

inline Pending Chunk(BytesView data, const Key& key, uint64_t index, uint32_t flags) {
  Key h = key;
  for (size_t at = 0;; at += 64) {
    Pending block = {h, {}, index, 0, flags | (at == 0 ? 1u : 0u)};
    for (; block.b < 64 && at + block.b < data.size(); ++block.b) {
      block.m[block.b / 4] |= uint32_t{data[at + block.b]} << (8 * (block.b % 4));
    }
    if (at + 64 >= data.size()) {
      block.d |= 2;
      return block;
    }
    h = Chaining(block);
  }
}

inline Pending Tree(BytesView data, const Key& key, uint64_t first_chunk, uint32_t flags) {
  if (data.size() <= 1024) return Chunk(data, key, first_chunk, flags);
  uint64_t left_chunks = 1;
  while (2 * left_chunks * 1024 < data.size()) left_chunks *= 2;
  const BytesView left = data.subspan(0, left_chunks * 1024);
  const BytesView right = data.subspan(left_chunks * 1024);
  const Key l = Chaining(Tree(left, key, first_chunk, flags));
  const Key r = Chaining(Tree(right, key, first_chunk + left_chunks, flags));
  Pending parent = {key, {}, 0, 64, flags | 4};
  for (size_t i = 0; i < 8; ++i) {
    parent.m[i] = l[i];
    parent.m[8 + i] = r[i];
  }
  return parent;
}

inline Bytes Output(const Pending& root, uint64_t seek, size_t size) {
  Bytes out;
  for (uint64_t at = seek; at < seek + size; ++at) {
    const Block words = Compressed(root, at / 64, 8);
    out.push_back(static_cast<uint8_t>(words[(at % 64) / 4] >> (8 * (at % 4))));
  }
  return out;
}

inline Bytes Plain(BytesView data, uint64_t seek, size_t size) {
  return Output(Tree(data, kInitial, 0, 0), seek, size);
}

inline Key Words(BytesView raw) {
  Key key = {};
  for (size_t i = 0; i < 32; ++i) key[i / 4] |= uint32_t{raw[i]} << (8 * (i % 4));
  return key;
}

inline Bytes Keyed(BytesView key, BytesView data, uint64_t seek, size_t size) {
  return Output(Tree(data, Words(key), 0, 16), seek, size);
}

inline Bytes DerivedKey(BytesView context, BytesView data, uint64_t seek, size_t size) {
  const Bytes key = Output(Tree(context, kInitial, 0, 32), 0, 32);
  return Output(Tree(data, Words(key), 0, 64), seek, size);
}

}  // namespace slipway::base::blake3_oracle
