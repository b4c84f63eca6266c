// What happened in a run, as one number and, on demand, as text. Two runs of a seed have the same.
// Not thread-safe.
#pragma once

#include <cstdint>
#include <functional>
#include <string>

#include "absl/functional/function_ref.h"
#include "absl/time/time.h"
#include "base/clock.h"

namespace slipway::eraft::simulation {

class Trace {
 public:
  // `print` may be null; `clock` outlives it.
  Trace(base::Clock& clock, std::function<void(const std::string&)> print)
      : clock_(clock), start_(clock.Monotonic()), print_(std::move(print)) {}

  void Add(uint64_t value) {
    hash_ = (hash_ ^ value) * 0x9e3779b97f4a7c15;
    hash_ ^= hash_ >> 29;
  }
  template <class... Values>
  void AddAll(Values... values) {
    (Add(static_cast<uint64_t>(values)), ...);
  }
  // A line for people, made only where somebody reads it.
  void Say(absl::FunctionRef<std::string()> line) {
    if (print_) print_(absl::FormatDuration(clock_.Monotonic() - start_) + " " + line());
  }
  bool prints() const { return static_cast<bool>(print_); }
  uint64_t hash() const { return hash_; }

 private:
  base::Clock& clock_;
  const absl::Duration start_;
  const std::function<void(const std::string&)> print_;
  uint64_t hash_ = 0;
};

}  // namespace slipway::eraft::simulation
