// Streams through a TestNet. Used by any thread; what happens to them happens on its loop.
#pragma once

#include <deque>
#include <memory>
#include <string>
#include <utility>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/types/span.h"
#include "base/bytes.h"
#include "eraft/transport/link/inbox.h"
#include "eraft/transport/link/streams.h"
#include "eraft/transport/link/test_net.h"

namespace slipway::eraft::link {

inline base::Bytes Flatten(const OutMessage& message) {
  base::Bytes bytes;
  for (const Piece& piece : message.pieces) {
    bytes.insert(bytes.end(), piece.view.begin(), piece.view.end());
  }
  return bytes;
}

// What both ends of a stream know; used on the loop only.
struct TestPipe {
  TestNet& net;
  const raft::NodeId from;
  raft::NodeId to = raft::kNoNode;
  std::shared_ptr<ClientEvents> events;  // null: closed at the client
  std::shared_ptr<Incoming> incoming;    // null: not begun, or finished
  std::unique_ptr<ServerStream> server;
  std::shared_ptr<void> client_hold, server_hold;
  std::shared_ptr<TestPipe> self;     // until the server's end is finished
  std::deque<base::Bytes> to_server;  // the sender waits for what lies here
  bool reading = false;

  void Pump() {
    if (to_server.empty()) return;
    if (net.IsCut(from, to)) {
      to_server.clear();  // the system's buffer took it
      if (events != nullptr) events->OnWritten();
      return;
    }
    if (!reading || incoming == nullptr) return;
    reading = false;
    const base::Bytes bytes = std::move(to_server.front());
    to_server.pop_front();
    const base::BytesView view(bytes);
    const std::shared_ptr<Incoming> taker = incoming;
    taker->OnMessage(absl::MakeSpan(&view, 1));
    if (events != nullptr) events->OnWritten();
  }
  void CloseClient(const absl::Status& status) {
    if (events == nullptr) return;
    const std::shared_ptr<ClientEvents> told = std::move(events);
    events = nullptr;
    told->OnBroken();
    told->OnClosed(status);
    client_hold = nullptr;
  }
};

template <class Do>
void PostTo(const std::shared_ptr<TestPipe>& pipe, Do what) {
  pipe->net.loop().Post([pipe, what = std::move(what)]() mutable { what(*pipe); });
}

class TestServerStream final : public ServerStream {
 public:
  explicit TestServerStream(std::weak_ptr<TestPipe> pipe) : pipe_(std::move(pipe)) {}
  void Write(OutMessage message) override {
    PostTo(pipe_.lock(), [bytes = Flatten(message)](TestPipe& pipe) {
      const base::BytesView view(bytes);
      const bool arrives = pipe.events != nullptr && !pipe.net.IsCut(pipe.to, pipe.from);
      if (arrives) pipe.events->OnMessage(absl::MakeSpan(&view, 1));
      if (pipe.incoming != nullptr) pipe.incoming->OnWritten(true);
    });
  }
  void Read() override {
    PostTo(pipe_.lock(), [](TestPipe& pipe) {
      pipe.reading = true;
      pipe.Pump();
    });
  }
  void Finish(const absl::Status& status) override {
    PostTo(pipe_.lock(), [status](TestPipe& pipe) {
      if (!pipe.net.IsCut(pipe.to, pipe.from)) pipe.CloseClient(status);
      pipe.incoming = nullptr;
      pipe.server_hold = nullptr;
      pipe.self = nullptr;
    });
  }

 private:
  const std::weak_ptr<TestPipe> pipe_;  // which owns this
};

class TestClientStream final : public ClientStream {
 public:
  explicit TestClientStream(std::shared_ptr<TestPipe> pipe) : pipe_(std::move(pipe)) {}
  void Write(OutMessage message) override {
    PostTo(pipe_, [bytes = Flatten(message)](TestPipe& pipe) mutable {
      pipe.to_server.push_back(std::move(bytes));
      pipe.Pump();
    });
  }
  void Cancel() override {
    PostTo(pipe_, [](TestPipe& pipe) {
      pipe.CloseClient(absl::CancelledError("cancelled"));
      const std::shared_ptr<Incoming> told = pipe.incoming;
      if (told != nullptr && !pipe.net.IsCut(pipe.from, pipe.to)) told->OnCancel();
    });
  }

 private:
  const std::shared_ptr<TestPipe> pipe_;
};

class TestDialer final : public Dialer {
 public:
  TestDialer(TestNet& net, raft::NodeId from, Running running)
      : net_(net), from_(from), running_(std::move(running)) {}

  absl::StatusOr<std::shared_ptr<ClientStream>> Dial(
      const std::string& address, std::shared_ptr<ClientEvents> events) override {
    auto pipe = std::shared_ptr<TestPipe>(new TestPipe{net_, from_});
    pipe->events = std::move(events);
    pipe->client_hold = running_.Hold();
    PostTo(pipe, [pipe = std::weak_ptr(pipe), address](TestPipe& self) {
      const std::shared_ptr<Inbox> inbox = self.net.Find(address);
      if (inbox == nullptr) return self.CloseClient(absl::UnavailableError("nobody listens"));
      self.to = inbox->world().own.self;
      if (self.events == nullptr || self.net.IsCut(self.from, self.to)) return;
      self.server_hold = Running(inbox->world().running).Hold();
      self.server = std::make_unique<TestServerStream>(pipe);
      self.self = pipe.lock();
      self.incoming = std::make_shared<Incoming>(inbox, *self.server, self.net.from(),
                                                 self.net.NamesOf(self.from));
      self.incoming->Start();
    });
    return std::make_shared<TestClientStream>(std::move(pipe));
  }

 private:
  TestNet& net_;
  const raft::NodeId from_;
  Running running_;
};

}  // namespace slipway::eraft::link
