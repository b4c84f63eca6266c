#include "base/net/descriptors.h"

#include <sys/resource.h>

#include <algorithm>
#include <limits>

#include "base/check.h"

namespace slipway::base::net {
namespace {

constexpr int kReservedMax = 1024;
constexpr int kReservedShare = 8;

rlimit Limit() {
  rlimit limit = {};
  SLIPWAY_CHECK(getrlimit(RLIMIT_NOFILE, &limit) == 0);
  return limit;
}

}  // namespace

int DescriptorLimit() {
  return static_cast<int>(std::min<rlim_t>(Limit().rlim_cur, std::numeric_limits<int>::max()));
}

int RaiseDescriptorLimit() {
  rlimit limit = Limit();
  limit.rlim_cur = limit.rlim_max;
  setrlimit(RLIMIT_NOFILE, &limit);  // refused: the old one holds, and is told
  return DescriptorLimit();
}

int ConnectionDescriptorsEnd() {
  const int soft = DescriptorLimit();
  return soft - std::min(kReservedMax, soft / kReservedShare);
}

}  // namespace slipway::base::net
