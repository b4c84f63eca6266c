// Encoders and decoders of packages against the libraries alone, one thread, in memory. Rates are
// per second of processor time; `ratio` is compressed size over input.
#include <benchmark/benchmark.h>
#include <libdeflate.h>
#include <zlib.h>
#include <zstd.h>

#include <algorithm>
#include <functional>
#include <memory>
#include <string>

#include "base/check.h"
#include "base/codec/codec.h"
#include "base/codec/test_corpus.h"

namespace slipway::base {
namespace {

constexpr size_t kBytes = 32 << 20;
constexpr size_t kOutBytes = kBytes + (1 << 20);
using Transform = std::function<size_t(BytesView in, absl::Span<uint8_t> out)>;

class InlinePool : public Pool {
 public:
  absl::Status Submit(Task job) override {
    job();
    return absl::OkStatus();
  }
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

size_t Encode(EncoderOptions options, BytesView in, absl::Span<uint8_t> out) {
  InlinePool pool;
  size_t size = 0;
  auto encoder = MakeEncoder(options, pool, [&](BytesView part) {
    std::copy(part.begin(), part.end(), out.begin() + static_cast<ptrdiff_t>(size));
    size += part.size();
    return absl::OkStatus();
  });
  SLIPWAY_CHECK((*encoder)->Append(in).ok());
  SLIPWAY_CHECK((*encoder)->Finish().ok());
  return size;
}

size_t Decode(Codec codec, BytesView in, absl::Span<uint8_t> out) {
  InlinePool pool;
  ViewSource source(in);
  const auto decoder = MakeDecoder({.codec = codec}, source, pool);
  size_t size = 0;
  while (true) {
    const auto read =
        (*decoder)->Read(out.subspan(size, std::min<size_t>(out.size() - size, 1 << 20)));
    SLIPWAY_CHECK(read.ok());
    if (*read == 0) return size;
    size += *read;
  }
}

size_t ZlibCompress(BytesView in, absl::Span<uint8_t> out) {
  z_stream stream = {};
  deflateInit2(&stream, 6, Z_DEFLATED, 15 + 16, 8, Z_DEFAULT_STRATEGY);
  stream.next_in = const_cast<Bytef*>(in.data());
  stream.avail_in = static_cast<uInt>(in.size());
  stream.next_out = out.data();
  stream.avail_out = static_cast<uInt>(out.size());
  SLIPWAY_CHECK(deflate(&stream, Z_FINISH) == Z_STREAM_END);
  deflateEnd(&stream);
  return stream.total_out;
}

size_t ZlibDecompress(BytesView in, absl::Span<uint8_t> out) {
  z_stream stream = {};
  inflateInit2(&stream, 15 + 16);
  stream.next_in = const_cast<Bytef*>(in.data());
  stream.avail_in = static_cast<uInt>(in.size());
  stream.next_out = out.data();
  stream.avail_out = static_cast<uInt>(out.size());
  SLIPWAY_CHECK(inflate(&stream, Z_FINISH) == Z_STREAM_END);
  inflateEnd(&stream);
  return stream.total_out;
}

size_t LibdeflateCompress(BytesView in, absl::Span<uint8_t> out) {
  libdeflate_compressor* const compressor = libdeflate_alloc_compressor(6);
  const size_t size =
      libdeflate_gzip_compress(compressor, in.data(), in.size(), out.data(), out.size());
  libdeflate_free_compressor(compressor);
  return size;
}

size_t LibdeflateDecompress(BytesView in, absl::Span<uint8_t> out) {
  libdeflate_decompressor* const decompressor = libdeflate_alloc_decompressor();
  size_t size = 0;
  SLIPWAY_CHECK(libdeflate_gzip_decompress(decompressor, in.data(), in.size(), out.data(),
                                           out.size(), &size) == LIBDEFLATE_SUCCESS);
  libdeflate_free_decompressor(decompressor);
  return size;
}

size_t ZstdCompress(BytesView in, absl::Span<uint8_t> out) {
  return ZSTD_compress(out.data(), out.size(), in.data(), in.size(), 3);
}

size_t ZstdDecompress(BytesView in, absl::Span<uint8_t> out) {
  return ZSTD_decompress(out.data(), out.size(), in.data(), in.size());
}

struct Peer {
  const char* name;
  Transform encode;  // what prepares the input of `decode`, when both are there
  Transform decode;
};

void Add(const std::string& corpus, std::shared_ptr<const Bytes> data) {
  const auto ours = [](Codec codec, int level, bool all = false) {
    return [=](BytesView in, absl::Span<uint8_t> out) {
      return Encode({.codec = codec, .level = level, .compress_all = all}, in, out);
    };
  };
  const auto read = [](Codec codec) {
    return [=](BytesView in, absl::Span<uint8_t> out) { return Decode(codec, in, out); };
  };
  const Peer peers[] = {
      {"gzip6/slipway", ours(Codec::kGzip, 6), read(Codec::kGzip)},
      {"gzip6/slipway_compress_all", ours(Codec::kGzip, 6, true), read(Codec::kGzip)},
      {"gzip6/zlib", ZlibCompress, ZlibDecompress},
      {"gzip6/zlib_read_by_slipway", ZlibCompress, read(Codec::kGzip)},
      {"gzip6/libdeflate", LibdeflateCompress, LibdeflateDecompress},
      {"zstd3/slipway", ours(Codec::kZstd, 3), read(Codec::kZstd)},
      {"zstd3/libzstd", ZstdCompress, ZstdDecompress},
  };
  for (const Peer& peer : peers) {
    const auto run = [data](benchmark::State& state, const Transform& prepare,
                            const Transform& measured) {
      Bytes packed(kOutBytes), out(kOutBytes);
      packed.resize(prepare(*data, absl::MakeSpan(packed)));
      const bool decodes = measured != nullptr;
      for (auto _ : state) {
        const size_t size =
            decodes ? measured(packed, absl::MakeSpan(out)) : prepare(*data, absl::MakeSpan(out));
        SLIPWAY_CHECK(size == (decodes ? data->size() : packed.size()));
      }
      state.SetBytesProcessed(state.iterations() * static_cast<int64_t>(data->size()));
      state.counters["ratio"] =
          static_cast<double>(packed.size()) / static_cast<double>(data->size());
    };
    const std::string name = corpus + "/" + peer.name;
    benchmark::RegisterBenchmark(("encode/" + name).c_str(), [=](benchmark::State& state) {
      run(state, peer.encode, nullptr);
    })->MeasureProcessCPUTime();
    benchmark::RegisterBenchmark(("decode/" + name).c_str(), [=](benchmark::State& state) {
      run(state, peer.encode, peer.decode);
    })->MeasureProcessCPUTime();
  }
}

}  // namespace
}  // namespace slipway::base

int main(int argc, char** argv) {
  namespace base = slipway::base;
  namespace codec = slipway::base::codec;
  base::Add("weights", std::make_shared<base::Bytes>(codec::Weights32(base::kBytes)));
  base::Add("bfloat16", std::make_shared<base::Bytes>(codec::Weights16(base::kBytes)));
  base::Add("random", std::make_shared<base::Bytes>(codec::RandomBytes(base::kBytes)));
  base::Add("text", std::make_shared<base::Bytes>(codec::Text(base::kBytes)));
  base::Add("records", std::make_shared<base::Bytes>(codec::Records(base::kBytes)));
  base::Add("mixed", std::make_shared<base::Bytes>(codec::Mixed(base::kBytes)));
  benchmark::Initialize(&argc, argv);
  if (benchmark::ReportUnrecognizedArguments(argc, argv)) return 1;
  benchmark::RunSpecifiedBenchmarks();
  return 0;
}
