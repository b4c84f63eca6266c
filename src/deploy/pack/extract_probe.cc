// Packs or extracts without a project, for conformance scripts and measurements:
//
//   deploy_extract_probe extract gzip|zstd|none PACKAGE DIRECTORY   into a new directory; `links`
//   for
//                                                                   `extract` allows absolute
//                                                                   symlinks
//   deploy_extract_probe pack gzip|zstd|none LEVEL TREE DIST        model-1.0.0.* into DIST
//
// Prints one line and exits with 0, or the error and 1.
#include <cstdio>
#include <cstdlib>
#include <string>
#include <vector>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "base/os/world.h"
#include "base/status.h"
#include "deploy/pack/extractor.h"
#include "deploy/pack/file_source.h"
#include "deploy/pack/packer.h"

namespace slipway::deploy {
namespace {

absl::StatusOr<std::string> RunExtract(base::World& world, const std::vector<std::string>& args,
                                       bool allow_absolute_symlinks) {
  SLIPWAY_ASSIGN_OR_RETURN(const base::Codec codec, base::ParseCodec(args[0]));
  const auto [folder, name] = base::SplitPath(args[1]);
  SLIPWAY_ASSIGN_OR_RETURN(const auto dir,
                           world.files.OpenRoot(folder.empty() ? "." : std::string(folder)));
  SLIPWAY_ASSIGN_OR_RETURN(const auto file, dir->Open(name, {}));
  SLIPWAY_ASSIGN_OR_RETURN(const base::Meta meta, file->Stat());
  SLIPWAY_ASSIGN_OR_RETURN(const auto into, world.files.MakeRoot(args[2]));
  FileSource source(*file);
  SLIPWAY_ASSIGN_OR_RETURN(const Extracted extracted,
                           Extract(source, *into, world.pool,
                                   {.codec = codec,
                                    .package_bytes = meta.size_bytes,
                                    .allow_absolute_symlinks = allow_absolute_symlinks},
                                   {}));
  std::string line = absl::StrCat(extracted.files, " files, ", extracted.bytes, " bytes");
  for (const std::string& warning : extracted.warnings) absl::StrAppend(&line, "; ", warning);
  return line;
}

absl::StatusOr<std::string> RunPack(base::World& world, const std::vector<std::string>& args) {
  PackOptions options;
  options.component = {.type = "model", .version = "1.0.0"};
  SLIPWAY_ASSIGN_OR_RETURN(options.codec, base::ParseCodec(args[0]));
  if (!absl::SimpleAtoi(args[1], &options.level)) return absl::InvalidArgumentError("bad level");
  options.created_at = world.clock.Wall();
  options.tool_version = "probe";
  options.source_path = ".";
  options.force = true;
  SLIPWAY_ASSIGN_OR_RETURN(const auto source, world.files.OpenRoot(args[2]));
  SLIPWAY_ASSIGN_OR_RETURN(const auto dist, world.files.MakeRoot(args[3]));
  SLIPWAY_ASSIGN_OR_RETURN(const PackResult result,
                           Pack(world, *source, *dist, *dist, options, {}));
  return absl::StrCat(result.source_files, " files, ", result.source_bytes, " bytes, package of ",
                      result.manifest.package.size_bytes, " bytes");
}

}  // namespace
}  // namespace slipway::deploy

int main(int argc, char** argv) {
  using slipway::deploy::RunExtract;
  using slipway::deploy::RunPack;
  const std::vector<std::string> args(argv + 1, argv + argc);
  slipway::base::os::World world({.block_signals = false});
  absl::StatusOr<std::string> line = absl::InvalidArgumentError(
      "usage: deploy_extract_probe extract|links CODEC FILE DIR | pack CODEC LEVEL TREE DIST");
  if (args.size() == 4 && (args[0] == "extract" || args[0] == "links")) {
    line = RunExtract(world.world(), {args.begin() + 1, args.end()}, args[0] == "links");
  } else if (args.size() == 5 && args[0] == "pack") {
    line = RunPack(world.world(), {args.begin() + 1, args.end()});
  }
  if (!line.ok()) {
    std::fprintf(stderr, "%s %s\n", slipway::base::GetErrorInfo(line.status()).code.c_str(),
                 std::string(line.status().message()).c_str());
    return EXIT_FAILURE;
  }
  std::printf("%s\n", line->c_str());
  return EXIT_SUCCESS;
}
