// zako cas put (Z143).
#include <algorithm>
#include <atomic>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "base/cli/command.h"
#include "base/digest/blake3.h"
#include "base/json/json.h"
#include "base/sync/wait.h"
#include "base/units.h"
#include "cas/blob_store.h"
#include "zako/cli/commands.h"
#include "zako/cli/connection.h"

namespace slipway::zako::cli {
namespace {

using base::cli::Invocation;

constexpr size_t kBlockBytes = base::kMiB;

struct PutCommand {
  ConnectionOptions connection;
  std::vector<std::string> paths;
};

// One argument, and what came of it.
struct Item {
  std::string path;
  std::optional<cas::Digest> digest;
  bool stored = false;  // else it was there
  absl::Status status;
};

class Putter {
 public:
  Putter(Invocation& in, const GlobalOptions& globals, cas::RemoteStore& store)
      : in_(in), globals_(globals), store_(store), progress_(MakeProgress(globals, in)) {}

  std::vector<Item> Put(const std::vector<std::string>& paths) {
    std::vector<Item> items(paths.size());
    progress_->Start(
        {"put", paths.size() == 1 ? paths[0] : absl::StrCat(paths.size(), " files"), ""});
    const auto parallel =
        static_cast<size_t>(paths.size() == 1 ? 1 : std::max(1, store_.recommended_concurrency()));
    base::JobGroup jobs(in_.world.pool);
    for (size_t i = 0; i < paths.size(); ++i) {
      items[i].path = paths[i];
      if (paths[i] == "-") {  // standard input belongs to this thread
        items[i].status = PutInput(items[i]);
        continue;
      }
      jobs.WaitUntil(parallel - 1);
      jobs.Run([this, &item = items[i]] { item.status = PutFile(item); });
    }
    jobs.Wait();
    progress_->Finish();
    return items;
  }

 private:
  absl::Status PutFile(Item& item) {
    SLIPWAY_ASSIGN_OR_RETURN(const auto file,
                             OpenUserFile(in_.world.files, PathOf(globals_, item.path)));
    base::Blake3 hash;
    SLIPWAY_ASSIGN_OR_RETURN(const uint64_t size, ForEach(*file, [&](base::BytesView bytes) {
                               hash.Update(bytes);
                               return absl::OkStatus();
                             }));
    item.digest = cas::Digest{hash.Finish(), size};
    return base::Annotate(Send(item, *file), item.path);
  }

  // Its digest is needed before the first byte can be sent.
  absl::Status PutInput(Item& item) {
    const std::string folder = in_.world.environment.Get("TMPDIR").value_or("/tmp");
    SLIPWAY_ASSIGN_OR_RETURN(const auto dir, in_.world.files.OpenRoot(folder));
    SLIPWAY_ASSIGN_OR_RETURN(const auto file, dir->CreateTemp());
    base::Blake3 hash;
    base::Bytes block(kBlockBytes);
    uint64_t size = 0;
    while (in_.streams.in) {
      SLIPWAY_RETURN_IF_ERROR(in_.cancel.status());
      in_.streams.in.read(reinterpret_cast<char*>(block.data()),
                          static_cast<std::streamsize>(block.size()));
      const base::BytesView bytes(block.data(), static_cast<size_t>(in_.streams.in.gcount()));
      hash.Update(bytes);
      SLIPWAY_RETURN_IF_ERROR(
          base::Annotate(file->WriteAt(size, bytes), absl::StrCat("keep the input in ", folder)));
      size += bytes.size();
    }
    // An input that broke off is no input that ended.
    SLIPWAY_RETURN_IF_ERROR(in_.cancel.status());
    if (in_.streams.in_status) SLIPWAY_RETURN_IF_ERROR(in_.streams.in_status());
    item.digest = cas::Digest{hash.Finish(), size};
    return Send(item, *file);
  }

  absl::Status Send(Item& item, base::File& file) {
    base::Owned<cas::BlobWriter> writer = store_.Store(*item.digest);
    if (absl::IsAlreadyExists(writer.status())) {
      Count(item.digest->size_bytes);
      return absl::OkStatus();
    }
    SLIPWAY_RETURN_IF_ERROR(writer.status());
    SLIPWAY_RETURN_IF_ERROR(ForEach(file, [&](base::BytesView bytes) {
                              Count(bytes.size());
                              return (*writer)->Append(bytes);
                            }).status());
    SLIPWAY_RETURN_IF_ERROR((*writer)->Commit());
    item.stored = true;
    return absl::OkStatus();
  }

  // Gives the bytes to `visit`; how many there were.
  absl::StatusOr<uint64_t> ForEach(base::File& file,
                                   absl::FunctionRef<absl::Status(base::BytesView)> visit) {
    base::Bytes block(kBlockBytes);
    for (uint64_t at = 0;;) {
      SLIPWAY_RETURN_IF_ERROR(in_.cancel.status());
      SLIPWAY_ASSIGN_OR_RETURN(const size_t got, file.ReadAt(at, absl::MakeSpan(block)));
      if (got == 0) return at;
      SLIPWAY_RETURN_IF_ERROR(visit(base::BytesView(block.data(), got)));
      at += got;
    }
  }

  void Count(uint64_t bytes) { progress_->Update(sent_bytes_ += bytes); }

  Invocation& in_;
  const GlobalOptions& globals_;
  cas::RemoteStore& store_;
  const std::shared_ptr<base::cli::Progress> progress_;
  std::atomic<uint64_t> sent_bytes_ = 0;
};

// Prints what is stored; the error of the first that is not.
absl::Status Report(Invocation& in, const std::vector<Item>& items) {
  absl::Status first;
  size_t failed = 0;
  in.result = base::Json::MakeObject();
  base::Json& blobs = in.result.Set("blobs", base::Json::MakeArray());
  for (const Item& item : items) {
    base::Json json = base::Json::MakeObject({{"path", base::EscapeForTerminal(item.path)}});
    if (item.status.ok()) {
      json.Set("digest", item.digest->ToString());
      json.Set("size_bytes", item.digest->size_bytes);
      json.Set("result", item.stored ? "stored" : "present");
      if (!in.json) {
        in.streams.out << item.digest->ToString() << "  " << base::EscapeForTerminal(item.path)
                       << "\n";
      }
    } else {
      ++failed;
      first.Update(item.status);
      json.Set("result", "failed");
      json.Set("message", std::string(item.status.message()));
      if (items.size() > 1 && !in.json) {
        in.Warn("", absl::StrCat("not stored: ", item.status.message()));
      }
    }
    blobs.Append(std::move(json));
  }
  if (failed > 1) return base::Annotate(first, absl::StrCat("put: ", failed, " files failed"));
  return first;
}

absl::Status RunPut(const PutCommand& o, const CasServers& servers, const GlobalOptions& globals,
                    Invocation& in) {
  if (std::count(o.paths.begin(), o.paths.end(), "-") > 1) {
    return UsageError("put: standard input is named twice", "name - once");
  }
  SLIPWAY_ASSIGN_OR_RETURN(const cas::RemoteOptions remote,
                           RemoteOptionsOf(o.connection, globals, in));
  SLIPWAY_ASSIGN_OR_RETURN(const auto store, servers.store(remote, in.world));
  return Report(in, Putter(in, globals, *store).Put(o.paths));
}

}  // namespace

void AddPut(base::cli::Program& program, const CasServers& servers, const GlobalOptions& globals) {
  auto o = std::make_shared<PutCommand>();
  base::cli::Command& put = program.Add("cas put", "Store files as blobs");
  put.Example("zako cas put model.bin config.json");
  put.Example("tar c src | zako cas put -", "standard input");
  put.Description("Prints blake3:<hex>/<size> and the path of each. What is there is not sent.");
  put.Arguments("FILE", &o->paths, "Files; - is standard input")
      .Required()
      .Completes(base::cli::ValueKind::kFile);
  AddConnection(put, &o->connection);
  put.Run([o, &servers, &globals](Invocation& in) {
    return Timed(in, [&] { return RunPut(*o, servers, globals, in); });
  });
}

}  // namespace slipway::zako::cli
