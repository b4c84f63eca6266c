// Which of a batch of blobs are missing (Z4). Thread-safe.
#pragma once

#include <vector>

#include "absl/functional/any_invocable.h"
#include "absl/status/statusor.h"
#include "base/pool.h"
#include "cas/blob_store.h"
#include "cas/digest.h"

namespace slipway::cas {

// In the order of the request, without duplicates; or an answer for the wire (Internal).
using Missing = absl::StatusOr<std::vector<Digest>>;

// Looks `batch` up, at most `parallel` at a time, and calls `done` once, on a thread of `pool` or
// in this call. The calling job of the pool does its share and waits for nobody: whoever is last
// calls `done`.
void Negotiate(BlobStore& store, base::Pool& pool, int parallel, const std::vector<Digest>& batch,
               absl::AnyInvocable<void(Missing)> done);

}  // namespace slipway::cas
