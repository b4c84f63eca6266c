// Bytes are a message or none wherever they are cut, what is handed out lies within them, and what
// the strict rules take the others take too, and the same.
#include <cstddef>
#include <cstdint>
#include <vector>

#include "absl/types/span.h"
#include "base/bytes.h"
#include "base/check.h"
#include "base/protobuf_reader.h"

namespace {

namespace base = slipway::base;
using base::ProtobufReader;
using base::ProtobufType;

struct Seen {
  bool ok = false;
  std::vector<uint64_t> numbers;
  base::Bytes bytes;
};

// Fields 1 and 2 are numbers, 3 a bool, 4 bytes, 5 a message like this one; deeper ones are
// unknown.
bool Read(ProtobufReader& in, size_t end, int depth, Seen* seen) {
  return in.Fields(end, [&](uint32_t field, ProtobufType type) -> std::optional<bool> {
    uint64_t number = 0;
    if (field <= 2 && type == ProtobufType::kVarint) {
      if (!in.Varint(&number)) return false;
      return seen->numbers.push_back(number), true;
    }
    bool flag = false;
    if (field == 3 && type == ProtobufType::kVarint) return in.Bool(&flag);
    if (type != ProtobufType::kBytes) return std::nullopt;
    if (field == 4) {
      return in.Length(&number) && in.Pieces(number, [&](base::BytesView piece) {
        seen->bytes.insert(seen->bytes.end(), piece.begin(), piece.end());
      });
    }
    size_t inner = 0;
    if (field != 5 || depth == 0) return std::nullopt;
    return in.Enter(end, &inner) && Read(in, inner, depth - 1, seen);
  });
}

Seen Parse(absl::Span<const base::BytesView> pieces, ProtobufReader::Rules rules) {
  Seen seen;
  ProtobufReader in(pieces, rules);
  seen.ok = Read(in, 0, 5, &seen);
  SLIPWAY_CHECK(!seen.ok || in.left() == 0);
  return seen;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const base::BytesView input(data, size);
  const size_t cut = size == 0 ? 0 : data[size - 1] % size;
  const base::BytesView pieces[] = {input.subspan(0, cut), {}, input.subspan(cut)};
  Seen seen[2];
  for (const auto rules : {ProtobufReader::Rules::kAsGenerated, ProtobufReader::Rules::kStrict}) {
    const Seen whole = Parse(absl::MakeSpan(&input, 1), rules);
    const Seen parted = Parse(pieces, rules);
    SLIPWAY_CHECK(whole.ok == parted.ok);
    SLIPWAY_CHECK(whole.numbers == parted.numbers);
    SLIPWAY_CHECK(!whole.ok || whole.bytes == parted.bytes);
    SLIPWAY_CHECK(whole.bytes.size() <= size);
    seen[rules == ProtobufReader::Rules::kStrict ? 1 : 0] = whole;
  }
  if (!seen[1].ok) return 0;
  SLIPWAY_CHECK(seen[0].ok);
  SLIPWAY_CHECK(seen[0].numbers == seen[1].numbers);
  SLIPWAY_CHECK(seen[0].bytes == seen[1].bytes);
  return 0;
}
