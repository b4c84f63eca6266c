// A message of a peer is refused, or says the same wherever its bytes are cut and when it is
// written anew; frames never grow over their limit.
#include <cstddef>
#include <cstdint>
#include <memory>
#include <vector>

#include "base/bytes.h"
#include "base/check.h"
#include "eraft/transport/link/assembler.h"
#include "eraft/transport/link/limits.h"
#include "eraft/transport/link/wire.h"

namespace {

namespace base = slipway::base;
namespace link = slipway::eraft::link;

base::Bytes DataOf(const link::Message& message, const link::PartView& part) {
  base::Bytes data;
  for (const base::BytesView& piece : message.PiecesOf(part)) {
    data.insert(data.end(), piece.begin(), piece.end());
  }
  SLIPWAY_CHECK(data.size() == part.bytes);
  return data;
}

void CheckSame(const link::Message& a, const link::Message& b) {
  SLIPWAY_CHECK(a.envelope == b.envelope);
  SLIPWAY_CHECK(a.parts.size() == b.parts.size());
  for (size_t i = 0; i < a.parts.size(); ++i) {
    SLIPWAY_CHECK(a.parts[i].more == b.parts[i].more);
    SLIPWAY_CHECK(a.parts[i].urgent == b.parts[i].urgent);
    SLIPWAY_CHECK(DataOf(a, a.parts[i]) == DataOf(b, b.parts[i]));
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const base::BytesView input(data, size);
  const auto message = link::ParseMessage(absl::MakeSpan(&input, 1));
  const size_t cut = size == 0 ? 0 : data[0] % size;
  const base::BytesView pieces[] = {input.subspan(0, cut), {}, input.subspan(cut)};
  const auto again = link::ParseMessage(pieces);
  SLIPWAY_CHECK(message.ok() == again.ok());
  if (!message.ok()) return 0;
  CheckSame(*message, *again);

  link::MessageWriter writer(message->envelope);
  for (const link::PartView& part : message->parts) {
    const auto bytes = std::make_shared<const base::Bytes>(DataOf(*message, part));
    writer.AddPart(bytes, 0, bytes->size(), part.more, part.urgent);
  }
  const link::OutMessage out = writer.Finish();
  std::vector<base::BytesView> written;
  for (const link::Piece& piece : out.pieces) written.push_back(piece.view);
  const auto third = link::ParseMessage(written);
  SLIPWAY_CHECK(third.ok());
  CheckSame(*message, *third);

  link::Assembler assembler;
  std::vector<base::Bytes> frames;
  for (int i = 0; i < 3 && assembler.Add(*message, &frames).ok(); ++i) {
  }
  SLIPWAY_CHECK(assembler.unfinished_bytes() <= link::kFrameBytesMax);
  return 0;
}
