// A network between hubs that a loop carries, in virtual or in real time: nothing of gRPC.
#pragma once

#include <map>
#include <memory>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "base/loop.h"
#include "base/sync/mutex.h"
#include "eraft/transport/link/inbox.h"

namespace slipway::eraft::link {

// Who listens where, and which ways are cut. Thread-safe; outlives the streams, which
// test_dialer.h has.
class TestNet {
 public:
  explicit TestNet(base::Loop& loop) : loop_(loop) {}

  void Listen(const std::string& address, std::shared_ptr<Inbox> inbox) {
    const base::MutexLock lock(mutex_);
    inboxes_[address] = std::move(inbox);
  }
  void Hang(const std::string& address) {
    const base::MutexLock lock(mutex_);
    inboxes_.erase(address);
  }
  std::shared_ptr<Inbox> Find(const std::string& address) const {
    const base::MutexLock lock(mutex_);
    const auto found = inboxes_.find(address);
    return found == inboxes_.end() ? nullptr : found->second;
  }
  // What leaves `from` for `to` is lost, ends of streams too.
  void Cut(raft::NodeId from, raft::NodeId to, bool cut) {
    const base::MutexLock lock(mutex_);
    cut ? void(cut_.insert({from, to})) : void(cut_.erase({from, to}));
  }
  bool IsCut(raft::NodeId from, raft::NodeId to) const {
    const base::MutexLock lock(mutex_);
    return cut_.count({from, to}) != 0;
  }
  // The names of the certificate that `from` shows.
  void Certify(raft::NodeId from, std::vector<std::string> names) {
    const base::MutexLock lock(mutex_);
    names_[from] = std::move(names);
  }
  std::vector<std::string> NamesOf(raft::NodeId from) const {
    const base::MutexLock lock(mutex_);
    const auto found = names_.find(from);
    return found == names_.end() ? std::vector<std::string>() : found->second;
  }
  // The address that callers have from now on.
  void ComeFrom(std::string address) {
    const base::MutexLock lock(mutex_);
    from_ = std::move(address);
  }
  std::string from() const {
    const base::MutexLock lock(mutex_);
    return from_;
  }
  base::Loop& loop() { return loop_; }

 private:
  base::Loop& loop_;
  mutable base::Mutex mutex_;
  std::string from_ ABSL_GUARDED_BY(mutex_) = "test:1";
  std::map<raft::NodeId, std::vector<std::string>> names_ ABSL_GUARDED_BY(mutex_);
  std::map<std::string, std::shared_ptr<Inbox>> inboxes_ ABSL_GUARDED_BY(mutex_);
  std::set<std::pair<raft::NodeId, raft::NodeId>> cut_ ABSL_GUARDED_BY(mutex_);
};

}  // namespace slipway::eraft::link
