// What a client is told of an error (spec 7.2, column Transport/CAS). Thread-safe: free functions.
#pragma once

#include "absl/status/status.h"
#include "absl/strings/string_view.h"

namespace slipway::cas {

// The status for the wire: a range outside the blob becomes InvalidArgument; what is none of the
// store's closed set (Z2) and no refusal, and what says that stored bytes are damaged, becomes
// Internal. No text of the file system passes: it goes to the log, with `operation`, and the client
// reads that it is there. OK stays OK.
absl::Status AnswerOf(const absl::Status& status, absl::string_view operation);

}  // namespace slipway::cas
