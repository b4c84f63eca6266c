// zako cas get (Z143).
#include <algorithm>
#include <memory>
#include <optional>
#include <string>
#include <utility>

#include "absl/strings/str_cat.h"
#include "base/cli/command.h"
#include "base/json/json.h"
#include "base/units.h"
#include "cas/blob_store.h"
#include "zako/cli/commands.h"
#include "zako/cli/connection.h"

namespace slipway::zako::cli {
namespace {

using base::cli::Invocation;

constexpr size_t kBlockBytes = base::kMiB;
constexpr uint32_t kFileMode = 0666;  // less the umask

struct GetCommand {
  ConnectionOptions connection;
  std::string digest, file = "-";
  std::optional<std::string> range;
};

using Sink = absl::FunctionRef<absl::Status(base::BytesView)>;

absl::Status Copy(Invocation& in, const GlobalOptions& globals, cas::BlobReader& reader,
                  absl::string_view name, uint64_t size_bytes, Sink sink) {
  const auto progress = MakeProgress(globals, in);
  progress->Start({"get", std::string(name), ""}, size_bytes);
  base::Bytes block(kBlockBytes);
  for (uint64_t done = 0;;) {
    SLIPWAY_RETURN_IF_ERROR(in.cancel.status());
    SLIPWAY_ASSIGN_OR_RETURN(const size_t got, reader.Read(absl::MakeSpan(block)));
    if (got == 0) break;
    SLIPWAY_RETURN_IF_ERROR(sink(base::BytesView(block.data(), got)));
    progress->Update(done += got);
  }
  progress->Finish();
  return absl::OkStatus();
}

// The mode of the file to be written as `name`: that of the file it replaces, else as usual. What
// is there and no file must not be replaced by one: a device, a pipe.
absl::StatusOr<uint32_t> ModeOf(Invocation& in, base::Dir& dir, absl::string_view name,
                                absl::string_view path) {
  const absl::StatusOr<base::Meta> there =
      name.empty() ? dir.Stat("") : dir.Stat(name);  // no name: the root directory
  if (absl::IsNotFound(there.status())) return kFileMode & ~in.world.environment.Umask();
  SLIPWAY_RETURN_IF_ERROR(there.status());
  if (there->kind == base::FileKind::kFile) return there->mode & 0777;
  const bool folder = there->kind == base::FileKind::kDirectory;
  return UsageError(
      absl::StrCat("write ", path, folder ? ": is a directory" : ": is a device or a pipe"),
      folder ? "name a file" : "name a file, or send standard output there: -");
}

// The file appears under its name when it is whole, right and on disk.
absl::Status ToFile(Invocation& in, const std::string& path,
                    absl::FunctionRef<absl::Status(Sink)> copy) {
  if (path.empty() || path.back() == '/') {
    return UsageError(absl::StrCat("write ", path, ": is a directory"), "name a file");
  }
  // What a link names is replaced, not the link.
  SLIPWAY_ASSIGN_OR_RETURN(const std::string canonical, in.world.files.Canonical(path));
  const auto [folder, name] = base::SplitPath(canonical);
  SLIPWAY_ASSIGN_OR_RETURN(const auto dir, in.world.files.OpenRoot(folder.empty() ? "/" : folder));
  SLIPWAY_ASSIGN_OR_RETURN(const uint32_t mode, ModeOf(in, *dir, name, path));
  SLIPWAY_ASSIGN_OR_RETURN(const auto file, dir->CreateTemp());
  uint64_t at = 0;
  const auto write = [&](base::BytesView bytes) {
    const absl::Status status = file->WriteAt(at, bytes);
    at += bytes.size();
    return base::Annotate(status, absl::StrCat("write ", path));
  };
  SLIPWAY_RETURN_IF_ERROR(copy(write));
  SLIPWAY_RETURN_IF_ERROR(file->SetMeta({.mode = mode}));
  SLIPWAY_RETURN_IF_ERROR(file->Sync());
  SLIPWAY_RETURN_IF_ERROR(dir->Publish(*file, name, base::RenameMode::kReplace));
  return dir->Sync();
}

absl::Status ToOutput(Invocation& in, absl::FunctionRef<absl::Status(Sink)> copy) {
  std::ostream& out = in.streams.out;
  SLIPWAY_RETURN_IF_ERROR(copy([&](base::BytesView bytes) {
    out.write(reinterpret_cast<const char*>(bytes.data()),
              static_cast<std::streamsize>(bytes.size()));
    return out ? absl::OkStatus() : absl::UnknownError("write standard output: failed");
  }));
  out.flush();
  return out ? absl::OkStatus() : absl::UnknownError("write standard output: failed");
}

absl::Status RunGet(const GetCommand& o, const CasServers& servers, const GlobalOptions& globals,
                    Invocation& in) {
  const bool output = o.file == "-";
  if (output && in.json) {
    return UsageError("get: --json and the blob both want standard output", "name a file");
  }
  SLIPWAY_ASSIGN_OR_RETURN(const BlobName name, ParseBlobName(o.digest));
  cas::BlobRange range;
  if (o.range) {
    SLIPWAY_ASSIGN_OR_RETURN(range, ParseRange(*o.range));
  }
  SLIPWAY_ASSIGN_OR_RETURN(const cas::RemoteOptions remote,
                           RemoteOptionsOf(o.connection, globals, in));
  SLIPWAY_ASSIGN_OR_RETURN(const cas::Digest digest,
                           ResolveName(name, [&] { return servers.admin(remote, in.world); }));
  SLIPWAY_ASSIGN_OR_RETURN(const cas::Extent extent, cas::Resolve(range, digest));
  SLIPWAY_ASSIGN_OR_RETURN(const auto store, servers.store(remote, in.world));
  SLIPWAY_ASSIGN_OR_RETURN(const auto reader, store->Fetch(digest, range));
  const auto copy = [&](Sink sink) {
    return Copy(in, globals, *reader, o.digest, extent.size_bytes, sink);
  };
  if (output) return ToOutput(in, copy);
  SLIPWAY_RETURN_IF_ERROR(ToFile(in, PathOf(globals, o.file), copy));
  in.result = base::Json::MakeObject({{"digest", digest.ToString()},
                                      {"path", base::EscapeForTerminal(o.file)},
                                      {"offset_bytes", extent.offset_bytes},
                                      {"size_bytes", extent.size_bytes}});
  return absl::OkStatus();
}

}  // namespace

void AddGet(base::cli::Program& program, const CasServers& servers, const GlobalOptions& globals) {
  auto o = std::make_shared<GetCommand>();
  base::cli::Command& get = program.Add("cas get", "Fetch a blob, or a part of it");
  get.Example("zako cas get blake3:…/1048576 model.bin");
  get.Example("zako cas get 6437b3ac… --range 0:512 | xxd", "standard output");
  get.Description(
      "A file appears when it is whole, verified and on disk. Standard output gets the bytes as "
      "they "
      "come: only exit code 0 says that they are right. A part cannot be verified.");
  get.Argument("DIGEST", &o->digest, "blake3:<hex>/<size>, or the 64 digits alone").Required();
  get.Argument("FILE", &o->file, "Where to write; - is standard output (-)")
      .Completes(base::cli::ValueKind::kFile);
  get.Text("--range", "START[:LENGTH]", &o->range, "Only these bytes");
  AddConnection(get, &o->connection);
  get.Run([o, &servers, &globals](Invocation& in) {
    return Timed(in, [&] { return RunGet(*o, servers, globals, in); });
  });
}

}  // namespace slipway::zako::cli
