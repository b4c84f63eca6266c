#include "base/codec/deflate_order0.h"

#include <algorithm>
#include <cstring>

#include "base/check.h"

namespace slipway::base::codec {
namespace {

constexpr size_t kEndOfBlock = 256;
constexpr size_t kLiteralSymbols = std::tuple_size_v<LiteralLengths>;
// Two distance codes of one bit that are never used: a complete code, which every decoder takes,
// old ones that refuse an empty distance table included.
constexpr size_t kDistanceSymbols = 2;
constexpr size_t kLengthSymbols = 19;
constexpr int kLengthBitsMax = 7;
constexpr std::array<uint8_t, kLengthSymbols> kLengthOrder = {16, 17, 18, 0, 8,  7, 9,  6, 10, 5,
                                                              11, 4,  12, 3, 13, 2, 14, 1, 15};

// Bits, least significant first. Stores run up to 8 bytes past what was written.
class BitWriter {
 public:
  explicit BitWriter(uint8_t* out) : begin_(out), at_(out) {}

  // At most 56 bits; `bits` has none above `count`.
  void Put(uint64_t bits, unsigned count) {
    pending_ |= bits << pending_count_;
    pending_count_ += count;
    StoreLittle<uint64_t>(at_, pending_);
    at_ += pending_count_ >> 3;
    pending_ >>= pending_count_ & ~7u;
    pending_count_ &= 7;
  }
  void AlignToByte() {
    if (pending_count_ != 0) Put(0, 8 - pending_count_);
  }
  // Only when aligned.
  void PutBytes(BytesView bytes) {
    if (!bytes.empty()) std::memcpy(at_, bytes.data(), bytes.size());
    at_ += bytes.size();
  }
  size_t size() const { return static_cast<size_t>(at_ - begin_); }

 private:
  uint8_t* begin_;
  uint8_t* at_;
  uint64_t pending_ = 0;
  unsigned pending_count_ = 0;
};

struct Code {
  uint16_t bits = 0;  // reversed: first bit lowest
  uint16_t length = 0;
};

// Canonical codes of RFC 1951 3.2.2.
void AssignCodes(absl::Span<const uint8_t> lengths, absl::Span<Code> codes) {
  std::array<uint32_t, 17> next = {};
  for (const uint8_t length : lengths) ++next[length + 1u];
  next[1] = 0;
  uint32_t code = 0;
  for (size_t length = 1; length < 16; ++length) {
    const uint32_t count = next[length + 1];
    next[length] = code;
    code = (code + count) << 1;
  }
  for (size_t symbol = 0; symbol < lengths.size(); ++symbol) {
    const unsigned length = lengths[symbol];
    if (length == 0) continue;
    uint32_t value = next[length]++;
    uint32_t reversed = 0;
    for (unsigned i = 0; i < length; ++i, value >>= 1) reversed = reversed << 1 | (value & 1);
    codes[symbol] = {static_cast<uint16_t>(reversed), static_cast<uint16_t>(length)};
  }
}

// Depths of the leaves of a Huffman tree over `weights`, ascending and at least two, in place
// (Moffat and Katajainen, "In-place calculation of minimum-redundancy codes", 1995).
void MinimumRedundancyDepths(absl::Span<uint32_t> weights) {
  const size_t n = weights.size();
  weights[0] += weights[1];
  size_t root = 0, leaf = 2;
  for (size_t next = 1; next + 1 < n; ++next) {
    if (leaf >= n || weights[root] < weights[leaf]) {
      weights[next] = weights[root];
      weights[root++] = static_cast<uint32_t>(next);
    } else {
      weights[next] = weights[leaf++];
    }
    if (leaf >= n || (root < next && weights[root] < weights[leaf])) {
      weights[next] += weights[root];
      weights[root++] = static_cast<uint32_t>(next);
    } else {
      weights[next] += weights[leaf++];
    }
  }
  weights[n - 2] = 0;
  for (size_t i = n - 2; i-- > 0;) weights[i] = weights[weights[i]] + 1;
  size_t available = 1, used = 0, depth = 0;
  size_t inner = n - 1, next = n;  // one past
  while (available > 0) {
    while (inner > 0 && weights[inner - 1] == depth) {
      ++used;
      --inner;
    }
    while (available > used) {
      weights[--next] = static_cast<uint32_t>(depth);
      --available;
    }
    available = 2 * used;
    ++depth;
    used = 0;
  }
}

// The header of a dynamic block: the code, run-length coded as RFC 1951 3.2.7 says.
struct Header {
  struct Run {
    uint8_t symbol;
    uint8_t extra;
  };
  LiteralLengths literals;
  std::array<Run, kLiteralSymbols + kDistanceSymbols> runs;
  size_t run_count = 0;
  std::array<uint8_t, kLengthSymbols> run_lengths;
  size_t run_lengths_count = 0;
  uint64_t bits = 0;  // of the whole header, its 3 bits of block type included
};

unsigned ExtraBits(uint8_t run_symbol) {
  return run_symbol == 16 ? 2 : run_symbol == 17 ? 3 : run_symbol == 18 ? 7 : 0;
}

void AddRun(Header& header, size_t symbol, size_t extra) {
  header.runs[header.run_count++] = {static_cast<uint8_t>(symbol), static_cast<uint8_t>(extra)};
}

void BuildRuns(Header& header) {
  std::array<uint8_t, kLiteralSymbols + kDistanceSymbols> lengths;
  std::copy(header.literals.begin(), header.literals.end(), lengths.begin());
  std::fill(lengths.begin() + kLiteralSymbols, lengths.end(), uint8_t{1});
  for (size_t at = 0; at < lengths.size();) {
    const uint8_t length = lengths[at];
    size_t same = 1;
    while (at + same < lengths.size() && lengths[at + same] == length) ++same;
    at += same;
    if (length == 0) {
      while (same >= 11) {
        const size_t take = std::min<size_t>(same, 138);
        AddRun(header, 18, take - 11);
        same -= take;
      }
      if (same >= 3) {
        AddRun(header, 17, same - 3);
        same = 0;
      }
    } else {
      AddRun(header, length, 0);
      --same;
      while (same >= 3) {
        const size_t take = std::min<size_t>(same, 6);
        AddRun(header, 16, take - 3);
        same -= take;
      }
    }
    for (; same > 0; --same) AddRun(header, length, 0);
  }
}

Header BuildHeader(const Histogram& histogram) {
  Header header;
  header.literals = BuildLiteralLengths(histogram);
  BuildRuns(header);
  std::array<uint32_t, kLengthSymbols> run_frequencies = {};
  for (size_t i = 0; i < header.run_count; ++i) ++run_frequencies[header.runs[i].symbol];
  BuildCodeLengths(run_frequencies, kLengthBitsMax, absl::MakeSpan(header.run_lengths));
  header.run_lengths_count = kLengthSymbols;
  while (header.run_lengths_count > 4 &&
         header.run_lengths[kLengthOrder[header.run_lengths_count - 1]] == 0) {
    --header.run_lengths_count;
  }
  header.bits = 3 + 5 + 5 + 4 + 3 * header.run_lengths_count;
  for (size_t i = 0; i < header.run_count; ++i) {
    const uint8_t symbol = header.runs[i].symbol;
    header.bits += header.run_lengths[symbol] + ExtraBits(symbol);
  }
  return header;
}

void PutHeader(const Header& header, bool final, BitWriter& writer) {
  writer.Put((final ? 1 : 0) | 2 << 1, 3);
  writer.Put(kLiteralSymbols - 257, 5);
  writer.Put(kDistanceSymbols - 1, 5);
  writer.Put(header.run_lengths_count - 4, 4);
  for (size_t i = 0; i < header.run_lengths_count; ++i) {
    writer.Put(header.run_lengths[kLengthOrder[i]], 3);
  }
  std::array<Code, kLengthSymbols> codes;
  AssignCodes(header.run_lengths, absl::MakeSpan(codes));
  for (size_t i = 0; i < header.run_count; ++i) {
    const Header::Run run = header.runs[i];
    writer.Put(codes[run.symbol].bits, codes[run.symbol].length);
    writer.Put(run.extra, ExtraBits(run.symbol));
  }
}

void PutBody(BytesView data, absl::Span<const Code> codes, BitWriter& writer) {
  static_assert(4 * kLiteralBitsMax <= 56);
  BitWriter local = writer;  // in registers: stores through uint8_t* may alias the caller's object
  const uint8_t* at = data.data();
  const uint8_t* const end = at + data.size();
  for (; end - at >= 4; at += 4) {
    // Pairs first: the chain through the bit buffer is then one shift for four symbols.
    const Code a = codes[at[0]], b = codes[at[1]], c = codes[at[2]], d = codes[at[3]];
    const uint64_t ab = a.bits | uint64_t{b.bits} << a.length;
    const uint64_t cd = c.bits | uint64_t{d.bits} << c.length;
    const unsigned ab_length = a.length + 0u + b.length;
    local.Put(ab | cd << ab_length, ab_length + c.length + d.length);
  }
  for (; at < end; ++at) local.Put(codes[*at].bits, codes[*at].length);
  local.Put(codes[kEndOfBlock].bits, codes[kEndOfBlock].length);
  writer = local;
}

uint64_t StoredBitsMax(size_t input_bytes) {
  const size_t blocks = std::max<size_t>(1, (input_bytes + kStoredBytesMax - 1) / kStoredBytesMax);
  return 8 * (uint64_t{input_bytes} + 5 * blocks);
}

void PutStored(BytesView data, bool final, BitWriter& writer) {
  do {
    const BytesView part = data.first(std::min(data.size(), kStoredBytesMax));
    data.remove_prefix(part.size());
    writer.Put(final && data.empty() ? 1 : 0, 3);
    writer.AlignToByte();
    writer.Put(part.size() | (~uint64_t{part.size()} & 0xffff) << 16, 32);
    writer.PutBytes(part);
  } while (!data.empty());
}

}  // namespace

Histogram CountBytes(BytesView data) {
  // Four tables: equal bytes in a row would otherwise wait for each other's store.
  std::array<Histogram, 4> tables = {};
  const uint8_t* at = data.data();
  const uint8_t* const end = at + data.size();
  for (; end - at >= 8; at += 8) {
    const auto word = LoadLittle<uint64_t>(at);
    for (unsigned i = 0; i < 8; ++i) ++tables[i & 3][word >> (8 * i) & 0xff];
  }
  for (; at < end; ++at) ++tables[0][*at];
  for (size_t i = 0; i < 256; ++i) {
    tables[0][i] += tables[1][i] + tables[2][i] + tables[3][i];
  }
  return tables[0];
}

void BuildCodeLengths(absl::Span<const uint32_t> frequencies, int bits_max,
                      absl::Span<uint8_t> lengths) {
  constexpr size_t kSymbolsMax = 512;
  SLIPWAY_CHECK(frequencies.size() <= kSymbolsMax && lengths.size() == frequencies.size());
  std::array<uint64_t, kSymbolsMax> order;
  size_t count = 0;
  for (size_t symbol = 0; symbol < frequencies.size(); ++symbol) {
    if (frequencies[symbol] != 0) order[count++] = uint64_t{frequencies[symbol]} << 16 | symbol;
  }
  SLIPWAY_CHECK(count >= 2 && count <= size_t{1} << bits_max);
  std::sort(order.begin(), order.begin() + count);
  std::array<uint32_t, kSymbolsMax> depths;
  for (size_t i = 0; i < count; ++i) depths[i] = static_cast<uint32_t>(order[i] >> 16);
  MinimumRedundancyDepths(absl::MakeSpan(depths).first(count));

  // Leaves that are too deep move up to bits_max; shallower ones move down until the code fits.
  std::array<uint32_t, 33> per_length = {};
  const auto limit = static_cast<uint32_t>(bits_max);
  for (size_t i = 0; i < count; ++i) ++per_length[std::min(depths[i], limit)];
  uint64_t space = 0;  // in units of the longest code; a complete code has 2^bits_max
  for (uint32_t length = 1; length <= limit; ++length) {
    space += uint64_t{per_length[length]} << (limit - length);
  }
  for (; space > uint64_t{1} << limit; --space) {
    uint32_t length = limit - 1;
    while (per_length[length] == 0) --length;
    --per_length[length];
    per_length[length + 1] += 2;
    --per_length[limit];
  }
  std::fill(lengths.begin(), lengths.end(), uint8_t{0});
  size_t i = 0;  // the rarest get the longest
  for (uint32_t length = limit; length >= 1; --length) {
    for (uint32_t n = per_length[length]; n > 0; --n) {
      lengths[order[i++] & 0xffff] = static_cast<uint8_t>(length);
    }
  }
}

LiteralLengths BuildLiteralLengths(const Histogram& histogram) {
  std::array<uint32_t, kLiteralSymbols> frequencies;
  std::copy(histogram.begin(), histogram.end(), frequencies.begin());
  frequencies[kEndOfBlock] = 1;
  LiteralLengths lengths;
  BuildCodeLengths(frequencies, kLiteralBitsMax, absl::MakeSpan(lengths));
  return lengths;
}

uint64_t CodedBits(const LiteralLengths& lengths, const Histogram& histogram) {
  uint64_t bits = lengths[kEndOfBlock];
  for (size_t i = 0; i < histogram.size(); ++i) bits += uint64_t{histogram[i]} * lengths[i];
  return bits;
}

uint64_t Order0Bits(const Histogram& histogram) {
  const Header header = BuildHeader(histogram);
  return header.bits + CodedBits(header.literals, histogram);
}

size_t LiteralBytesMax(size_t input_bytes) {
  const size_t blocks = input_bytes / kOrder0BlockBytes + 1;
  // Per block the stored headers, and a byte for bits lost in aligning them; at the end, the slack
  // of the last store.
  return input_bytes + blocks * (5 * (kOrder0BlockBytes / kStoredBytesMax + 1) + 1) + 16;
}

size_t WriteStored(BytesView data, uint8_t* out) {
  BitWriter writer(out);
  PutStored(data, /*final=*/true, writer);
  return writer.size();
}

size_t WriteOrder0(BytesView data, uint8_t* out) {
  BitWriter writer(out);
  do {
    const BytesView part = data.first(std::min(data.size(), kOrder0BlockBytes));
    data.remove_prefix(part.size());
    const Histogram histogram = CountBytes(part);
    const Header header = BuildHeader(histogram);
    if (StoredBitsMax(part.size()) <= header.bits + CodedBits(header.literals, histogram)) {
      PutStored(part, data.empty(), writer);
      continue;
    }
    std::array<Code, kLiteralSymbols> codes;
    AssignCodes(header.literals, absl::MakeSpan(codes));
    PutHeader(header, data.empty(), writer);
    PutBody(part, codes, writer);
  } while (!data.empty());
  writer.AlignToByte();
  return writer.size();
}

}  // namespace slipway::base::codec
