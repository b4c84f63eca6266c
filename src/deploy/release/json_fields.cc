#include "deploy/release/json_fields.h"

#include "absl/strings/str_cat.h"
#include "base/units.h"
#include "deploy/model/errors.h"

namespace slipway::deploy {

using base::Json;

Fields::Fields(const Json& json, absl::string_view what) : json_(&json), what_(what) {
  if (!json.is_object()) {
    status_ = Error(Dt::kChecksum, absl::StrCat("read ", what_, ": it is no object"));
  }
}

void Fields::Fail(absl::string_view key, absl::string_view wanted) {
  if (!status_.ok()) return;
  status_ = Error(Dt::kChecksum, absl::StrCat("read ", what_, ": \"", key, "\" is no ", wanted));
}

const Json* Fields::Value(absl::string_view key) {
  const Json* value = json_->Find(key);
  if (value == nullptr) Fail(key, "member");
  return value;
}

std::string Fields::Text(absl::string_view key) {
  const Json* value = json_->Find(key);
  if (value != nullptr && value->AsString() != nullptr) return *value->AsString();
  Fail(key, "text");
  return "";
}

uint64_t Fields::Unsigned(absl::string_view key) {
  const Json* value = json_->Find(key);
  if (value != nullptr && value->AsUint()) return *value->AsUint();
  Fail(key, "whole number");
  return 0;
}

bool Fields::Bool(absl::string_view key) {
  const Json* value = json_->Find(key);
  if (value != nullptr && value->AsBool()) return *value->AsBool();
  Fail(key, "boolean");
  return false;
}

absl::Time Fields::Time(absl::string_view key) {
  const Json* value = json_->Find(key);
  if (value != nullptr && value->AsString() != nullptr) {
    const auto time = base::ParseRfc3339(*value->AsString());
    if (time.ok()) return *time;
  }
  Fail(key, "time");
  return absl::UnixEpoch();
}

std::vector<std::string> Fields::Texts(absl::string_view key) {
  std::vector<std::string> texts;
  const Json* value = json_->Find(key);
  if (value == nullptr) return texts;
  if (!value->is_array()) {
    Fail(key, "list");
    return texts;
  }
  for (const Json& item : *value->AsArray()) {
    if (item.AsString() == nullptr) {
      Fail(key, "list of texts");
      return texts;
    }
    texts.push_back(*item.AsString());
  }
  return texts;
}

std::vector<Fields> Fields::Objects(absl::string_view key) {
  std::vector<Fields> objects;
  const Json* value = json_->Find(key);
  if (value == nullptr) return objects;
  if (!value->is_array()) {
    Fail(key, "list");
    return objects;
  }
  for (const Json& item : *value->AsArray()) objects.emplace_back(item, what_);
  return objects;
}

std::string Fields::OptionalText(absl::string_view key) {
  return json_->Find(key) == nullptr ? "" : Text(key);
}

std::optional<uint64_t> Fields::OptionalUnsigned(absl::string_view key) {
  if (json_->Find(key) == nullptr) return std::nullopt;
  return Unsigned(key);
}

std::optional<absl::Time> Fields::OptionalTime(absl::string_view key) {
  if (json_->Find(key) == nullptr) return std::nullopt;
  return Time(key);
}

bool Fields::OptionalBool(absl::string_view key) {
  return json_->Find(key) != nullptr && Bool(key);
}

void Fields::Take(const Fields& item) {
  if (status_.ok()) status_ = item.status_;
}

Json StringsToJson(const std::vector<std::string>& texts) {
  Json json = Json::MakeArray();
  for (const std::string& text : texts) json.Append(text);
  return json;
}

}  // namespace slipway::deploy
