// Any bytes, as one piece and byte by byte: the limits hold, and both ways find the same request.
#include <cstddef>
#include <cstdint>
#include <memory>

#include "base/bytes.h"
#include "base/check.h"
#include "base/net/http/request_reader.h"

using slipway::base::net::RequestReader;

namespace {

constexpr size_t kMemory = 3000;

struct Outcome {
  size_t memory_left = kMemory;
  std::unique_ptr<RequestReader> reader;
  bool done = false;
};

// Feeds `bytes` in pieces of `piece` until the request is whole or refused.
void Feed(absl::string_view bytes, size_t piece, Outcome& outcome) {
  outcome.reader = std::make_unique<RequestReader>(
      slipway::base::net::ReaderLimits{.header_bytes_max = 1000, .body_bytes_max = 2000},
      outcome.memory_left);
  RequestReader& reader = *outcome.reader;
  std::string in;
  while (!bytes.empty()) {
    in.append(bytes.data(), std::min(piece, bytes.size()));
    bytes.remove_prefix(std::min(piece, bytes.size()));
    RequestReader::Progress progress = reader.Put(in);
    if (progress == RequestReader::Progress::kHeader) progress = reader.Put(in);
    if (progress == RequestReader::Progress::kRefused) {
      SLIPWAY_CHECK(reader.refusal().status >= 400);
      return;
    }
    if (progress == RequestReader::Progress::kDone) {
      outcome.done = true;
      return;
    }
    SLIPWAY_CHECK(in.size() <= 1000 + 100);
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const absl::string_view bytes = slipway::base::AsText({data, size});
  Outcome whole;
  Outcome pieces;
  Feed(bytes, size, whole);
  Feed(bytes, 1, pieces);
  SLIPWAY_CHECK(whole.done == pieces.done);
  for (Outcome* outcome : {&whole, &pieces}) {
    SLIPWAY_CHECK(outcome->reader->request().body.size() <= 2000);
    SLIPWAY_CHECK(outcome->reader->request().headers.size() <= 100);
    SLIPWAY_CHECK(outcome->memory_left + outcome->reader->memory_taken() == kMemory);
  }
  if (!whole.done) return 0;
  SLIPWAY_CHECK(whole.reader->target() == pieces.reader->target());
  SLIPWAY_CHECK(whole.reader->request().method == pieces.reader->request().method);
  SLIPWAY_CHECK(whole.reader->request().headers == pieces.reader->request().headers);
  SLIPWAY_CHECK(whole.reader->request().body == pieces.reader->request().body);
  SLIPWAY_CHECK(whole.reader->keep_alive() == pieces.reader->keep_alive());
  return 0;
}
