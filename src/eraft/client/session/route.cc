#include "eraft/client/session/route.h"

#include <algorithm>
#include <utility>

#include "base/check.h"

namespace slipway::eraft::client {
namespace {

constexpr size_t kRedirectsMax = 3;
// Members come and go; a client that lives for years does not keep all it ever heard of.
constexpr size_t kAddressesMax = 64;
constexpr int kDoublingsMax = 20;

}  // namespace

Route::Route(std::vector<std::string> addresses, base::Random& random, RouteOptions options)
    : random_(random), options_(options), addresses_(std::move(addresses)) {
  SLIPWAY_CHECK(!addresses_.empty());
}

void Route::Worked() { failures_ = redirects_ = 0, pauses_ = 0; }

absl::Duration Route::Pause() {
  redirects_ = 0;
  const absl::Duration most = std::min(
      options_.pause_max, options_.pause * (int64_t{1} << std::min(pauses_, kDoublingsMax)));
  ++pauses_;
  // Half of it at least, so that a client gives way; the rest by lot, so that not all come back at
  // once.
  return most / 2 + most / 2 * (static_cast<double>(random_.Below(1001)) / 1000);
}

absl::Duration Route::Failed() {
  MoveOn();
  return ++failures_ % addresses_.size() == 0 ? Pause() : absl::ZeroDuration();
}

absl::Duration Route::Redirected(absl::string_view leader) {
  if (leader.empty() || leader == address() || redirects_ >= kRedirectsMax) {
    MoveOn();
    return Pause();
  }
  ++redirects_;
  auto found = std::find(addresses_.begin(), addresses_.end(), leader);
  if (found == addresses_.end()) {
    if (addresses_.size() >= kAddressesMax) {
      MoveOn();
      return Pause();
    }
    found = addresses_.insert(addresses_.end(), std::string(leader));
  }
  current_ = static_cast<size_t>(found - addresses_.begin());
  return absl::ZeroDuration();
}

absl::Duration Route::Busy() { return Pause(); }

}  // namespace slipway::eraft::client
