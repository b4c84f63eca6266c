#include "kzg/cli/context.h"

#include <algorithm>
#include <iterator>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "base/status.h"
#include "bls12_381/backend.h"
#include "kzg/scheme/hex.h"

namespace slipway::kzg::cli {
namespace {

constexpr char kSetupHint[] =
    "give --setup FILE or set KZG_TRUSTED_SETUP: the text that the ceremony published (the npm "
    "package c-kzg brings it) or a file that `kzg setup precompute` wrote";

bool Exists(base::Files& files, const std::string& path) {
  const absl::StatusOr<std::string> real = files.Canonical(path);
  if (!real.ok()) return false;
  const auto [parent, name] = base::SplitPath(*real);
  const auto dir = files.OpenRoot(parent.empty() ? absl::string_view("/") : parent);
  return dir.ok() && (*dir)->Stat(name).ok();
}

}  // namespace

absl::StatusOr<std::string> Context::FindSetup(base::World& world) const {
  if (!setup_path.empty()) return setup_path;
  if (const auto named = world.environment.Get("KZG_TRUSTED_SETUP");
      named.has_value() && !named->empty()) {
    return *named;
  }
  std::vector<std::string> places;
  if (const auto self = world.files.Canonical("/proc/self/exe"); self.ok()) {
    const absl::string_view bin = base::SplitPath(*self).first;
    places.push_back(absl::StrCat(base::SplitPath(bin).first, "/share/slipway/kzg/ethereum.tbl"));
  }
  places.emplace_back("/usr/share/slipway/kzg/ethereum.tbl");
  places.emplace_back("/usr/share/slipway/kzg/trusted_setup.txt");
  for (const std::string& place : places) {
    if (Exists(world.files, place)) return place;
  }
  return base::MakeError(absl::StatusCode::kNotFound,
                         absl::StrCat("find setup: there is none in ", absl::StrJoin(places, ", ")),
                         {.code = "INITIALIZATION_ERROR", .hint = kSetupHint});
}

std::string Context::CacheDir(base::World& world) const {
  if (!cache_dir.empty()) return cache_dir;
  if (const auto xdg = world.environment.Get("XDG_CACHE_HOME");
      xdg.has_value() && !xdg->empty() && (*xdg)[0] == '/') {
    return absl::StrCat(*xdg, "/slipway/kzg");
  }
  const auto home = world.environment.Get("HOME");
  if (!home.has_value() || home->empty()) return "";
  return absl::StrCat(*home, "/.cache/slipway/kzg");
}

absl::StatusOr<LoadOptions> Context::Options(base::World& world) const {
  LoadOptions options;
  SLIPWAY_ASSIGN_OR_RETURN(options.path, FindSetup(world));
  options.cache_dir = CacheDir(world);
  options.check = table_check == "header" ? DigestCheck::kHeader : DigestCheck::kFull;
  options.map = machine.map;
  options.uid = machine.uid;
  SLIPWAY_ASSIGN_OR_RETURN(std::tie(options.precompute, options.plan), ParsePrecompute(precompute));
  return options;
}

absl::StatusOr<LoadedSetup> Context::Load(base::cli::Invocation& in, Executor* executor) const {
  SLIPWAY_ASSIGN_OR_RETURN(const LoadOptions options, Options(in.world));
  absl::StatusOr<LoadedSetup> loaded = LoadSetup(in.world.files, options, executor);
  if (absl::IsNotFound(loaded.status())) {
    return base::WithInfo(base::Annotate(loaded.status(), "read setup"), {.hint = kSetupHint});
  }
  SLIPWAY_RETURN_IF_ERROR(loaded.status());
  for (const std::string& note : loaded->notes) in.Warn("cache", note);
  return loaded;
}

absl::Status Context::ChooseCpu(base::World& world) const {
  std::string name = cpu;
  if (name.empty()) name = world.environment.Get("KZG_CPU").value_or("");
  if (name.empty() || name == "auto") return absl::OkStatus();
  std::vector<std::string> known;
  for (const bls12_381::CpuBackend backend : bls12_381::CpuBackends()) {
    known.emplace_back(bls12_381::CpuBackendName(backend));
    if (known.back() == name && bls12_381::ForceBackend(backend)) return absl::OkStatus();
  }
  return absl::InvalidArgumentError(absl::StrCat("choose back end: ", base::EscapeForTerminal(name),
                                                 ": this machine has ",
                                                 absl::StrJoin(known, ", ")));
}

std::unique_ptr<Executor> Context::MakeExecutor(base::World& world) const {
  const int width = threads == 0 ? world.pool.threads() : threads;
  if (width <= 1) return nullptr;
  return std::make_unique<PoolExecutor>(world.pool, width);
}

namespace {

absl::StatusOr<base::Bytes> ReadStandardInput(uint64_t limit, base::cli::Invocation& in) {
  base::Bytes bytes;
  std::vector<char> buffer(256 << 10);
  while (in.streams.in.read(buffer.data(), static_cast<std::streamsize>(buffer.size())),
         in.streams.in.gcount() > 0) {
    const auto* data = reinterpret_cast<const uint8_t*>(buffer.data());
    bytes.insert(bytes.end(), data, data + in.streams.in.gcount());
    if (bytes.size() > limit) {
      return absl::ResourceExhaustedError(
          absl::StrCat("read standard input: more than ", limit, " bytes"));
    }
  }
  if (in.streams.in_status) SLIPWAY_RETURN_IF_ERROR(in.streams.in_status());
  return bytes;
}

}  // namespace

absl::StatusOr<base::Bytes> ReadInput(const std::string& text, uint64_t limit, const Where& where,
                                      base::cli::Invocation& in) {
  if (text == "-") return ReadStandardInput(limit, in);
  if (text.substr(0, 2) == "0x") return DecodeHex(text, where);
  SLIPWAY_ASSIGN_OR_RETURN(const std::string data, base::ReadUserFile(in.world.files, text, limit));
  return base::Bytes(data.begin(), data.end());
}

absl::StatusOr<base::Bytes> ReadBlobInput(const std::string& text, base::cli::Invocation& in) {
  // More than a blob has, so that the error of a file of another kind tells its size.
  constexpr uint64_t kLimit = 64 << 20;
  absl::StatusOr<base::Bytes> blob = ReadInput(text, kLimit, {"blob"}, in);
  if (!blob.ok() && !absl::IsResourceExhausted(blob.status())) return blob.status();
  const absl::Status length =
      blob.ok() ? CheckBlobLength(*blob, {"blob"})
                : InputError(kInvalidBlobSize, absl::StrCat("read blob: it has more than ", kLimit,
                                                            " bytes; a blob has ", kBytesPerBlob));
  if (length.ok()) return blob;
  return base::WithInfo(base::Annotate(length, text.size() > 100 ? "0x..." : text),
                        {.hint = "--pack takes files of any size"});
}

absl::StatusOr<base::Bytes> ReadHex(absl::string_view text, size_t bytes, const Where& where) {
  SLIPWAY_ASSIGN_OR_RETURN(base::Bytes decoded, DecodeHex(text, where));
  SLIPWAY_RETURN_IF_ERROR(CheckLength(decoded, bytes, where));
  return decoded;
}

absl::Status CheckReplaceable(base::Dir& dir, absl::string_view name, const std::string& path) {
  const absl::StatusOr<base::Meta> meta = dir.Stat(name);
  if (!meta.ok() || meta->kind == base::FileKind::kFile) return absl::OkStatus();
  return absl::FailedPreconditionError(
      absl::StrCat("write ", path, ": it is no regular file, and would be replaced by one"));
}

absl::Status WriteOutput(const std::string& path, base::BytesView data, base::cli::Invocation& in) {
  const auto [parent, name] = base::SplitPath(path);
  const std::string folder = !parent.empty()            ? std::string(parent)
                             : path.substr(0, 1) == "/" ? "/"
                                                        : ".";
  SLIPWAY_ASSIGN_OR_RETURN(const auto dir, in.world.files.OpenRoot(folder));
  SLIPWAY_RETURN_IF_ERROR(CheckReplaceable(*dir, name, path));
  return base::WriteFileDurably(*dir, name, base::AsText(data));
}

}  // namespace slipway::kzg::cli
