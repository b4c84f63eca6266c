// Once for each process: gRPC's own log lines go to ours. Thread-safe.
#pragma once

namespace slipway::base::net {

void InitGrpc();

}  // namespace slipway::base::net
