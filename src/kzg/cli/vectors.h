// Runs cases in the YAML form of the official test vectors: `input`, a map, and `output`, null
// where the call must be refused as InvalidArgument (K63). Thread-safe: free functions.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
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

// One case, read. May be run any number of times.
class VectorCase {
 public:
  // The case that `text` describes, of the function of that name. `name`: for messages. An error:
  // the text is no case, or no function has that name.
  static absl::StatusOr<VectorCase> Parse(absl::string_view function, absl::string_view name,
                                          absl::string_view text);
  VectorCase(VectorCase&&) noexcept;
  VectorCase& operator=(VectorCase&&) noexcept;
  ~VectorCase();

  VectorOutcome Run(const Setup& setup, Executor* executor) const;

 private:
  struct State;
  explicit VectorCase(std::unique_ptr<State> state);
  std::unique_ptr<State> state_;
};

}  // namespace slipway::kzg::cli
