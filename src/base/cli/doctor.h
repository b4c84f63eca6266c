// What every `doctor` prints: one line for each thing looked at, with a remedy where something is
// wrong (DECISIONS 3). Thread-compatible.
//
//   Doctor doctor;
//   doctor.Ok("quorum", "3 of 3 voters answer");
//   doctor.Fail("disk", "12 MiB free on kv-1", "free space, or raise the quota");
//   return doctor.Report(in);
#pragma once

#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/strings/string_view.h"
#include "base/cli/command.h"

namespace slipway::base::cli {

class Doctor {
 public:
  enum class Verdict : uint8_t { kOk, kWarn, kFail };
  struct Finding {
    Verdict verdict = Verdict::kOk;
    std::string check;   // a word or two
    std::string text;    // what was found
    std::string remedy;  // what to do; empty where all is well
  };

  void Ok(absl::string_view check, absl::string_view text);
  void Warn(absl::string_view check, absl::string_view text, absl::string_view remedy);
  void Fail(absl::string_view check, absl::string_view text, absl::string_view remedy);
  const std::vector<Finding>& findings() const { return findings_; }
  int Count(Verdict verdict) const;

  // Prints the findings, in their order, or sets in.result {"findings", "failed", "warnings"}. Any
  // failure: FailedPrecondition, which exits 1 unless the program says otherwise.
  absl::Status Report(Invocation& in) const;

 private:
  std::vector<Finding> findings_;
};

}  // namespace slipway::base::cli
