// A node's transport on this machine: server, loop and files of its own. Thread-safe.
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/time/time.h"
#include "base/metrics/metrics.h"
#include "base/net/grpc/server.h"
#include "base/net/health.h"
#include "base/net/tls.h"
#include "base/os/clock.h"
#include "base/os/files.h"
#include "base/os/loop.h"
#include "base/os/pool.h"
#include "base/os/random.h"
#include "base/sync/mutex.h"
#include "base/testing/status_matchers.h"
#include "eraft/transport/transport.h"

namespace slipway::eraft {

constexpr absl::Duration kPatience = absl::Seconds(30);

// Looks again and again until `done` or kPatience.
inline bool WaitUntil(const std::function<bool()>& done) {
  base::os::SystemClock clock;
  base::Mutex mutex;
  base::CondVar never;
  const absl::Duration until = clock.Monotonic() + kPatience;
  while (!done()) {
    if (clock.Monotonic() > until) return false;
    const base::MutexLock lock(mutex);
    never.WaitFor(mutex, absl::Milliseconds(2));
  }
  return true;
}

struct TestNodeOptions {
  raft::NodeId id = 1;
  uint64_t incarnation = 0;  // 0: 100 + id
  uint8_t cluster = 1;
  size_t bulk_bytes_max = 32 << 20;
  base::net::TlsOptions client_tls, server_tls;
  bool certificate_required = false;
  bool unary = false;
  std::string token, wanted_token;
  std::string address = "127.0.0.1:0";
  base::net::ServerOptions server;
};

class TestNode {
 public:
  // `dir` holds PEERS.
  TestNode(TestNodeOptions options, const std::string& dir) : options_(std::move(options)) {
    dir_ = files_.OpenRoot(dir).value();
    incarnations_ = PeersFile::Open(*dir_).value();
    TransportOptions transport{
        .self = options_.id,
        .incarnation = options_.incarnation != 0 ? options_.incarnation : 100 + options_.id,
        .address = options_.address,
        .tls = options_.client_tls,
        .certificate_required = options_.certificate_required,
        .bulk_bytes_max = options_.bulk_bytes_max};
    transport.cluster.fill(options_.cluster);
    transport.token = [this] { return options_.token; };
    transport.unary = options_.unary;
    if (!options_.wanted_token.empty()) {
      transport.admit = [wanted = "Bearer " + options_.wanted_token](const base::net::Call& call) {
        return call.authorization == wanted ? absl::OkStatus()
                                            : absl::UnauthenticatedError("no token of a node");
      };
    }
    transport_ = PeerTransport::Open(
                     transport, {loop_, clock_, pool_, random_, files_, metrics_, *incarnations_})
                     .value();
    transport_->Receive([this](uint64_t peer, base::Bytes frame) {
      if (on_frame_) on_frame_(peer, frame);
      const base::MutexLock lock(mutex_);
      frames_.emplace_back(peer, std::move(frame));
    });
    StartServer();
  }
  ~TestNode() {
    transport_->Stop();
    server_.reset();
    if (watcher_ != nullptr) watcher_->Stop();
  }

  std::string address() const { return absl::StrCat("127.0.0.1:", server_->port(0)); }
  void Know(const std::vector<const TestNode*>& nodes) {
    std::vector<PeerAddress> peers = {{options_.id, "of no meaning"}};
    for (const TestNode* node : nodes) peers.push_back({node->options_.id, node->address()});
    transport_->SetPeers(std::move(peers));
  }
  absl::Status Send(raft::NodeId peer, base::FrameClass frame_class, base::Bytes frame) {
    return transport_->Send(peer, frame_class, std::move(frame));
  }
  absl::Status Send(raft::NodeId peer, absl::string_view text) {
    const base::BytesView view = base::AsBytes(text);
    return Send(peer, base::FrameClass::kControl, base::Bytes(view.begin(), view.end()));
  }
  PeerStatus StatusOf(raft::NodeId peer) const {
    for (PeerStatus& status : transport_->Status()) {
      if (status.id == peer) return std::move(status);
    }
    return {};
  }
  bool WaitConnected(raft::NodeId peer) const {
    return WaitUntil([&] { return StatusOf(peer).connected; });
  }
  // Until the peer's error has `text` in it.
  bool WaitError(raft::NodeId peer, absl::string_view text) const {
    return WaitUntil([&] { return absl::StrContains(StatusOf(peer).error, text); });
  }
  std::vector<std::pair<uint64_t, base::Bytes>> frames() const {
    const base::MutexLock lock(mutex_);
    return frames_;
  }
  bool WaitFrames(size_t count) const {
    return WaitUntil([&] {
      const base::MutexLock lock(mutex_);
      return frames_.size() >= count;
    });
  }
  // Runs on the loop for each frame that comes. Before frames come.
  void OnFrame(std::function<void(uint64_t, const base::Bytes&)> on_frame) {
    on_frame_ = std::move(on_frame);
  }
  PeerTransport& transport() { return *transport_; }
  base::Metrics& metrics() { return metrics_; }
  base::os::ThreadLoop& loop() { return loop_; }
  const TestNodeOptions& options() const { return options_; }

 private:
  void StartServer() {
    base::net::Listener listener;
    listener.addresses = {options_.address};
    listener.services = {&transport_->service(), &transport_->unary_service()};
    if (options_.server_tls.enabled()) {
      options_.server_tls.reload = absl::Milliseconds(20);
      watcher_ = base::net::TlsWatcher::Start(options_.server_tls, files_, clock_, tls_loop_, pool_,
                                              metrics_, "test")
                     .value();
      listener.tls = watcher_;
    }
    server_ = base::net::Server::Start({listener}, options_.server, health_, metrics_).value();
  }

  TestNodeOptions options_;
  base::Metrics metrics_;
  base::os::LinuxFiles files_;
  base::os::SystemClock clock_;
  base::os::SystemRandom random_;
  base::net::Health health_;
  std::unique_ptr<base::Dir> dir_;
  std::unique_ptr<PeersFile> incarnations_;
  mutable base::Mutex mutex_;
  std::vector<std::pair<uint64_t, base::Bytes>> frames_ ABSL_GUARDED_BY(mutex_);
  std::function<void(uint64_t, const base::Bytes&)> on_frame_;
  base::os::ThreadPool pool_{"jobs", 2, 64};
  base::os::ThreadLoop tls_loop_{"tls"};
  base::os::ThreadLoop loop_{"node"};
  std::shared_ptr<base::net::TlsWatcher> watcher_;
  std::unique_ptr<PeerTransport> transport_;
  std::unique_ptr<base::net::Server> server_;
};

}  // namespace slipway::eraft
