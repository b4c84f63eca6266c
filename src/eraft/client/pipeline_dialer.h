// Pipeline streams over gRPC. Private to this folder.
#pragma once

#include <memory>

#include "base/loop.h"
#include "base/pool.h"
#include "eraft/client/channels.h"
#include "eraft/client/session/link.h"

namespace slipway::eraft::client {

// `channels` is shared with what still runs on the pool; loop and pool outlive the dialer, whose
// destructor waits for all that, and is not called on the loop.
std::unique_ptr<Dialer> MakePipelineDialer(std::shared_ptr<Channels> channels, base::Loop& loop,
                                           base::Pool& pool);

}  // namespace slipway::eraft::client
