// rpc_load: the client of bench/cas/run. TARGET is `raw:PORT` (raw_peer) or `casd:CAS:TRANSPORT`
// (ports of zako-casd).
//
//   rpc_load put TARGET MIB SEED               one blob up; prints its digest too
//   rpc_load get TARGET DIGEST                 it comes down
//   rpc_load ask TARGET STREAMS ROUNDS SEED    10,000 digests of 4 KiB blobs a request
//   rpc_load small-put TARGET STREAMS COUNT SEED    4 KiB blobs, so many uploads at a time
//   rpc_load small-get TARGET STREAMS COUNT SEED
//   rpc_load hold TARGET CONNECTIONS STREAMS DIGEST    idle connections, and downloads that nobody
//                                              reads, until standard input ends
//
// Connections are made before the clock starts. Prints one line of JSON.
#include <atomic>
#include <chrono>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <string>
#include <vector>

#include "absl/strings/str_split.h"
#include "base/digest/blake3.h"
#include "blobs.h"
#include "rpc_client.h"

namespace slipway::bench {
namespace {

constexpr size_t kPieceBytes = 1 << 20;
constexpr size_t kSmallBytes = 4096;
constexpr size_t kBatch = 10'000;
constexpr size_t kConnections = 8;  // that the streams of one program share

using Clock = std::chrono::steady_clock;
double Since(Clock::time_point begin) {
  return std::chrono::duration<double>(Clock::now() - begin).count();
}

uint64_t Number(const char* text) { return std::strtoull(text, nullptr, 10); }

struct Target {
  explicit Target(const std::string& text) : parts(absl::StrSplit(text, ':')) {
    raw = parts[0] == "raw";
    if (raw) return;
    grpc::GenericStub cas(Connect(parts[1]));
    zako::v1::cas::GetTransportDetailsRequest request;
    request.add_supported_protocols(zako::v1::net::grpc);
    Latch latch(1);
    zako::v1::cas::TransportDetails details;
    grpc::ClientContext context;
    const grpc::ByteBuffer message = ToBuffer(request);
    grpc::ByteBuffer answer;
    cas.UnaryCall(&context, "/zako.v1.cas.ContentAddressableStorage/GetTransportDetails", {},
                  &message, &answer, [&](const grpc::Status& status) {
                    if (!status.ok()) Die(status.error_message());
                    latch.CountDown();
                  });
    latch.Wait();
    grpc::Slice slice;
    if (!answer.DumpToSingleSlice(&slice).ok() ||
        !details.ParseFromArray(slice.begin(), static_cast<int>(slice.size()))) {
      Die("no details");
    }
    token = details.auth_token();
  }
  std::shared_ptr<grpc::Channel> Transport() const { return Connect(parts.back()); }

  std::vector<std::string> parts;
  bool raw = false;
  std::string token;
};

// Memory for the pieces of a large upload: one piece, and for each message a number before it, so
// that no two messages and no two blobs are the same.
struct Pieces {
  base::Bytes piece = BlobOf(1, 2, kPieceBytes - 8);

  void Number(uint64_t seed, uint64_t number, uint8_t* out) const {
    base::StoreLittle(out, Mix(seed * 1'000'003 + number));
  }
  cas::Digest Digest(uint64_t seed, uint64_t count) const {
    base::Blake3 hash;
    for (uint64_t i = 0; i < count; ++i) {
      uint8_t number[8];
      Number(seed, i, number);
      hash.Update(base::BytesView(number, sizeof number));
      hash.Update(piece);
    }
    return {hash.Finish(), count * kPieceBytes};
  }
  // UploadRequest.chunk, field 2, of 2^20 bytes.
  grpc::ByteBuffer Message(uint64_t seed, uint64_t number) const {
    uint8_t head[12] = {0x12, 0x80, 0x80, 0x40};
    Number(seed, number, head + 4);
    const grpc::Slice slices[2] = {
        grpc::Slice(head, sizeof head),
        grpc::Slice(piece.data(), piece.size(), grpc::Slice::STATIC_SLICE)};
    return grpc::ByteBuffer(slices, 2);
  }
};

grpc::ByteBuffer UploadHead(const cas::Digest& digest) {
  zako::v1::transport::UploadRequest request;
  Fill(digest, request.mutable_metadata()->mutable_digest());
  request.mutable_metadata()->mutable_range();
  return ToBuffer(request);
}

grpc::ByteBuffer DownloadRequest(const cas::Digest& digest) {
  zako::v1::transport::DownloadRequest request;
  Fill(digest, request.mutable_metadata()->mutable_digest());
  request.mutable_metadata()->mutable_range();
  return ToBuffer(request);
}

int Put(const Target& target, uint64_t mib, uint64_t seed) {
  const Pieces pieces;
  const cas::Digest digest = pieces.Digest(seed, mib);
  grpc::GenericStub stub(target.Transport());
  Call::Spec spec;
  spec.method = target.raw ? "/raw/Sink" : "/zako.v1.transport.Transport/Upload";
  spec.token = target.token;
  spec.next = [&, sent = uint64_t{0}](grpc::ByteBuffer& out) mutable {
    if (sent > mib) return false;
    out = sent == 0 ? UploadHead(digest) : pieces.Message(seed, sent - 1);
    ++sent;
    return true;
  };
  const auto begin = Clock::now();
  RunCall(stub, std::move(spec));
  std::printf("{\"seconds\": %.6f, \"digest\": \"%s\"}\n", Since(begin), digest.ToString().c_str());
  return 0;
}

cas::Digest Parse(const char* text) {
  const auto digest = cas::ParseDigest(text);
  if (!digest.ok()) Die(std::string(digest.status().message()));
  return *digest;
}

int Get(const Target& target, const cas::Digest& digest) {
  grpc::GenericStub stub(target.Transport());
  Call::Spec spec;
  spec.method = target.raw ? "/raw/Stream" : "/zako.v1.transport.Transport/Download";
  spec.token = target.token;
  std::vector<grpc::ByteBuffer> messages;
  messages.push_back(target.raw ? ToBuffer(std::to_string(digest.size_bytes))
                                : DownloadRequest(digest));
  spec.next = Messages(std::move(messages));
  const auto begin = Clock::now();
  const uint64_t bytes = RunCall(stub, std::move(spec));
  const double seconds = Since(begin);
  if (bytes < digest.size_bytes) Die("bytes are missing");
  std::printf("{\"seconds\": %.6f}\n", seconds);
  return 0;
}

int Ask(const Target& target, size_t streams, uint64_t rounds, uint64_t seed) {
  zako::v1::cas::NegotiateBlobsRequest request;
  for (uint64_t i = 0; i < kBatch; ++i) {
    Fill(DigestOfBlob(seed, i, kSmallBytes), request.add_blob_digests());
  }
  const grpc::ByteBuffer message = ToBuffer(request);
  std::vector<grpc::GenericStub> stubs;
  for (size_t i = 0; i < streams; ++i) stubs.emplace_back(Connect(target.parts[1]));
  Latch latch(streams);
  std::atomic<uint64_t> bytes{0};
  const auto begin = Clock::now();
  for (grpc::GenericStub& stub : stubs) {
    Call::Spec spec;
    spec.method = "/zako.v1.cas.ContentAddressableStorage/NegotiateBlobs";
    spec.turns = true;
    spec.next = [&, sent = uint64_t{0}](grpc::ByteBuffer& out) mutable {
      if (sent == rounds) return false;
      out = message;
      ++sent;
      return true;
    };
    spec.done = [&](const grpc::Status& status, uint64_t received_bytes) {
      if (!status.ok()) Die(status.error_message());
      bytes += received_bytes;
      latch.CountDown();
    };
    Call::Start(stub, std::move(spec));
  }
  latch.Wait();
  const double seconds = Since(begin);
  std::printf("{\"seconds\": %.6f, \"digests\": %llu, \"answer_bytes\": %llu}\n", seconds,
              static_cast<unsigned long long>(streams * rounds * kBatch),
              static_cast<unsigned long long>(bytes));
  return 0;
}

// Keeps `streams` calls going until `count` are done.
class Small {
 public:
  Small(const Target& target, bool up, uint64_t count, uint64_t seed)
      : target_(target), up_(up), blobs_(count), digests_(count), latch_(count) {
    for (size_t i = 0; i < kConnections; ++i) stubs_.emplace_back(target.Transport());
    for (uint64_t i = 0; i < count; ++i) {
      blobs_[i] = BlobOf(seed, i, kSmallBytes);
      digests_[i] = cas::DigestOf(blobs_[i]);
    }
  }
  double Run(size_t streams) {
    const auto begin = Clock::now();
    for (size_t i = 0; i < streams; ++i) StartNext();
    latch_.Wait();
    return Since(begin);
  }

 private:
  void StartNext() {
    const size_t at = next_++;
    if (at >= blobs_.size()) return;
    Call::Spec spec;
    spec.method =
        up_ ? "/zako.v1.transport.Transport/Upload" : "/zako.v1.transport.Transport/Download";
    spec.token = target_.token;
    std::vector<grpc::ByteBuffer> messages;
    if (up_) {
      zako::v1::transport::UploadRequest chunk;
      chunk.set_chunk(blobs_[at].data(), blobs_[at].size());
      messages.push_back(UploadHead(digests_[at]));
      messages.push_back(ToBuffer(chunk));
    } else {
      messages.push_back(DownloadRequest(digests_[at]));
    }
    spec.next = Messages(std::move(messages));
    spec.done = [this](const grpc::Status& status, uint64_t bytes) {
      if (!status.ok()) Die(status.error_message());
      if (!up_ && bytes < kSmallBytes) Die("bytes are missing");
      StartNext();
      latch_.CountDown();
    };
    Call::Start(stubs_[at % kConnections], std::move(spec));
  }

  const Target& target_;
  const bool up_;
  std::vector<base::Bytes> blobs_;
  std::vector<cas::Digest> digests_;
  std::vector<grpc::GenericStub> stubs_;
  std::atomic<size_t> next_{0};
  Latch latch_;
};

int Hold(const Target& target, size_t connections, size_t streams, const cas::Digest& digest) {
  std::vector<std::shared_ptr<grpc::Channel>> idle;
  for (size_t i = 0; i < connections; ++i) idle.push_back(target.Transport());
  std::vector<grpc::GenericStub> stubs;
  for (size_t i = 0; i < kConnections; ++i) stubs.emplace_back(target.Transport());
  for (size_t i = 0; i < streams; ++i) {
    Call::Spec spec;
    spec.method = "/zako.v1.transport.Transport/Download";
    spec.token = target.token;
    spec.reads = false;
    std::vector<grpc::ByteBuffer> messages;
    messages.push_back(DownloadRequest(digest));
    spec.next = Messages(std::move(messages));
    spec.done = [](const grpc::Status&, uint64_t) {};
    Call::Start(stubs[i % kConnections], std::move(spec));
  }
  std::printf("{\"connections\": %zu, \"streams\": %zu}\n", connections, streams);
  std::fflush(stdout);
  while (std::getchar() != EOF) {
  }
  std::_Exit(0);  // the calls are left as they are: the server sees the connections end
}

int Run(const std::vector<char*>& words) {
  const std::string mode = words[1];
  const Target target(words[2]);
  const size_t count = words.size();
  if (mode == "put" && count == 5) return Put(target, Number(words[3]), Number(words[4]));
  if (mode == "get" && count == 4) return Get(target, Parse(words[3]));
  if (mode == "ask" && count == 6) {
    return Ask(target, Number(words[3]), Number(words[4]), Number(words[5]));
  }
  if (mode == "hold" && count == 6) {
    return Hold(target, Number(words[3]), Number(words[4]), Parse(words[5]));
  }
  if ((mode == "small-put" || mode == "small-get") && count == 6) {
    Small small(target, mode == "small-put", Number(words[4]), Number(words[5]));
    const double seconds = small.Run(Number(words[3]));
    std::printf("{\"seconds\": %.6f, \"count\": %s}\n", seconds, words[4]);
    std::fflush(stdout);
    std::_Exit(0);  // calls may still be ending
  }
  return -1;
}

}  // namespace
}  // namespace slipway::bench

int main(int argc, char** argv) {
  const int result = argc < 4 ? -1 : slipway::bench::Run({argv, argv + argc});
  if (result >= 0) return result;
  std::fprintf(stderr, "usage: %s put|get|ask|small-put|small-get|hold TARGET …; see the source\n",
               argv[0]);
  return 2;
}
