// Spec 6.3.
#include <algorithm>
#include <limits>

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

void ReadComponent(JsonReader& reader, const Json& document, Manifest& manifest) {
  constexpr absl::string_view kPath = "component";
  const Json& component = reader.Object(document, "", kPath, /*required=*/true);
  reader.Text(component, kPath, "type", true, manifest.component.type);
  reader.Text(component, kPath, "version", true, manifest.component.version);
  reader.Time(component, kPath, "created_at", manifest.created_at);
  reader.Text(component, kPath, "name", false, manifest.name);
  reader.Text(component, kPath, "description", false, manifest.description);
  for (const Json& item : reader.Array(component, kPath, "dependencies", false)) {
    Dependency& dependency = manifest.dependencies.emplace_back();
    reader.Text(item, "component.dependencies", "type", true, dependency.type);
    reader.Text(item, "component.dependencies", "version", true, dependency.range);
  }
  const Json& labels = reader.Object(component, kPath, "labels", false);
  for (const Json::Member& label : *labels.AsObject()) {
    reader.Text(labels, "component.labels", label.first, true, manifest.labels[label.first]);
  }
}

void ReadSideFile(JsonReader& reader, const Json& package, absl::string_view key,
                  std::optional<SideFile>& out) {
  const Json* member = package.Find(key);
  if (member == nullptr || member->is_null()) return;
  const std::string path = absl::StrCat("package.", key);
  const Json& object = reader.Object(package, "package", key, true);
  SideFile side;
  reader.Text(object, path, "file", true, side.file);
  reader.Text(object, path, "sha256", true, side.sha256);
  out = std::move(side);
}

void ReadContent(JsonReader& reader, const Json& package, std::optional<Content>& out) {
  const Json* member = package.Find("content");
  if (member == nullptr || member->is_null()) return;
  const Json& object = reader.Object(package, "package", "content", true);
  Content content;
  reader.Number(object, "package.content", "files", true, content.files);
  reader.Number(object, "package.content", "bytes", true, content.bytes);
  reader.Text(object, "package.content", "tree", true, content.tree);
  out = std::move(content);
}

void ReadPackage(JsonReader& reader, const Json& document, Manifest::Package& out) {
  constexpr absl::string_view kPath = "package";
  const Json& package = reader.Object(document, "", kPath, true);
  reader.Text(package, kPath, "file", true, out.file);
  reader.Number(package, kPath, "size", true, out.size_bytes);
  reader.Text(package, kPath, "algorithm", true, out.algorithm);
  const Json* level = package.Find("level");
  if (level != nullptr && !level->is_null()) {
    uint64_t value = 0;
    reader.Number(package, kPath, "level", true, value);
    constexpr uint64_t kLevelMax = 1000;  // no codec has more; keeps the cast exact
    if (value > kLevelMax) reader.Fail(kPath, "level", "is no compression level");
    out.level = static_cast<int>(std::min(value, kLevelMax));
  }
  const Json& checksum = reader.Object(package, kPath, "checksum", true);
  std::string algorithm;
  reader.Text(checksum, "package.checksum", "algorithm", true, algorithm);
  if (algorithm != "sha256") reader.Fail("package.checksum", "algorithm", "is not sha256");
  reader.Text(checksum, "package.checksum", "value", true, out.sha256);
  ReadContent(reader, package, out.content);
  ReadSideFile(reader, package, "pieces", out.pieces);
  if (out.pieces) {
    const Json& pieces = reader.Object(package, kPath, "pieces", true);
    reader.Number(pieces, "package.pieces", "size", true, out.piece_bytes);
  }
  ReadSideFile(reader, package, "index", out.index);
}

void ReadMetadata(JsonReader& reader, const Json& document, Manifest& manifest) {
  constexpr absl::string_view kPath = "metadata";
  const Json& metadata = reader.Object(document, "", kPath, true);
  reader.Text(metadata, kPath, "source_path", true, manifest.source_path);
  reader.Text(metadata, kPath, "pack_version", true, manifest.pack_version);
  reader.Text(metadata, kPath, "tool_version", false, manifest.tool_version);
  const Json& excluded = reader.Object(metadata, kPath, "excluded", false);
  for (const Json::Member& rule : *excluded.AsObject()) {
    reader.Number(excluded, "metadata.excluded", rule.first, true, manifest.excluded[rule.first]);
  }
}

Json ComponentJson(const Manifest& manifest, const Json* previous) {
  Json json = Json::MakeObject({{"type", manifest.component.type},
                                {"version", manifest.component.version},
                                {"created_at", base::FormatRfc3339(manifest.created_at)},
                                {"name", JsonText(manifest.name)},
                                {"description", JsonText(manifest.description)}});
  Json dependencies = Json::MakeArray();
  for (const Dependency& dependency : manifest.dependencies) {
    dependencies.Append(
        Json::MakeObject({{"type", dependency.type}, {"version", dependency.range}}));
  }
  json.Set("dependencies", std::move(dependencies));
  Json labels = Json::MakeObject();
  for (const auto& [key, value] : manifest.labels) labels.Set(JsonText(key), JsonText(value));
  json.Set("labels", std::move(labels));
  KeepUnknown(previous, {}, json);
  return json;
}

Json SideFileJson(const SideFile& side, std::optional<uint64_t> size, const Json* previous) {
  Json json = Json::MakeObject();
  if (size) json.Set("size", *size);
  json.Set("file", side.file);
  json.Set("sha256", side.sha256);
  KeepUnknown(previous, {}, json);
  return json;
}

Json PackageJson(const Manifest::Package& package, const Json* previous) {
  Json json = Json::MakeObject(
      {{"file", package.file}, {"size", package.size_bytes}, {"algorithm", package.algorithm}});
  if (package.level) json.Set("level", *package.level);
  json.Set("checksum", Json::MakeObject({{"algorithm", "sha256"}, {"value", package.sha256}}));
  KeepUnknown(FindIn(previous, "checksum"), {}, *json.Find("checksum"));
  if (package.content) {
    Json& content = json.Set("content", Json::MakeObject({{"files", package.content->files},
                                                          {"bytes", package.content->bytes},
                                                          {"tree", package.content->tree}}));
    KeepUnknown(FindIn(previous, "content"), {}, content);
  }
  if (package.pieces) {
    json.Set("pieces",
             SideFileJson(*package.pieces, package.piece_bytes, FindIn(previous, "pieces")));
  }
  if (package.index) {
    json.Set("index", SideFileJson(*package.index, std::nullopt, FindIn(previous, "index")));
  }
  KeepUnknown(previous, {"level", "content", "pieces", "index"}, json);
  return json;
}

Json MetadataJson(const Manifest& manifest, const Json* previous) {
  Json json = Json::MakeObject({{"source_path", JsonText(manifest.source_path)},
                                {"pack_version", manifest.pack_version},
                                {"tool_version", manifest.tool_version}});
  Json excluded = Json::MakeObject();
  for (const auto& [rule, count] : manifest.excluded) {
    // Two rules that differ in bytes JSON cannot hold may have one escaped text.
    const Json* same = excluded.Find(JsonText(rule));
    excluded.Set(JsonText(rule), count + (same == nullptr ? 0 : *same->AsUint()));
  }
  json.Set("excluded", std::move(excluded));
  // Places of later features; whatever filled them is kept.
  for (const char* key : {"sbom", "provenance"}) {
    const Json* value = FindIn(previous, key);
    json.Set(key, value == nullptr ? Json() : *value);
  }
  KeepUnknown(previous, {}, json);
  return json;
}

}  // namespace

absl::StatusOr<Manifest> ParseManifest(absl::string_view text) {
  SLIPWAY_ASSIGN_OR_RETURN(const Json document, ParseDocument("manifest", text));
  JsonReader reader("manifest");
  Manifest manifest;
  reader.Text(document, "", "manifest_version", false, manifest.manifest_version);
  SLIPWAY_RETURN_IF_ERROR(reader.status());
  SLIPWAY_RETURN_IF_ERROR(CheckFormatVersion("manifest", manifest.manifest_version));
  ReadComponent(reader, document, manifest);
  ReadPackage(reader, document, manifest.package);
  ReadMetadata(reader, document, manifest);
  SLIPWAY_RETURN_IF_ERROR(reader.status());
  SLIPWAY_RETURN_IF_ERROR(CheckManifest(manifest));
  return manifest;
}

std::string WriteManifest(const Manifest& manifest, const Json* previous) {
  Json document =
      Json::MakeObject({{"manifest_version", manifest.manifest_version},
                        {"component", ComponentJson(manifest, FindIn(previous, "component"))},
                        {"package", PackageJson(manifest.package, FindIn(previous, "package"))},
                        {"metadata", MetadataJson(manifest, FindIn(previous, "metadata"))}});
  KeepUnknown(previous, {}, document);
  return document.Dump(2) + "\n";
}

}  // namespace slipway::deploy
