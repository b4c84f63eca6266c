// A project with packed versions and stores on one simulated disk, for the tests of this folder.
#pragma once

#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "base/bytes.h"
#include "base/clock.h"
#include "base/digest/sha256.h"
#include "base/files.h"
#include "base/testing/status_matchers.h"
#include "base/units.h"
#include "deploy/repository/codec.h"
#include "deploy/repository/publisher.h"
#include "deploy/repository/repository.h"

namespace slipway::deploy {

inline std::string HexOf(const std::string& text) {
  return base::ToHex(base::Sha256Of(base::AsBytes(text)));
}

// Opens the folders and stores anew each time, as a new process does.
struct TestProject {
  explicit TestProject(base::Files& world_files, std::string path = "/project")
      : files(world_files), root(std::move(path)) {
    dist = *files.MakeRoot(root + "/dist");
    manifests = *files.MakeRoot(root + "/deployment/manifests");
    records = *files.MakeRoot(root + "/deployment/publish");
    releases = *files.MakeRoot(root + "/deployment/releases");
  }

  void AddStore(const std::string& name) {
    stores.push_back(*OpenFilesystemRepository(files, name, root + "/stores/" + name));
    targets.emplace_back(name, *stores.back());
  }

  // What `pack` leaves: package, side files, manifest.
  Manifest Pack(const Component& component, const std::string& content) {
    Manifest manifest;
    manifest.component = component;
    manifest.created_at = *base::ParseRfc3339("2024-01-20T10:00:00Z");
    manifest.source_path = "./src";
    manifest.package.file = absl::StrCat(component.type, "-", component.version, ".tar.gz");
    manifest.package.size_bytes = content.size();
    manifest.package.sha256 = HexOf(content);
    const std::string pieces = "pieces of " + content;
    const std::string index = "index of " + content;
    manifest.package.pieces = SideFile{PiecesFileName(component), HexOf(pieces)};
    manifest.package.index = SideFile{IndexFileName(component), HexOf(index)};
    Write(*dist, manifest.package.file, content);
    Write(*dist, manifest.package.pieces->file, pieces);
    Write(*dist, manifest.package.index->file, index);
    Write(*manifests, ManifestFileName(component), WriteManifest(manifest));
    return manifest;
  }

  static void Write(base::Dir& dir, const std::string& name, const std::string& text) {
    EXPECT_OK(base::WriteFileDurably(dir, name, text));
  }

  PublishRequest Request(std::vector<Component> components, base::Clock& clock, base::Pool& pool) {
    return PublishRequest{
        .folders = {*dist, *manifests, *records, *releases, "deployment/manifests"},
        .targets = targets,
        .components = std::move(components),
        .options = {},
        .clock = clock,
        .pool = pool,
        .cancel = {},
        .progress = nullptr};
  }

  base::Files& files;
  std::string root;
  std::unique_ptr<base::Dir> dist, manifests, records, releases;
  std::vector<std::unique_ptr<Repository>> stores;
  std::vector<PublishTarget> targets;
};

inline std::vector<std::string> KeysOf(Repository& repository) {
  std::vector<std::string> keys;
  const absl::StatusOr<Page> page = repository.List("", "");
  EXPECT_OK(page);
  if (!page.ok()) return keys;
  for (const Object& object : page->objects) keys.push_back(object.key);
  return keys;
}

}  // namespace slipway::deploy
