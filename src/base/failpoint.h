// Failpoints: named places where a test makes the program fail (DECISIONS 1).
//
//   SLIPWAY_FAILPOINT("deploy.switch");       // statement: may return an error Status
//   SLIPWAY_FAILPOINTS=deploy.switch=crash:3  // environment: SIGKILL at the third pass
//
// Actions: error (an Unavailable status), crash (SIGKILL at the place), delay (100 ms); x=before
// and x=after crash at the step points x.before and x.after. Each takes an optional :n, the n-th
// pass only. A name may end with `*`: "deploy.*=crash:7" crashes at the seventh pass over any point
// whose name begins so. Compiled in with SLIPWAY_FAULTS; a release build contains neither names nor
// code. Thread-safe. The list is set once, by main, through SetFailpoints.
#pragma once

#include "absl/status/status.h"
#include "absl/strings/string_view.h"

#ifdef SLIPWAY_FAULTS
namespace slipway::base {
// Parses "name=action[:n],…"; "" switches all off. InvalidArgument for anything else, and nothing
// changes. Resets the counters.
absl::Status SetFailpoints(absl::string_view list);
absl::Status HitFailpoint(absl::string_view name);
}  // namespace slipway::base
#define SLIPWAY_FAILPOINT(name)                                                              \
  do {                                                                                       \
    if (absl::Status slipway_fail = ::slipway::base::HitFailpoint(name); !slipway_fail.ok()) \
      return slipway_fail;                                                                   \
  } while (false)
#else
#define SLIPWAY_FAILPOINT(name) \
  do {                          \
  } while (false)
#endif
