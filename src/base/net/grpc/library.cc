#include "base/net/grpc/library.h"

#include <grpc/support/log.h>

#include "absl/strings/match.h"
#include "base/log/log.h"

namespace slipway::base::net {
namespace {

// At debug, its errors too: a failed handshake of a stranger is one, and whatever concerns a call
// or a listener of ours comes back as a status as well.
void WriteLine(gpr_log_func_args* args) {
  if (absl::StartsWith(args->message, "assertion failed")) {  // the last words of this process
    SLIPWAY_LOG(kError, "gRPC ends the process",
                {{"text", args->message}, {"file", args->file}, {"line", args->line}});
    return;
  }
  SLIPWAY_LOG(kDebug, "gRPC says",
              {{"text", args->message}, {"file", args->file}, {"line", args->line}});
}

}  // namespace

void InitGrpc() {
  static const bool kDone = [] {
    gpr_set_log_function(&WriteLine);
    return true;
  }();
  static_cast<void>(kDone);
}

}  // namespace slipway::base::net
