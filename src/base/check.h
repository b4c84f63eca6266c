// SLIPWAY_CHECK: an invariant that only a bug of ours can break. On in release builds too; a failed
// check prints the place and the condition and aborts. Never for input, disk or peers (STYLE S15).
#pragma once

namespace slipway::base::internal {
[[noreturn]] void CheckFailed(const char* file, int line, const char* condition);
}  // namespace slipway::base::internal

#define SLIPWAY_CHECK(condition)                     \
  (__builtin_expect(static_cast<bool>(condition), 1) \
       ? static_cast<void>(0)                        \
       : ::slipway::base::internal::CheckFailed(__FILE__, __LINE__, #condition))
