// Runs cases in the YAML form of the official test vectors: `input`, a map, and `output`, null
// where the call must be refused as InvalidArgument (K63). Thread-safe: free functions.
#pragma once

#include <string>
#include <vector>

#include "absl/strings/string_view.h"
#include "kzg/scheme/executor.h"
#include "kzg/scheme/setup.h"

namespace slipway::kzg::cli {

// The functions that cases may be of: "blob_to_kzg_commitment", …
std::vector<std::string> VectorFunctions();

struct VectorOutcome {
  bool passed = false;
  std::string detail;  // why it failed; of a case that was refused as it must be, the refusal
};
// The case that `text` describes, of the function of that name. `name`: for messages.
VectorOutcome RunVector(absl::string_view function, absl::string_view name, absl::string_view text,
                        const Setup& setup, Executor* executor);

}  // namespace slipway::kzg::cli
