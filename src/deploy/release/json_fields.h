// Reads the members of a JSON object one after another and remembers the first that is missing or
// of the wrong type, so that a reader is one line a member. Thread-compatible.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/strings/string_view.h"
#include "absl/time/time.h"
#include "base/json/json.h"

namespace slipway::deploy {

class Fields {
 public:
  // `json` is borrowed; `what` names it in the error.
  Fields(const base::Json& json, absl::string_view what);

  // A wrong member gives an empty value here and DT007 from status().
  std::string Text(absl::string_view key);
  uint64_t Unsigned(absl::string_view key);
  bool Bool(absl::string_view key);
  absl::Time Time(absl::string_view key);
  std::vector<std::string> Texts(absl::string_view key);  // missing: none
  std::vector<Fields> Objects(absl::string_view key);     // missing: none
  const base::Json* Value(absl::string_view key);         // missing: nullptr and an error

  std::string OptionalText(absl::string_view key);  // missing: empty
  std::optional<uint64_t> OptionalUnsigned(absl::string_view key);
  std::optional<absl::Time> OptionalTime(absl::string_view key);
  bool OptionalBool(absl::string_view key);  // missing: false

  // Takes over the error of an item of Objects.
  void Take(const Fields& item);
  const absl::Status& status() const { return status_; }

 private:
  void Fail(absl::string_view key, absl::string_view wanted);

  const base::Json* json_;
  std::string what_;
  absl::Status status_;
};

base::Json StringsToJson(const std::vector<std::string>& texts);

}  // namespace slipway::deploy
