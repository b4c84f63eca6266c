// A port for a program that cannot be given port 0. Thread-safe.
#pragma once

namespace slipway::base::testing {

// A TCP port of the loopback interface that was free a moment ago and that this process has not
// been given before. Another program may take it first: prefer port 0 and --ports-file where
// possible.
int FreePort();

}  // namespace slipway::base::testing
