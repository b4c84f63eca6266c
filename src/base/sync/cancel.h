// Cancellation as a tree of sources (Z57): a parent cancels its children, never the other way.
// Thread-safe.
#pragma once

#include <memory>
#include <string>

#include "absl/functional/any_invocable.h"
#include "absl/status/status.h"
#include "absl/time/time.h"

namespace slipway::base {

struct CancelReason {
  enum class Kind : uint8_t {
    kInterrupt,
    kSiblingFailed,
    kTimeout,
    kInvalidated,
    kStarvation,
    kOther
  };
  Kind kind = Kind::kOther;
  std::string text;                               // kOther and kInterrupt: "SIGINT", …
  absl::Duration timeout = absl::ZeroDuration();  // kTimeout
};

class CancelSource;

// A cheap, copyable view. A default token is never cancelled.
class CancelToken {
 public:
  CancelToken() = default;
  bool cancelled() const;
  // The first reason; CHECK: cancelled.
  CancelReason reason() const;
  // OK, or Cancelled (DeadlineExceeded for kTimeout) with the reason in the text.
  absl::Status status() const;
  // Calls `callback` once on cancellation (at once if it already happened), on the cancelling
  // thread. Keep the returned handle: its destruction unregisters and waits for a running callback.
  std::shared_ptr<void> OnCancel(absl::AnyInvocable<void()> callback) const;

 private:
  friend class CancelSource;
  struct Callback;
  struct State;
  std::shared_ptr<State> state_;
};

class CancelSource {
 public:
  CancelSource();
  explicit CancelSource(const CancelToken& parent);  // a child of it
  CancelToken token() const;
  // The first call wins; later ones change nothing. Returns whether this was the first.
  bool Cancel(CancelReason reason);

 private:
  std::shared_ptr<CancelToken::State> state_;
};

}  // namespace slipway::base
