// A simulated machine with a source tree, for tests of packing. Thread-compatible.
#pragma once

#include <memory>
#include <string>

#include "absl/strings/str_cat.h"
#include "base/check.h"
#include "base/sim/world.h"
#include "deploy/pack/extractor.h"
#include "deploy/pack/memory_source.h"
#include "deploy/pack/packer.h"
#include "deploy/pack/test_tree.h"

namespace slipway::deploy {

struct PackSim {
  explicit PackSim(uint64_t seed) : world(seed) { Open(); }
  // The handles die with each reboot.
  void Open() {
    source = world.files.MakeRoot("/p/source").value();
    dist = world.files.MakeRoot("/p/dist").value();
    manifests = world.files.MakeRoot("/p/manifests").value();
    options.component = {.type = "model", .version = "1.0.0"};
    options.codec = base::Codec::kGzip;
    options.tool_version = "1.2.3";
    options.source_path = "./source";
    options.created_at = absl::FromUnixSeconds(1'705'744'800);
  }
  void Put(absl::string_view path, absl::string_view text) {
    SLIPWAY_CHECK(PutFile(*source, path, text).ok());
  }
  absl::StatusOr<PackResult> Run(const base::CancelToken& cancel = {}) {
    return Pack(world.world(), *source, *dist, *manifests, options, cancel);
  }
  std::string Package() const {
    return world.files
        .Read(absl::StrCat("/p/dist/model-", options.component.version, ".tar",
                           std::string(base::CodecSuffix(options.codec))))
        .value_or("");
  }
  std::string ManifestText() const {
    return world.files
        .Read(absl::StrCat("/p/manifests/model-", options.component.version, ".manifest.json"))
        .value_or("");
  }
  absl::StatusOr<Extracted> Unpack(absl::string_view package, absl::string_view into,
                                   ExtractOptions extract = {}) {
    MemorySource bytes(package);
    extract.codec = options.codec;
    extract.package_bytes = package.size();
    auto dir = world.files.MakeRoot(into);
    if (!dir.ok()) return dir.status();
    return Extract(bytes, **dir, world.pool, extract, {});
  }

  base::sim::World world;
  std::unique_ptr<base::Dir> source, dist, manifests;
  PackOptions options;
};

}  // namespace slipway::deploy
