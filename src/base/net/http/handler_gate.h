// Handlers that run on the pool, and the end of the server they answer to. Of base/net/http only.
// Thread-safe.
#pragma once

#include <utility>

#include "base/net/http/server.h"
#include "base/sync/mutex.h"

namespace slipway::base::net {

// Jobs hold it by shared_ptr and may outlive the server in the pool's queue. Between Enter and
// Leave the server, its loop and the router exist.
class HandlerGate {
 public:
  explicit HandlerGate(HttpRouter router) : router_(std::move(router)) {}

  // False: the server is gone, do nothing.
  bool Enter() {
    MutexLock lock(mutex_);
    if (closed_) return false;
    ++running_;
    return true;
  }
  void Leave() {
    MutexLock lock(mutex_);
    if (--running_ == 0) idle_.NotifyAll();
  }
  // Nobody enters any more; returns when all have left.
  void CloseAndWait() {
    MutexLock lock(mutex_);
    closed_ = true;
    while (running_ > 0) idle_.Wait(mutex_);
  }
  const HttpRouter& router() const { return router_; }

 private:
  const HttpRouter router_;
  Mutex mutex_;
  CondVar idle_;
  bool closed_ ABSL_GUARDED_BY(mutex_) = false;
  int running_ ABSL_GUARDED_BY(mutex_) = 0;
};

}  // namespace slipway::base::net
