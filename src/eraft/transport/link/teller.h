// Writes the same thing to the log once, and again after a while if it is still so. Thread-safe.
#pragma once

#include <map>
#include <string>

#include "absl/strings/string_view.h"
#include "absl/time/time.h"
#include "base/clock.h"
#include "base/log/log.h"
#include "base/sync/mutex.h"
#include "eraft/transport/link/limits.h"
#include "raft/types.h"

namespace slipway::eraft::link {

class Teller {
 public:
  explicit Teller(base::Clock& clock) : clock_(clock) {}

  // A warning about `peer`, whoever that is; `sentence` is constant.
  void Warn(absl::string_view sentence, raft::NodeId peer, absl::string_view from,
            absl::string_view reason) {
    if (!Allow(absl::StrCat(sentence, peer, " ", reason))) return;
    SLIPWAY_LOG(kWarn, sentence, {{"peer", peer}, {"address", from}, {"reason", reason}});
  }
  // Whether `text` was not told within kToldAgainAfter. Texts that a stranger chose cannot fill
  // the memory or the log.
  bool Allow(const std::string& text) {
    const absl::Duration now = clock_.Monotonic();
    const base::MutexLock lock(mutex_);
    for (auto it = told_.begin(); it != told_.end();) {
      it = now - it->second >= kToldAgainAfter ? told_.erase(it) : std::next(it);
    }
    if (told_.size() >= kTextsMax) return false;
    return told_.emplace(text, now).second;
  }

 private:
  static constexpr size_t kTextsMax = 64;
  base::Clock& clock_;
  base::Mutex mutex_;
  std::map<std::string, absl::Duration> told_ ABSL_GUARDED_BY(mutex_);
};

}  // namespace slipway::eraft::link
