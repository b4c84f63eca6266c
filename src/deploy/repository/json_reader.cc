#include "deploy/repository/json_reader.h"

#include <algorithm>

#include "absl/strings/ascii.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "base/bytes.h"
#include "base/status.h"
#include "base/units.h"
#include "deploy/model/errors.h"

namespace slipway::deploy {
namespace {

constexpr size_t kShownBytesMax = 100;
constexpr int kMajor = 1;

std::string FieldName(absl::string_view path, absl::string_view key) {
  return path.empty() ? std::string(key) : absl::StrCat(path, ".", key);
}

}  // namespace

void JsonReader::Fail(absl::string_view path, absl::string_view key, absl::string_view reason) {
  if (!status_.ok()) return;
  status_ =
      Error(Dt::kChecksum, absl::StrCat("read ", what_, ": ", FieldName(path, key), ": ", reason));
}

const base::Json* JsonReader::Member(const base::Json& object, absl::string_view path,
                                     absl::string_view key, bool required) {
  const base::Json* member = object.Find(key);
  if (member == nullptr && required) Fail(path, key, "is missing");
  return member;
}

const base::Json& JsonReader::Object(const base::Json& object, absl::string_view path,
                                     absl::string_view key, bool required) {
  static const base::Json& kEmpty = *new base::Json(base::Json::Object());
  const base::Json* member = Member(object, path, key, required);
  if (member == nullptr) return kEmpty;
  if (member->is_object()) return *member;
  Fail(path, key, "is not an object");
  return kEmpty;
}

const base::Json::Array& JsonReader::Array(const base::Json& object, absl::string_view path,
                                           absl::string_view key, bool required) {
  static const base::Json::Array& kEmpty = *new base::Json::Array();
  const base::Json* member = Member(object, path, key, required);
  if (member == nullptr) return kEmpty;
  if (member->is_array()) return *member->AsArray();
  Fail(path, key, "is not an array");
  return kEmpty;
}

void JsonReader::Text(const base::Json& object, absl::string_view path, absl::string_view key,
                      bool required, std::string& out) {
  const base::Json* member = Member(object, path, key, required);
  if (member == nullptr) return;
  if (const std::string* text = member->AsString()) {
    out = *text;
  } else {
    Fail(path, key, "is not a string");
  }
}

void JsonReader::Number(const base::Json& object, absl::string_view path, absl::string_view key,
                        bool required, uint64_t& out) {
  const base::Json* member = Member(object, path, key, required);
  if (member == nullptr) return;
  // Sizes go on as signed offsets, so the upper half of the range is no size.
  const std::optional<int64_t> number = member->AsInt();
  if (number && *number >= 0) {
    out = static_cast<uint64_t>(*number);
  } else {
    Fail(path, key, "is not an integer from 0 to 2^63-1");
  }
}

void JsonReader::Time(const base::Json& object, absl::string_view path, absl::string_view key,
                      absl::Time& out) {
  std::string text;
  Text(object, path, key, /*required=*/true, text);
  if (!status_.ok()) return;
  const absl::StatusOr<absl::Time> time = base::ParseRfc3339(text);
  const absl::Time first = absl::FromCivil(absl::CivilSecond(1970, 1, 1), absl::UTCTimeZone());
  const absl::Time last = absl::FromCivil(absl::CivilSecond(9999, 12, 31), absl::UTCTimeZone());
  if (!time.ok() || *time < first || *time > last) {
    Fail(path, key,
         absl::StrCat("'", base::EscapeForTerminal(text.substr(0, kShownBytesMax)),
                      "' is not a time such as 2024-01-20T10:00:00Z"));
    return;
  }
  out = *time;
}

absl::StatusOr<base::Json> ParseDocument(absl::string_view what, absl::string_view text) {
  absl::StatusOr<base::Json> json = base::ParseJson(text);
  if (!json.ok()) return Wrap(json.status(), Dt::kChecksum, absl::StrCat("read ", what));
  if (!json->is_object()) {
    return Error(Dt::kChecksum, absl::StrCat("read ", what, ": is not a JSON object"));
  }
  return json;
}

absl::Status CheckFormatVersion(absl::string_view what, absl::string_view version) {
  const std::pair<absl::string_view, absl::string_view> parts =
      absl::StrSplit(version, absl::MaxSplits('.', 1));
  const auto is_number = [](absl::string_view text) {
    return !text.empty() && std::all_of(text.begin(), text.end(), absl::ascii_isdigit);
  };
  if (!is_number(parts.first) || !is_number(parts.second)) {
    return Error(Dt::kChecksum,
                 absl::StrCat("read ", what, ": manifest_version: '",
                              base::EscapeForTerminal(version.substr(0, kShownBytesMax)),
                              "' is not MAJOR.MINOR"));
  }
  int major = 0;
  if (absl::SimpleAtoi(parts.first, &major) && major == kMajor) return absl::OkStatus();
  return Error(Dt::kFormat,
               absl::StrCat("read ", what, ": manifest_version ", version.substr(0, kShownBytesMax),
                            " is not of major version ", kMajor),
               "upgrade deploy-tool");
}

void KeepUnknown(const base::Json* previous, std::initializer_list<absl::string_view> known,
                 base::Json& into) {
  if (previous == nullptr || !previous->is_object()) return;
  for (const base::Json::Member& member : *previous->AsObject()) {
    if (std::find(known.begin(), known.end(), absl::string_view(member.first)) != known.end()) {
      continue;
    }
    if (into.Find(member.first) == nullptr) into.Set(member.first, member.second);
  }
}

const base::Json* FindIn(const base::Json* json, absl::string_view key) {
  return json == nullptr ? nullptr : json->Find(key);
}

std::string JsonText(absl::string_view text) {
  return base::IsUtf8(text) ? std::string(text) : base::EscapeForTerminal(text);
}

}  // namespace slipway::deploy
