// Reads the members of a JSON object one by one, each with the error that names it: DT007. Private
// to this folder. Thread-compatible.
#pragma once

#include <cstdint>
#include <initializer_list>
#include <optional>
#include <string>
#include <utility>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/time/time.h"
#include "base/json/json.h"

namespace slipway::deploy {

// The first error sticks, later reads change nothing: ask `status` once at the end.
class JsonReader {
 public:
  // `what` names the document in errors: "manifest", "publish record".
  explicit JsonReader(absl::string_view what) : what_(what) {}

  const absl::Status& status() const { return status_; }

  // The member `key` of `object`, which stands at `path` ("" for the document itself). Missing:
  // nullptr; an error too if it is `required`.
  const base::Json* Member(const base::Json& object, absl::string_view path, absl::string_view key,
                           bool required);

  // An object or array; an empty one where it is missing or wrong.
  const base::Json& Object(const base::Json& object, absl::string_view path, absl::string_view key,
                           bool required);
  const base::Json::Array& Array(const base::Json& object, absl::string_view path,
                                 absl::string_view key, bool required);

  void Text(const base::Json& object, absl::string_view path, absl::string_view key, bool required,
            std::string& out);
  void Number(const base::Json& object, absl::string_view path, absl::string_view key,
              bool required, uint64_t& out);
  void Time(const base::Json& object, absl::string_view path, absl::string_view key,
            absl::Time& out);

  void Fail(absl::string_view path, absl::string_view key, absl::string_view reason);

 private:
  std::string what_;
  absl::Status status_;
};

// The document of `text`, an object: DT007. `what` as above.
absl::StatusOr<base::Json> ParseDocument(absl::string_view what, absl::string_view text);

// DT007 unless `version` is MAJOR.MINOR; DT025 unless MAJOR is 1.
absl::Status CheckFormatVersion(absl::string_view what, absl::string_view version);

// Appends those members of `previous` to `into` that are not `known` here: what a newer program
// wrote is kept (D9).
void KeepUnknown(const base::Json* previous, std::initializer_list<absl::string_view> known,
                 base::Json& into);

// The member `key` of `json`; nullptr if there is none or no json.
const base::Json* FindIn(const base::Json* json, absl::string_view key);

// `text` itself, or with its bytes escaped where it is not UTF-8 and JSON cannot hold it.
std::string JsonText(absl::string_view text);

}  // namespace slipway::deploy
