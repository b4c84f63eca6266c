#include "deploy/model/manifest.h"

#include <algorithm>
#include <set>

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/strip.h"
#include "base/bytes.h"
#include "base/files.h"
#include "base/semver/semver.h"
#include "base/status.h"
#include "deploy/model/errors.h"

namespace slipway::deploy {
namespace {

constexpr size_t kFileNameBytesMax = 200;  // as for any part of an object's key
constexpr size_t kShownBytesMax = 200;

absl::Status Wrong(const Manifest& manifest, absl::string_view field, absl::string_view value,
                   absl::string_view reason) {
  return Error(
      Dt::kChecksum,
      absl::StrCat("check manifest of ", base::EscapeForTerminal(manifest.component.ToString()),
                   ": ", field, " '", base::EscapeForTerminal(value.substr(0, kShownBytesMax)),
                   "' ", reason));
}

bool IsHex64(absl::string_view text) {
  return text.size() == 64 && std::all_of(text.begin(), text.end(), [](unsigned char c) {
           return absl::ascii_isdigit(c) || (c >= 'a' && c <= 'f');
         });
}

// A name that is one visible component of a path and can be shown as it is.
bool IsPlainName(absl::string_view name) {
  return name.size() <= kFileNameBytesMax && base::CheckRelative(name).ok() &&
         !absl::StrContains(name, '/') && name.front() != '.' &&
         std::none_of(name.begin(), name.end(), absl::ascii_iscntrl) && base::IsUtf8(name);
}

absl::Status CheckSideFile(const Manifest& manifest, absl::string_view field,
                           const std::optional<SideFile>& side, std::set<std::string>& names) {
  if (!side) return absl::OkStatus();
  const std::string file_field = absl::StrCat(field, ".file");
  if (!IsPlainName(side->file)) return Wrong(manifest, file_field, side->file, "is no file name");
  if (!names.insert(side->file).second) {
    return Wrong(manifest, file_field, side->file, "is the name of another object of the version");
  }
  if (!IsHex64(side->sha256)) {
    return Wrong(manifest, absl::StrCat(field, ".sha256"), side->sha256,
                 "is not 64 lower-case hex digits");
  }
  return absl::OkStatus();
}

absl::Status CheckDependencies(const Manifest& manifest) {
  for (const Dependency& dependency : manifest.dependencies) {
    if (!CheckType(dependency.type).ok()) {
      return Wrong(manifest, "component.dependencies.type", dependency.type,
                   "is no component type");
    }
    if (!base::SemVerRange::Parse(dependency.range).ok()) {
      return Wrong(manifest, "component.dependencies.version", dependency.range,
                   "is no range of versions");
    }
  }
  return absl::OkStatus();
}

std::string FileName(const Component& component, absl::string_view suffix) {
  return absl::StrCat(component.type, "-", component.version, suffix);
}

}  // namespace

absl::Status CheckManifest(const Manifest& manifest) {
  const Component& component = manifest.component;
  const Manifest::Package& package = manifest.package;
  if (!CheckType(component.type).ok()) {
    return Wrong(manifest, "component.type", component.type, "is no component type");
  }
  if (!CheckVersion(component.version, VersionScheme::kAny).ok()) {
    return Wrong(manifest, "component.version", component.version, "is no version");
  }
  SLIPWAY_RETURN_IF_ERROR(CheckDependencies(manifest));
  if (!IsPlainName(package.file)) {
    return Wrong(manifest, "package.file", package.file, "is no file name");
  }
  // Every object of a version has its own name: none may take the place of the manifest.
  std::set<std::string> names = {ManifestFileName(component), RecordFileName(component)};
  if (!names.insert(package.file).second) {
    return Wrong(manifest, "package.file", package.file,
                 "is the name of another object of the version");
  }
  if (package.algorithm.empty()) return Wrong(manifest, "package.algorithm", "", "is empty");
  if (!IsHex64(package.sha256)) {
    return Wrong(manifest, "package.checksum.value", package.sha256,
                 "is not 64 lower-case hex digits");
  }
  if (package.content) {
    absl::string_view tree = package.content->tree;
    if (!absl::ConsumePrefix(&tree, "blake3:") || !IsHex64(tree)) {
      return Wrong(manifest, "package.content.tree", package.content->tree,
                   "is not blake3: and 64 lower-case hex digits");
    }
  }
  SLIPWAY_RETURN_IF_ERROR(CheckSideFile(manifest, "package.pieces", package.pieces, names));
  if (package.pieces && package.piece_bytes == 0) {
    return Wrong(manifest, "package.pieces.size", "0", "is no size of pieces");
  }
  return CheckSideFile(manifest, "package.index", package.index, names);
}

std::string ManifestFileName(const Component& component) {
  return FileName(component, ".manifest.json");
}
std::string RecordFileName(const Component& component) {
  return FileName(component, ".publish.json");
}
std::string IndexFileName(const Component& component) { return FileName(component, ".files.zst"); }
std::string PiecesFileName(const Component& component) { return FileName(component, ".pieces"); }

std::string ObjectKey(const Component& component, absl::string_view file) {
  return absl::StrCat(component.type, "/", component.version, "/", file);
}

}  // namespace slipway::deploy
