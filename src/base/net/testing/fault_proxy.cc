#include "base/net/testing/fault_proxy.h"

#include <arpa/inet.h>
#include <dirent.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <list>
#include <map>
#include <set>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "absl/strings/strip.h"
#include "base/check.h"
#include "base/os/fd.h"
#include "base/os/thread.h"
#include "base/sync/mutex.h"

namespace slipway::base::net {
namespace {

using os::Fd;
using os::RetryInterrupted;

constexpr size_t kBufferBytes = 256 << 10;

std::string ReadWhole(const char* path) {
  std::string text;
  const Fd fd(open(path, O_RDONLY | O_CLOEXEC));
  char buffer[16384];
  while (fd.valid()) {
    const ssize_t got = RetryInterrupted([&] { return read(fd.get(), buffer, sizeof(buffer)); });
    if (got <= 0) break;
    text.append(buffer, static_cast<size_t>(got));
  }
  return text;
}

// The inodes of this machine's TCP sockets by the ports of their own and the other end.
std::map<std::pair<uint32_t, uint32_t>, std::string> SocketInodes() {
  std::map<std::pair<uint32_t, uint32_t>, std::string> inodes;
  const auto port_of = [](absl::string_view address) {
    uint32_t port = 0;
    const size_t colon = address.rfind(':');
    const bool read =
        colon != absl::string_view::npos && absl::SimpleHexAtoi(address.substr(colon + 1), &port);
    return read ? port : 0;
  };
  for (const char* table : {"/proc/net/tcp", "/proc/net/tcp6"}) {
    const std::string text = ReadWhole(table);
    for (absl::string_view line : absl::StrSplit(text, '\n')) {
      const std::vector<absl::string_view> words = absl::StrSplit(line, ' ', absl::SkipEmpty());
      if (words.size() < 10) continue;
      inodes[{port_of(words[1]), port_of(words[2])}] = std::string(words[9]);
    }
  }
  return inodes;
}

// The inodes of the sockets that a process has open.
std::set<std::string> SocketsOf(int pid) {
  std::set<std::string> inodes;
  const std::string folder = absl::StrCat("/proc/", pid, "/fd");
  DIR* dir = opendir(folder.c_str());
  if (dir == nullptr) return inodes;
  while (const dirent* entry = readdir(dir)) {  // NOLINT(concurrency-mt-unsafe)
    char target[128];
    const ssize_t size =
        readlinkat(dirfd(dir), entry->d_name, target, sizeof(target));  // of a socket: short
    absl::string_view name(target, static_cast<size_t>(std::max<ssize_t>(size, 0)));
    if (absl::ConsumePrefix(&name, "socket:[") && absl::ConsumeSuffix(&name, "]")) {
      inodes.insert(std::string(name));
    }
  }
  closedir(dir);
  return inodes;
}

// One direction of a connection.
struct Stream {
  int from = FaultProxy::kNobody, to = FaultProxy::kNobody;
  std::string held;
  bool ended = false;  // the source has no more
  bool told = false;   // the target knows
};

struct Connection {
  Fd client, server;
  Stream up, down;
  std::pair<uint32_t, uint32_t> ports;  // of its client's end, of the front
  bool known = false;                   // who the client is
  bool connecting = true;
  bool dead = false;
};

struct Front {
  Fd listener;
  uint16_t port = 0;
  uint16_t backend = 0;
  int pid = 0;
};

class Proxy : public FaultProxy {
 public:
  ~Proxy() override {
    {
      const MutexLock lock(mutex_);
      stopping_ = true;
    }
    Wake();
    if (thread_.joinable()) thread_.join();
  }

  absl::Status Begin() {
    wake_ = Fd(eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK));
    if (!wake_.valid()) return ErrnoError(errno, "start proxy");
    SLIPWAY_ASSIGN_OR_RETURN(thread_, os::TryStartThread("fault-proxy", [this] { Run(); }));
    return absl::OkStatus();
  }

  absl::StatusOr<int> AddFront() override {
    Fd listener(socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
    sockaddr_in address = Loopback(0);
    socklen_t size = sizeof(address);
    auto* const generic = reinterpret_cast<sockaddr*>(&address);
    if (!listener.valid() || bind(listener.get(), generic, size) != 0 ||
        listen(listener.get(), 256) != 0 || getsockname(listener.get(), generic, &size) != 0) {
      return ErrnoError(errno, "open a front of the proxy");
    }
    int number = 0;
    {
      const MutexLock lock(mutex_);
      number = static_cast<int>(fronts_.size());
      fronts_.push_back({std::move(listener), ntohs(address.sin_port), 0, 0});
    }
    Wake();
    return number;
  }
  uint16_t port(int front) const override {
    const MutexLock lock(mutex_);
    return fronts_[static_cast<size_t>(front)].port;
  }
  void SetBackend(int front, uint16_t port) override {
    const MutexLock lock(mutex_);
    fronts_[static_cast<size_t>(front)].backend = port;
  }
  void SetProcess(int front, int pid) override {
    const MutexLock lock(mutex_);
    fronts_[static_cast<size_t>(front)].pid = pid;
  }
  void Cut(int from, int to, bool cut) override {
    const MutexLock lock(mutex_);
    if (cut) {
      cuts_.insert({from, to});
    } else {
      cuts_.erase({from, to});
    }
    AwaitRound();
  }
  void HealAll() override {
    const MutexLock lock(mutex_);
    cuts_.clear();
    AwaitRound();
  }
  size_t connections() const override {
    const MutexLock lock(mutex_);
    return open_;
  }

 private:
  static sockaddr_in Loopback(uint16_t port) {
    sockaddr_in address = {};
    address.sin_family = AF_INET;
    address.sin_port = htons(port);
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    return address;
  }
  void Wake() {
    const uint64_t one = 1;
    [[maybe_unused]] const ssize_t put = write(wake_.get(), &one, sizeof(one));
  }

  void NoteRound(uint64_t changes) {
    const MutexLock lock(mutex_);
    changes_seen_ = changes;
    seen_.NotifyAll();
  }
  // Until the thread goes by what is set now, so that nothing passes a link that was cut before.
  void AwaitRound() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_) {
    const uint64_t wanted = ++changes_;
    Wake();
    while (changes_seen_ < wanted) seen_.Wait(mutex_);
  }

  void Run() {
    while (true) {
      std::vector<pollfd> polled;
      uint64_t changes = 0;
      {
        const MutexLock lock(mutex_);
        if (stopping_) return;
        open_ = connections_.size();
        cuts_now_ = cuts_;
        changes = changes_;
        polled.push_back({wake_.get(), POLLIN, 0});
        for (const Front& front : fronts_) polled.push_back({front.listener.get(), POLLIN, 0});
      }
      Identify();
      NoteRound(changes);
      const size_t fronts = polled.size() - 1;
      for (const Connection& connection : connections_) AddTo(polled, connection);
      if (poll(polled.data(), polled.size(), -1) < 0) SLIPWAY_CHECK(errno == EINTR);
      uint64_t count = 0;
      [[maybe_unused]] const ssize_t got = read(wake_.get(), &count, sizeof(count));
      size_t at = 1 + fronts;
      for (Connection& connection : connections_) {
        Serve(connection, polled[at].revents, polled[at + 1].revents);
        at += 2;
      }
      connections_.remove_if([](const Connection& connection) { return connection.dead; });
      for (size_t i = 0; i < fronts; ++i) {
        if (polled[i + 1].revents != 0) Accept(i, polled[i + 1].fd);
      }
    }
  }

  bool Open(const Stream& stream) const { return !cuts_now_.contains({stream.from, stream.to}); }

  // What is to be waited for at an end that `in` comes from and `out` goes to. An end of which
  // nothing is wanted is not polled at all, or its hang-up would wake us for ever.
  pollfd Wanted(const Fd& fd, const Stream& in, const Stream& out) const {
    pollfd wanted = {-1, 0, 0};
    if (Open(in) && !in.ended && in.held.size() < kBufferBytes) wanted.events |= POLLIN;
    if (Open(out) && (!out.held.empty() || (out.ended && !out.told))) wanted.events |= POLLOUT;
    if (wanted.events != 0) wanted.fd = fd.get();
    return wanted;
  }
  void AddTo(std::vector<pollfd>& polled, const Connection& connection) const {
    if (connection.connecting) {
      polled.push_back({-1, 0, 0});
      polled.push_back({connection.server.get(), POLLOUT, 0});
      return;
    }
    polled.push_back(Wanted(connection.client, connection.up, connection.down));
    polled.push_back(Wanted(connection.server, connection.down, connection.up));
  }

  void Serve(Connection& connection, int client_events, int server_events) {
    if (connection.connecting) {
      if (server_events == 0) return;
      int error = 0;
      socklen_t size = sizeof(error);
      getsockopt(connection.server.get(), SOL_SOCKET, SO_ERROR, &error, &size);
      connection.connecting = false;
      connection.dead = error != 0;
      return;
    }
    const bool fine = (client_events == 0 || Read(connection.client, connection.up)) &&
                      (server_events == 0 || Read(connection.server, connection.down)) &&
                      Write(connection.server, connection.up) &&
                      Write(connection.client, connection.down);
    connection.dead = !fine || (connection.up.told && connection.down.told);
  }
  bool Read(const Fd& fd, Stream& stream) const {
    if (!Open(stream) || stream.ended) return true;
    char buffer[65536];
    while (stream.held.size() < kBufferBytes) {
      const ssize_t got =
          RetryInterrupted([&] { return recv(fd.get(), buffer, sizeof(buffer), 0); });
      if (got < 0) return errno == EAGAIN;
      if (got == 0) {
        stream.ended = true;
        return true;
      }
      stream.held.append(buffer, static_cast<size_t>(got));
    }
    return true;
  }
  bool Write(const Fd& fd, Stream& stream) const {
    if (!Open(stream)) return true;
    size_t done = 0;
    while (done < stream.held.size()) {
      const ssize_t put = RetryInterrupted([&] {
        return send(fd.get(), stream.held.data() + done, stream.held.size() - done, MSG_NOSIGNAL);
      });
      if (put < 0 && errno != EAGAIN) return false;
      if (put < 0) break;
      done += static_cast<size_t>(put);
    }
    stream.held.erase(0, done);
    if (stream.ended && stream.held.empty() && !stream.told) {
      shutdown(fd.get(), SHUT_WR);
      stream.told = true;
    }
    return true;
  }

  void Accept(size_t front, int listener) {
    while (true) {
      sockaddr_in peer = {};
      socklen_t size = sizeof(peer);
      Fd client(accept4(listener, reinterpret_cast<sockaddr*>(&peer), &size,
                        SOCK_CLOEXEC | SOCK_NONBLOCK));
      if (!client.valid()) return;
      uint16_t backend = 0;
      uint16_t own_port = 0;
      {
        const MutexLock lock(mutex_);
        backend = fronts_[front].backend;
        own_port = fronts_[front].port;
      }
      if (backend == 0) continue;
      Connection connection;
      connection.client = std::move(client);
      connection.ports = {ntohs(peer.sin_port), own_port};
      connection.up.to = connection.down.from = static_cast<int>(front);
      Connect(std::move(connection), backend);
    }
  }

  // Finds out whose the connections are. Reading the kernel's tables takes it milliseconds, so it
  // is done only while a link is cut, and once for all that are new.
  void Identify() {
    if (cuts_now_.empty() || std::all_of(connections_.begin(), connections_.end(),
                                         [](const Connection& c) { return c.known; })) {
      return;
    }
    std::map<std::string, int> front_of;
    {
      const MutexLock lock(mutex_);
      for (size_t i = 0; i < fronts_.size(); ++i) {
        if (fronts_[i].pid == 0) continue;
        for (const std::string& inode : SocketsOf(fronts_[i].pid)) {
          front_of[inode] = static_cast<int>(i);
        }
      }
    }
    const auto inodes = SocketInodes();
    for (Connection& connection : connections_) {
      if (std::exchange(connection.known, true)) continue;
      const auto inode = inodes.find(connection.ports);
      if (inode == inodes.end()) continue;
      const auto front = front_of.find(inode->second);
      if (front == front_of.end()) continue;
      connection.up.from = connection.down.to = front->second;
    }
  }

  void Connect(Connection connection, uint16_t backend) {
    connection.server = Fd(socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
    const int on = 1;
    for (const Fd* fd : {&connection.client, &connection.server}) {
      setsockopt(fd->get(), IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
    }
    sockaddr_in address = Loopback(backend);
    if (connect(connection.server.get(), reinterpret_cast<sockaddr*>(&address), sizeof(address)) !=
            0 &&
        errno != EINPROGRESS) {
      return;
    }
    connections_.push_back(std::move(connection));
  }

  Fd wake_;
  mutable Mutex mutex_;
  std::vector<Front> fronts_ ABSL_GUARDED_BY(mutex_);
  std::set<std::pair<int, int>> cuts_ ABSL_GUARDED_BY(mutex_);
  size_t open_ ABSL_GUARDED_BY(mutex_) = 0;
  uint64_t changes_ ABSL_GUARDED_BY(mutex_) = 0, changes_seen_ ABSL_GUARDED_BY(mutex_) = 0;
  CondVar seen_;
  bool stopping_ ABSL_GUARDED_BY(mutex_) = false;
  // Of the thread alone.
  std::list<Connection> connections_;
  std::set<std::pair<int, int>> cuts_now_;
  std::thread thread_;  // last: it uses all of the above
};

}  // namespace

Owned<FaultProxy> FaultProxy::Start() {
  auto proxy = std::make_unique<Proxy>();
  SLIPWAY_RETURN_IF_ERROR(proxy->Begin());
  return proxy;
}

}  // namespace slipway::base::net
