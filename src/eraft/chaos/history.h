// What clients did and saw, and the judgement of it. Thread-compatible.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "base/files.h"
#include "eraft/check/linearizability.h"
#include "eraft/check/models.h"

namespace slipway::eraft::chaos {

using Model = check::RegisterModel;

// Times are those of one monotonic clock.
class History {
 public:
  // An operation begins; its number.
  size_t Begin(int client, Model::Input input, absl::Duration now);
  // It ended with this answer.
  void End(size_t number, Model::Output output, absl::Duration now);
  // It was not executed, or said nothing (a read): as if it had never been.
  void Forget(size_t number);
  // Nobody knows whether it was or will be executed: stays open for ever.
  void LeaveOpen() { ++open_; }

  size_t size() const { return operations_.size(); }
  size_t answered() const { return answered_; }
  size_t open() const { return open_; }
  size_t forgotten() const { return forgotten_; }

  // Of the answered operations that began in [begin, end): how long `share` (0 to 1) of them took
  // at most; zero when there are none.
  absl::Duration Latency(absl::Duration begin, absl::Duration end, double share) const;
  // Whole seconds of [begin, end) in which something was answered, and how many there are.
  std::pair<int64_t, int64_t> AvailableSeconds(absl::Duration begin, absl::Duration end) const;
  // The longest time within [begin, end) without an answer.
  absl::Duration LongestOutage(absl::Duration begin, absl::Duration end) const;

  struct Judgement {
    uint64_t keys = 0, operations = 0;
    uint64_t undecided = 0;            // keys: the search was given up
    std::vector<std::string> illegal;  // keys that no order explains
  };
  // Key by key. A drawing of each illegal one is written to `dir` as illegal-<n>.html; failures of
  // that are not errors.
  Judgement Judge(base::Dir& dir) const;

 private:
  std::vector<std::pair<absl::Duration, absl::Duration>> Answered(absl::Duration begin,
                                                                  absl::Duration end) const;

  std::vector<check::Operation<Model>> operations_;
  std::vector<bool> forgotten_of_;
  size_t answered_ = 0, open_ = 0, forgotten_ = 0;
};

}  // namespace slipway::eraft::chaos
