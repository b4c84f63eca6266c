// Spec 6.4 and 6.5.
#include <algorithm>
#include <set>

#include "absl/strings/str_cat.h"
#include "base/bytes.h"
#include "base/status.h"
#include "base/units.h"
#include "deploy/model/errors.h"
#include "deploy/repository/codec.h"
#include "deploy/repository/json_reader.h"

namespace slipway::deploy {
namespace {

using base::Json;

constexpr char kRecord[] = "publish record";
constexpr char kRelease[] = "release";

void ReadLocation(JsonReader& reader, const Json& json, Location& location) {
  constexpr absl::string_view kPath = "locations";
  reader.Text(json, kPath, "name", true, location.name);
  reader.Text(json, kPath, "type", true, location.type);
  reader.Text(json, kPath, "path", false, location.path);
  reader.Text(json, kPath, "url", false, location.url);
  if (!reader.status().ok()) return;
  if (location.name.empty()) reader.Fail(kPath, "name", "is empty");
  // What is no text cannot be a field of the struct; the document keeps it (WriteRecord).
  for (const Json::Member& member : *json.AsObject()) {
    const bool own = member.first == "name" || member.first == "type" || member.first == "path" ||
                     member.first == "url";
    if (!own && member.second.is_string()) {
      location.fields.emplace_back(member.first, *member.second.AsString());
    }
  }
}

absl::Status ReadId(JsonReader& reader, const Json& json, absl::string_view path,
                    Component& component) {
  reader.Text(json, path, "type", true, component.type);
  reader.Text(json, path, "version", true, component.version);
  SLIPWAY_RETURN_IF_ERROR(reader.status());
  if (!CheckType(component.type).ok()) {
    reader.Fail(
        path, "type",
        absl::StrCat("'", base::EscapeForTerminal(component.type), "' is no component type"));
  }
  if (!CheckVersion(component.version, VersionScheme::kAny).ok()) {
    reader.Fail(path, "version",
                absl::StrCat("'", base::EscapeForTerminal(component.version), "' is no version"));
  }
  return reader.status();
}

Json LocationJson(const Location& location) {
  Json json =
      Json::MakeObject({{"name", JsonText(location.name)}, {"type", JsonText(location.type)}});
  if (!location.path.empty()) json.Set("path", JsonText(location.path));
  if (!location.url.empty()) json.Set("url", JsonText(location.url));
  for (const auto& [key, value] : location.fields) {
    if (json.Find(key) == nullptr) json.Set(JsonText(key), JsonText(value));
  }
  return json;
}

// The members of the location in `previous` that says the same as `location`; nullptr if another
// place took its name, for then what is known of the old place is no longer true.
const Json* SameLocation(const Json* previous, const Location& location) {
  const Json* locations = FindIn(previous, "locations");
  if (locations == nullptr || !locations->is_array()) return nullptr;
  for (const Json& json : *locations->AsArray()) {
    if (!json.is_object()) continue;
    JsonReader reader(kRecord);
    Location old;
    ReadLocation(reader, json, old);
    if (reader.status().ok() && old == location) return &json;
  }
  return nullptr;
}

}  // namespace

absl::StatusOr<PublishRecord> ParseRecord(absl::string_view text) {
  SLIPWAY_ASSIGN_OR_RETURN(const Json document, ParseDocument(kRecord, text));
  JsonReader reader(kRecord);
  PublishRecord record;
  const Json& component = reader.Object(document, "", "component", true);
  SLIPWAY_RETURN_IF_ERROR(ReadId(reader, component, "component", record.component));
  std::set<std::string> names;
  for (const Json& json : reader.Array(document, "", "locations", true)) {
    if (!json.is_object()) {
      reader.Fail("", "locations", "has an item that is not an object");
      break;
    }
    ReadLocation(reader, json, record.locations.emplace_back());
    if (!names.insert(record.locations.back().name).second) {
      reader.Fail("locations", "name", "stands twice");
    }
  }
  reader.Time(document, "", "published_at", record.published_at);
  SLIPWAY_RETURN_IF_ERROR(reader.status());
  return record;
}

std::string WriteRecord(const PublishRecord& record, const Json* previous) {
  Json component =
      Json::MakeObject({{"type", record.component.type}, {"version", record.component.version}});
  KeepUnknown(FindIn(previous, "component"), {}, component);
  Json locations = Json::MakeArray();
  for (const Location& location : record.locations) {
    Json json = LocationJson(location);
    KeepUnknown(SameLocation(previous, location), {}, json);
    locations.Append(std::move(json));
  }
  Json document = Json::MakeObject({{"component", std::move(component)},
                                    {"locations", std::move(locations)},
                                    {"published_at", base::FormatRfc3339(record.published_at)}});
  KeepUnknown(previous, {}, document);
  return document.Dump(2) + "\n";
}

void MergeRecord(PublishRecord& into, const PublishRecord& from) {
  for (const Location& location : from.locations) {
    const auto same = std::find_if(into.locations.begin(), into.locations.end(),
                                   [&](const Location& old) { return old.name == location.name; });
    if (same == into.locations.end()) {
      into.locations.push_back(location);
    } else {
      *same = location;
    }
  }
  into.published_at = std::max(into.published_at, from.published_at);
}

absl::StatusOr<Release> ParseRelease(absl::string_view text) {
  SLIPWAY_ASSIGN_OR_RETURN(const Json document, ParseDocument(kRelease, text));
  JsonReader reader(kRelease);
  std::string format = "1.0";
  reader.Text(document, "", "manifest_version", false, format);
  SLIPWAY_RETURN_IF_ERROR(reader.status());
  SLIPWAY_RETURN_IF_ERROR(CheckFormatVersion(kRelease, format));
  Release release;
  const Json& head = reader.Object(document, "", "release", true);
  reader.Text(head, "release", "version", true, release.version);
  reader.Text(head, "release", "name", false, release.name);
  reader.Time(head, "release", "created_at", release.created_at);
  SLIPWAY_RETURN_IF_ERROR(reader.status());
  if (!CheckVersion(release.version, VersionScheme::kAny).ok()) {
    reader.Fail(
        "release", "version",
        absl::StrCat("'", base::EscapeForTerminal(release.version), "' is no name of a release"));
  }
  std::set<std::string> types;
  for (const Json& json : reader.Array(document, "", "components", true)) {
    ReleaseComponent& component = release.components.emplace_back();
    SLIPWAY_RETURN_IF_ERROR(ReadId(reader, json, "components", component.component));
    reader.Text(json, "components", "manifest", true, component.manifest);
    reader.Text(json, "components", "sha256", true, component.sha256);
    if (!types.insert(component.component.type).second) {
      reader.Fail("components", "type", "stands twice; a release has one version of a type");
    }
  }
  uint64_t count = release.components.size();
  reader.Number(head, "release", "component_count", false, count);
  if (count != release.components.size()) {
    reader.Fail("release", "component_count", "is not the number of components");
  }
  const Json& metadata = reader.Object(document, "", "metadata", false);
  reader.Number(metadata, "metadata", "total_size", false, release.total_size_bytes);
  SLIPWAY_RETURN_IF_ERROR(reader.status());
  return release;
}

std::string WriteRelease(const Release& release, const Json* previous) {
  Json head = Json::MakeObject({{"version", release.version}});
  if (!release.name.empty()) head.Set("name", JsonText(release.name));
  head.Set("created_at", base::FormatRfc3339(release.created_at));
  head.Set("component_count", static_cast<uint64_t>(release.components.size()));
  KeepUnknown(FindIn(previous, "release"), {"name"}, head);
  Json components = Json::MakeArray();
  for (const ReleaseComponent& item : release.components) {
    components.Append(Json::MakeObject({{"type", item.component.type},
                                        {"version", item.component.version},
                                        {"manifest", JsonText(item.manifest)},
                                        {"sha256", item.sha256}}));
  }
  Json metadata = Json::MakeObject({{"total_size", release.total_size_bytes}});
  KeepUnknown(FindIn(previous, "metadata"), {}, metadata);
  Json document = Json::MakeObject({{"manifest_version", "1.0"},
                                    {"release", std::move(head)},
                                    {"components", std::move(components)},
                                    {"metadata", std::move(metadata)}});
  KeepUnknown(previous, {}, document);
  return document.Dump(2) + "\n";
}

}  // namespace slipway::deploy
