// Compressed streams of packages: parallel encoders whose bytes depend on input and options only,
// and decoders with limits (D140, D141). Formats: docs/formats/compression.md.
//
// Encoders and decoders wait for jobs, so they are used by threads that are none of the pool's
// jobs.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "absl/functional/any_invocable.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "base/bytes.h"
#include "base/pool.h"
#include "base/status.h"

namespace slipway::base {

enum class Codec : uint8_t { kNone, kGzip, kZstd };

absl::string_view CodecName(Codec codec);                  // "none", "gzip", "zstd"
absl::StatusOr<Codec> ParseCodec(absl::string_view name);  // InvalidArgument names the known
absl::string_view CodecSuffix(Codec codec);                // "", ".gz", ".zst"
std::pair<int, int> CodecLevels(Codec codec);              // lowest, highest; {0, 0} for none
int CodecLevelDefault(Codec codec);                        // gzip 6, zstd 3

// Where output goes. Called in stream order by the thread that calls Append or Finish.
using ByteSink = absl::AnyInvocable<absl::Status(BytesView)>;

struct EncoderOptions {
  Codec codec = Codec::kGzip;
  int level = 6;
  // False: per 1 MiB block a sample may choose stored or Huffman-only coding (D40). True: the full
  // level everywhere.
  bool compress_all = false;
};

// Compresses one stream. Thread-compatible; its jobs run on `pool`, the caller helps.
// Memory: at most pool.threads() + 4 blocks of 1 MiB (gzip) or pool.threads() + 2 of 8 MiB (zstd),
// of input and output each, and per running job the tables of its level (gzip below 1 MiB, zstd 2
// MiB at level 1 to 90 MiB at 19). Destruction before Finish cancels: jobs that have not begun are
// dropped, running ones waited for.
class Encoder {
 public:
  virtual ~Encoder() = default;
  // Errors of the sink come back from here or from Finish; the encoder is then unusable.
  virtual absl::Status Append(BytesView data) = 0;
  virtual absl::Status Finish() = 0;
  // {offset in the compressed stream, offset in the input} where each member or frame handed to the
  // sink begins, ascending; decoding may start at any of them. Complete after Finish, and then
  // never empty: without compression, and for an empty stream, it is {0, 0}.
  virtual const std::vector<std::pair<uint64_t, uint64_t>>& frames() const = 0;
};
// InvalidArgument: level out of range, naming the range.
Owned<Encoder> MakeEncoder(const EncoderOptions& options, Pool& pool, ByteSink sink);
// The same bytes from the calling thread alone, with the memory of one block.
Owned<Encoder> MakeSerialEncoder(const EncoderOptions& options, ByteSink sink);

// Reads bytes in order: up to out.size(), 0 at the end.
class ByteSource {
 public:
  virtual ~ByteSource() = default;
  virtual absl::StatusOr<size_t> Read(absl::Span<uint8_t> out) = 0;
};

struct DecoderOptions {
  Codec codec = Codec::kGzip;
  // ResourceExhausted beyond: a bomb, or a lie in the manifest (D192).
  uint64_t output_bytes_max = UINT64_MAX;
  // Largest zstd window accepted from a foreign stream.
  uint64_t window_bytes_max = 128ull << 20;
};

// Decompresses; own streams block-parallel, foreign ones (one member, many members, any frame
// sizes) serially, one block ahead. Reads ahead at most pool.threads() + 2 blocks of 1 MiB (gzip),
// pool.threads() + 1 of 8 MiB (zstd). Thread-compatible; `compressed` is read by the thread that
// calls Read. DataLoss: the stream is damaged or ends early, with the offset. Trailing bytes that
// are not a member or frame: DataLoss. A stream cut between two members or frames is whole by its
// format; whoever knows the size has to compare it. Errors of `compressed` come back as they are.
Owned<ByteSource> MakeDecoder(const DecoderOptions& options, ByteSource& compressed, Pool& pool);

// Decompresses zstd on the calling thread, piece by piece: about a MiB and a window, whatever the
// size of the frames. For side files that are read line by line. Errors as MakeDecoder.
Owned<ByteSource> MakeZstdReader(ByteSource& compressed, uint64_t output_bytes_max,
                                 uint64_t window_bytes_max);

// One buffer at once, for small side files. CompressZstd: one frame with content size and checksum;
// InvalidArgument: level out of range. DecompressZstd takes what MakeDecoder takes, with its
// errors.
absl::StatusOr<Bytes> CompressZstd(BytesView data, int level);
absl::StatusOr<Bytes> DecompressZstd(BytesView data, uint64_t output_bytes_max);

}  // namespace slipway::base
