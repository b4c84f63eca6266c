#include "base/codec/codec.h"

#include <zstd.h>

#include <algorithm>

#include "absl/strings/str_cat.h"
#include "base/check.h"
#include "base/codec/block_encoder.h"
#include "base/codec/format.h"
#include "base/codec/read_ahead.h"
#include "base/codec/zstd_frame.h"
#include "base/units.h"

namespace slipway::base {
namespace {

constexpr size_t kSerialOutputBytes = kMiB;
// Beside those that threads work at. A frame of zstd is large (D262), a member of gzip is not.
constexpr size_t kSpareMembers = 2, kSpareFrames = 1;

class PlainEncoder : public Encoder {
 public:
  explicit PlainEncoder(ByteSink sink) : sink_(std::move(sink)) {}
  absl::Status Append(BytesView data) override {
    SLIPWAY_CHECK(!finished_);
    if (failed_.ok() && !data.empty()) failed_ = sink_(data);
    return failed_;
  }
  absl::Status Finish() override {
    SLIPWAY_CHECK(!finished_);
    finished_ = true;
    return failed_;
  }
  const std::vector<std::pair<uint64_t, uint64_t>>& frames() const override { return frames_; }

 private:
  ByteSink sink_;
  absl::Status failed_;
  bool finished_ = false;
  const std::vector<std::pair<uint64_t, uint64_t>> frames_ = {{0, 0}};
};

class PlainDecoder : public ByteSource {
 public:
  PlainDecoder(uint64_t output_bytes_max, ByteSource& source)
      : source_(source), left_(output_bytes_max) {}
  absl::StatusOr<size_t> Read(absl::Span<uint8_t> out) override {
    SLIPWAY_RETURN_IF_ERROR(failed_);
    // One more than allowed, to tell "just at the limit" from "over it".
    if (left_ < out.size()) out = out.first(static_cast<size_t>(left_) + 1);
    absl::StatusOr<size_t> read = source_.Read(out);
    if (read.ok() && *read > left_) {
      read = absl::ResourceExhaustedError("read package: it is larger than its limit");
    }
    if (!read.ok()) {
      failed_ = read.status();
    } else {
      left_ -= *read;
    }
    return read;
  }

 private:
  ByteSource& source_;
  uint64_t left_;
  absl::Status failed_;
};

struct CodecRow {
  Codec codec;
  absl::string_view name, suffix;
  int level_min, level_default, level_max;
};
constexpr CodecRow kCodecs[] = {
    {Codec::kNone, "none", "", 0, 0, 0},
    {Codec::kGzip, "gzip", ".gz", 1, 6, 9},
    {Codec::kZstd, "zstd", ".zst", 1, 3, 19},
};

const CodecRow& Row(Codec codec) {
  const CodecRow& row = kCodecs[static_cast<size_t>(codec)];
  SLIPWAY_CHECK(row.codec == codec);
  return row;
}

absl::Status CheckLevel(Codec codec, int level) {
  const CodecRow& row = Row(codec);
  if (codec == Codec::kNone || (level >= row.level_min && level <= row.level_max)) {
    return absl::OkStatus();
  }
  return absl::InvalidArgumentError(absl::StrCat("compress with ", row.name, ": level ", level,
                                                 " is not in the range ", row.level_min, " to ",
                                                 row.level_max));
}

// Runs nothing: who submits has to run the job itself.
class NoPool : public Pool {
 public:
  absl::Status Submit(Task) override { return absl::ResourceExhaustedError("no threads"); }
  bool RunOne() override { return false; }
  int threads() const override { return 1; }
};

class ViewSource : public ByteSource {
 public:
  explicit ViewSource(BytesView bytes) : bytes_(bytes) {}
  absl::StatusOr<size_t> Read(absl::Span<uint8_t> out) override {
    const size_t count = std::min(out.size(), bytes_.size());
    std::copy_n(bytes_.begin(), count, out.begin());
    bytes_.remove_prefix(count);
    return count;
  }

 private:
  BytesView bytes_;
};

}  // namespace

absl::string_view CodecName(Codec codec) { return Row(codec).name; }
absl::string_view CodecSuffix(Codec codec) { return Row(codec).suffix; }
int CodecLevelDefault(Codec codec) { return Row(codec).level_default; }

std::pair<int, int> CodecLevels(Codec codec) {
  return {Row(codec).level_min, Row(codec).level_max};
}

absl::StatusOr<Codec> ParseCodec(absl::string_view name) {
  for (const CodecRow& row : kCodecs) {
    if (row.name == name) return row.codec;
  }
  return absl::InvalidArgumentError(absl::StrCat("choose compression: \"", EscapeForTerminal(name),
                                                 "\" is none of none, gzip, zstd"));
}

Owned<Encoder> MakeEncoder(const EncoderOptions& options, Pool& pool, ByteSink sink) {
  SLIPWAY_RETURN_IF_ERROR(CheckLevel(options.codec, options.level));
  switch (options.codec) {
    case Codec::kNone:
      break;
    case Codec::kGzip:
      return std::make_unique<codec::BlockEncoder>(
          codec::MakeGzipCoder(options.level, options.compress_all), codec::kMemberInputBytes, pool,
          std::move(sink));
    case Codec::kZstd:
      return std::make_unique<codec::BlockEncoder>(codec::MakeZstdCoder(options.level),
                                                   codec::kFrameInputBytes, pool, std::move(sink));
  }
  return std::make_unique<PlainEncoder>(std::move(sink));
}

namespace {

class SerialEncoder : public Encoder {
 public:
  absl::Status Init(const EncoderOptions& options, ByteSink sink) {
    SLIPWAY_ASSIGN_OR_RETURN(encoder_, MakeEncoder(options, pool_, std::move(sink)));
    return absl::OkStatus();
  }
  absl::Status Append(BytesView data) override { return encoder_->Append(data); }
  absl::Status Finish() override { return encoder_->Finish(); }
  const std::vector<std::pair<uint64_t, uint64_t>>& frames() const override {
    return encoder_->frames();
  }

 private:
  NoPool pool_;
  std::unique_ptr<Encoder> encoder_;
};

}  // namespace

Owned<Encoder> MakeSerialEncoder(const EncoderOptions& options, ByteSink sink) {
  auto encoder = std::make_unique<SerialEncoder>();
  SLIPWAY_RETURN_IF_ERROR(encoder->Init(options, std::move(sink)));
  return encoder;
}

Owned<ByteSource> MakeDecoder(const DecoderOptions& options, ByteSource& compressed, Pool& pool) {
  std::unique_ptr<codec::Splitter> splitter;
  switch (options.codec) {
    case Codec::kNone:
      return std::make_unique<PlainDecoder>(options.output_bytes_max, compressed);
    case Codec::kGzip:
      splitter = codec::MakeGzipSplitter();
      break;
    case Codec::kZstd:
      splitter = codec::MakeZstdSplitter(options.window_bytes_max, /*frames_whole=*/true);
      break;
  }
  return std::make_unique<codec::ReadAhead>(
      std::move(splitter), options.codec == Codec::kZstd ? kSpareFrames : kSpareMembers,
      kSerialOutputBytes, options.output_bytes_max, compressed, pool);
}

namespace {

class ZstdReader : public ByteSource {
 public:
  ZstdReader(ByteSource& compressed, uint64_t output_bytes_max, uint64_t window_bytes_max)
      : decoder_(codec::MakeZstdSplitter(window_bytes_max, /*frames_whole=*/false), kSpareFrames,
                 kReaderOutputBytes, output_bytes_max, compressed, pool_) {}
  absl::StatusOr<size_t> Read(absl::Span<uint8_t> out) override { return decoder_.Read(out); }

 private:
  static constexpr size_t kReaderOutputBytes = 256 * kKiB;

  NoPool pool_;
  codec::ReadAhead decoder_;
};

}  // namespace

Owned<ByteSource> MakeZstdReader(ByteSource& compressed, uint64_t output_bytes_max,
                                 uint64_t window_bytes_max) {
  return std::make_unique<ZstdReader>(compressed, output_bytes_max, window_bytes_max);
}

absl::StatusOr<Bytes> CompressZstd(BytesView data, int level) {
  SLIPWAY_RETURN_IF_ERROR(CheckLevel(Codec::kZstd, level));
  Bytes out(ZSTD_compressBound(data.size()));
  codec::FrameCompressor compressor(level);
  SLIPWAY_ASSIGN_OR_RETURN(const size_t bytes, compressor.Compress(data, absl::MakeSpan(out)));
  out.resize(bytes);
  return out;
}

absl::StatusOr<Bytes> DecompressZstd(BytesView data, uint64_t output_bytes_max) {
  NoPool pool;
  ViewSource source(data);
  SLIPWAY_ASSIGN_OR_RETURN(
      const std::unique_ptr<ByteSource> decoder,
      MakeDecoder({.codec = Codec::kZstd, .output_bytes_max = output_bytes_max}, source, pool));
  Bytes out;
  while (true) {
    constexpr size_t kStep = 64 * kKiB;
    const size_t before = out.size();
    out.resize(std::max(before + kStep, std::min(out.capacity(), before + kMiB)));
    SLIPWAY_ASSIGN_OR_RETURN(const size_t read, decoder->Read(absl::MakeSpan(out).subspan(before)));
    out.resize(before + read);
    if (read == 0) return out;
  }
}

}  // namespace slipway::base
