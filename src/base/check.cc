#include "base/check.h"

#include <cstdio>
#include <cstdlib>

namespace slipway::base::internal {

void CheckFailed(const char* file, int line, const char* condition) {
  std::fprintf(stderr, "%s:%d: internal error, please report it: SLIPWAY_CHECK(%s) failed\n", file,
               line, condition);
  std::abort();
}

}  // namespace slipway::base::internal
