// TCP between processes of one machine, with links that can be cut: each server stands behind a
// front, and what a known process sends to or hears from another's front can be held back, one way
// or both. Held bytes wait, as packets of a broken network do that TCP sends again; they arrive
// when the link is healed, unless an end has given up.
//
// Who connected is found in /proc (Linux), so that every process may use the same addresses.
// Thread-safe. One thread of its own.
#pragma once

#include <cstdint>
#include <memory>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "base/status.h"

namespace slipway::base::net {

class FaultProxy {
 public:
  // Whoever is not the process of a front; its links are never cut.
  static constexpr int kNobody = -1;

  static Owned<FaultProxy> Start();
  virtual ~FaultProxy() = default;  // closes all connections

  // A further front, on a free port of 127.0.0.1; its number, from 0.
  virtual absl::StatusOr<int> AddFront() = 0;
  virtual uint16_t port(int front) const = 0;
  // Where the server of a front listens; 0: nowhere, who connects is sent away.
  virtual void SetBackend(int front, uint16_t port) = 0;
  // The process of a front; 0: none. Which process a connection belongs to is looked up when a link
  // is cut, and at once for those that come while one is.
  virtual void SetProcess(int front, int pid) = 0;

  // Holds back (or lets through again) what `from` sends to `to`, from the return of this on.
  virtual void Cut(int from, int to, bool cut) = 0;
  // Lets everything through.
  virtual void HealAll() = 0;
  // Connections that are open, of and to anybody.
  virtual size_t connections() const = 0;
};

}  // namespace slipway::base::net
