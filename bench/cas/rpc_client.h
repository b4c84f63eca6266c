// Calls of raw messages for the programs of bench/cas: the same client code against zako-casd and
// against raw_peer, so that only the servers differ.
#pragma once

#include <grpcpp/create_channel.h>
#include <grpcpp/generic/generic_stub.h>
#include <grpcpp/security/credentials.h>

#include <condition_variable>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <functional>
#include <memory>
#include <mutex>
#include <string>
#include <utility>
#include <vector>

#include "cas/digest.h"
#include "compat/zako/v1/cas.pb.h"
#include "compat/zako/v1/transport.pb.h"

namespace slipway::bench {

[[noreturn]] inline void Die(const std::string& why) {
  std::fprintf(stderr, "rpc_load: %s\n", why.c_str());
  std::exit(1);
}

inline std::shared_ptr<grpc::Channel> Connect(const std::string& port) {
  grpc::ChannelArguments arguments;
  arguments.SetMaxReceiveMessageSize(-1);
  arguments.SetInt(GRPC_ARG_USE_LOCAL_SUBCHANNEL_POOL, 1);
  arguments.SetInt(GRPC_ARG_ENABLE_HTTP_PROXY, 0);
  auto channel =
      grpc::CreateCustomChannel("127.0.0.1:" + port, grpc::InsecureChannelCredentials(), arguments);
  if (!channel->WaitForConnected(std::chrono::system_clock::now() + std::chrono::seconds(20))) {
    Die("no connection to port " + port);
  }
  return channel;
}

inline grpc::ByteBuffer ToBuffer(const std::string& bytes) {
  const grpc::Slice slice(bytes);
  return grpc::ByteBuffer(&slice, 1);
}
inline grpc::ByteBuffer ToBuffer(const google::protobuf::MessageLite& message) {
  return ToBuffer(message.SerializeAsString());
}

inline void Fill(const cas::Digest& digest, zako::v1::digest::Digest* out) {
  out->set_size_bytes(digest.size_bytes);
  out->set_blake3(digest.blake3.data(), digest.blake3.size());
}

// Counts down; Wait returns at zero.
class Latch {
 public:
  explicit Latch(size_t count) : count_(count) {}
  void CountDown() {
    const std::lock_guard<std::mutex> lock(mutex_);
    if (--count_ == 0) zero_.notify_all();
  }
  void Wait() {
    std::unique_lock<std::mutex> lock(mutex_);
    zero_.wait(lock, [this] { return count_ == 0; });
  }

 private:
  std::mutex mutex_;
  std::condition_variable zero_;
  size_t count_;
};

// One call. `next` gives the messages to send, false at the end; with `turns` each waits for an
// answer, else they follow each other as fast as they are taken. `done` is called last, and the
// object deletes itself.
class Call final : public grpc::ClientBidiReactor<grpc::ByteBuffer, grpc::ByteBuffer> {
 public:
  using Next = std::function<bool(grpc::ByteBuffer&)>;
  using Done = std::function<void(const grpc::Status&, uint64_t received_bytes)>;
  struct Spec {
    std::string method;
    std::string token;
    bool turns = false;
    bool reads = true;  // false: the answers are left where they are, until the program ends
    Next next;
    Done done;
  };

  static void Start(grpc::GenericStub& stub, Spec spec) {
    auto* call = new Call(std::move(spec));
    if (!call->spec_.token.empty()) {
      call->context_.AddMetadata("authorization", "Bearer " + call->spec_.token);
    }
    stub.PrepareBidiStreamingCall(&call->context_, call->spec_.method, {}, call);
    call->Write();
    if (call->spec_.reads) call->StartRead(&call->answer_);
    call->StartCall();
  }

  void OnWriteDone(bool ok) override {
    if (ok && !spec_.turns) Write();
  }
  void OnReadDone(bool ok) override {
    if (!ok) return;
    received_bytes_ += answer_.Length();
    answer_.Clear();
    if (spec_.turns) Write();
    StartRead(&answer_);
  }
  void OnDone(const grpc::Status& status) override {
    const Done done = std::move(spec_.done);
    const uint64_t received_bytes = received_bytes_;
    delete this;
    done(status, received_bytes);
  }

 private:
  explicit Call(Spec spec) : spec_(std::move(spec)) {}
  void Write() {
    if (spec_.next(message_)) {
      StartWrite(&message_);
    } else if (!std::exchange(closed_, true)) {
      StartWritesDone();
    }
  }

  Spec spec_;
  grpc::ClientContext context_;
  grpc::ByteBuffer message_, answer_;
  uint64_t received_bytes_ = 0;
  bool closed_ = false;
};

// A Next that sends these.
inline Call::Next Messages(std::vector<grpc::ByteBuffer> messages) {
  return [messages = std::move(messages), at = size_t{0}](grpc::ByteBuffer& out) mutable {
    if (at == messages.size()) return false;
    out = std::move(messages[at++]);
    return true;
  };
}

// Runs one call to its end; the bytes that came.
inline uint64_t RunCall(grpc::GenericStub& stub, Call::Spec spec) {
  Latch latch(1);
  uint64_t bytes = 0;
  spec.done = [&](const grpc::Status& status, uint64_t received_bytes) {
    if (!status.ok()) Die(status.error_message());
    bytes = received_bytes;
    latch.CountDown();
  };
  Call::Start(stub, std::move(spec));
  latch.Wait();
  return bytes;
}

}  // namespace slipway::bench
