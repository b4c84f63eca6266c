// raw_peer PORT_FILE: a gRPC server with nothing behind it, the peer that zako-casd is held
// against.
//
// /raw/Stream: the request is a decimal number of bytes; answered by messages of 1 MiB, always the
// same slice in memory, framed as DownloadResponse. /raw/Sink: takes messages and drops them.
// Serves 127.0.0.1 until standard input ends.
#include <grpcpp/generic/async_generic_service.h>
#include <grpcpp/security/server_credentials.h>
#include <grpcpp/server.h>
#include <grpcpp/server_builder.h>

#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <memory>
#include <string>
#include <vector>

namespace {

constexpr size_t kPieceBytes = 1 << 20;

// Field 1, length 2^20.
const uint8_t kHeader[] = {0x0a, 0x80, 0x80, 0x40};

const grpc::ByteBuffer& Piece() {
  static const auto* const kPiece = [] {
    static uint8_t bytes[kPieceBytes];
    for (size_t i = 0; i < kPieceBytes; ++i) bytes[i] = static_cast<uint8_t>(i * 7);
    const grpc::Slice slices[2] = {grpc::Slice(kHeader, sizeof kHeader),
                                   grpc::Slice(bytes, kPieceBytes, grpc::Slice::STATIC_SLICE)};
    return new grpc::ByteBuffer(slices, 2);
  }();
  return *kPiece;
}

class StreamReactor final : public grpc::ServerGenericBidiReactor {
 public:
  StreamReactor() { StartRead(&message_); }
  void OnReadDone(bool ok) override {
    std::vector<grpc::Slice> slices;
    if (!ok || !message_.Dump(&slices).ok()) return Finish(grpc::Status::CANCELLED);
    std::string text;
    for (const grpc::Slice& slice : slices) {
      text.append(reinterpret_cast<const char*>(slice.begin()), slice.size());
    }
    left_ = std::strtoull(text.c_str(), nullptr, 10) / kPieceBytes;
    Write();
  }
  void OnWriteDone(bool ok) override { ok ? Write() : Finish(grpc::Status::CANCELLED); }
  void OnDone() override { delete this; }

 private:
  void Write() {
    if (left_ == 0) return Finish(grpc::Status::OK);
    --left_;
    StartWrite(&Piece());
  }

  grpc::ByteBuffer message_;
  uint64_t left_ = 0;
};

class SinkReactor final : public grpc::ServerGenericBidiReactor {
 public:
  SinkReactor() { StartRead(&message_); }
  void OnReadDone(bool ok) override {
    if (ok) {
      message_.Clear();
      return StartRead(&message_);
    }
    const grpc::Slice empty("");
    message_ = grpc::ByteBuffer(&empty, 1);
    StartWriteAndFinish(&message_, {}, grpc::Status::OK);
  }
  void OnDone() override { delete this; }

 private:
  grpc::ByteBuffer message_;
};

class Peer final : public grpc::CallbackGenericService {
 public:
  grpc::ServerGenericBidiReactor* CreateReactor(
      grpc::GenericCallbackServerContext* context) override {
    if (context->method() == "/raw/Stream") return new StreamReactor;
    return new SinkReactor;
  }
};

}  // namespace

int main(int argc, char** argv) {
  if (argc != 2) {
    std::fprintf(stderr, "usage: %s PORT_FILE\n", argv[0]);
    return 2;
  }
  Peer peer;
  int port = 0;
  grpc::ServerBuilder builder;
  builder.SetMaxReceiveMessageSize(4 << 20);
  builder.RegisterCallbackGenericService(&peer);
  builder.AddListeningPort("127.0.0.1:0", grpc::InsecureServerCredentials(), &port);
  const std::unique_ptr<grpc::Server> server = builder.BuildAndStart();
  std::FILE* const file = server == nullptr ? nullptr : std::fopen(argv[1], "w");
  if (file == nullptr) return 1;
  std::fprintf(file, "%d\n", port);
  std::fclose(file);
  while (std::getchar() != EOF) {
  }
  return 0;
}
