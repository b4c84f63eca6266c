// What a client of eraft asks for and is told. Thread-compatible: values.
#pragma once

#include <cstdint>
#include <string>
#include <utility>
#include <vector>

#include "absl/functional/any_invocable.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/time/time.h"

namespace slipway::eraft::client {

enum class Op : uint8_t { kGet, kPut, kAppend, kDelete, kCompareAndSet, kScan };
bool IsWrite(Op op);

enum class ReadFrom : uint8_t {
  kDefault,       // as the server is configured
  kQuorum,        // linearizable, by a round of a majority
  kLease,         // linearizable while the clocks keep their promise
  kSerializable,  // what the server has: maybe old
};

struct Operation {
  Op op = Op::kGet;
  ReadFrom read_from = ReadFrom::kDefault;
  bool expect_absent = false;  // kCompareAndSet: the key must not be there
  std::string key;             // kScan: where to begin
  std::string value;
  std::string expected;  // kCompareAndSet
  std::string end;       // kScan: exclusive; empty: to the end
  uint64_t limit = 0;    // kScan: keys; 0: as many as the server gives at once

  uint64_t bytes() const { return key.size() + value.size() + expected.size() + end.size(); }
};

struct Reply {
  bool found = true;   // kGet, kDelete: the key was there; kCompareAndSet: it was as expected
  bool more = false;   // kScan: there are further keys
  uint64_t index = 0;  // of the log, at which it was executed or read
  std::string value;
  std::vector<std::pair<std::string, std::string>> rows;
};

using Done = absl::AnyInvocable<void(absl::StatusOr<Reply>)>;

// What became of an operation whose answer is an error (E144). kUnknown: it may have been executed,
// or still be.
enum class Executed : uint8_t { kNo, kYes, kUnknown };

// `status` (not OK) with that knowledge, its text and hint unchanged.
absl::Status WithExecuted(const absl::Status& status, Executed executed);
// kUnknown for an error that did not come from a client of eraft.
Executed WasExecuted(const absl::Status& status);
// "it was not executed", "it was executed", "it may have been executed".
absl::string_view ExecutedText(Executed executed);

}  // namespace slipway::eraft::client
