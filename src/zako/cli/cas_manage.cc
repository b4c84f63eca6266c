// zako cas stat, ls, rm, verify, gc (Z143).
#include <algorithm>
#include <limits>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/strip.h"
#include "base/cli/command.h"
#include "base/cli/table.h"
#include "base/json/json.h"
#include "base/units.h"
#include "zako/cli/commands.h"
#include "zako/cli/connection.h"

namespace slipway::zako::cli {
namespace {

using base::Json;
using base::cli::Command;
using base::cli::Invocation;

constexpr uint32_t kPageSize = 1000;

struct ManageCommand {
  ConnectionOptions connection;
  std::vector<std::string> digests;
  std::string prefix;
  uint64_t limit = std::numeric_limits<int64_t>::max();
  uint64_t rate = 0;
  std::optional<uint64_t> target;
  bool yes = false, dry_run = false;
};

// What the command line names. Without a digest: of a bare hash the server has no blob.
struct Target {
  std::string text;
  std::optional<cas::Digest> digest;
};

// The administration of the server, and what the command is about.
struct Opened {
  std::string server;
  std::unique_ptr<cas::CasAdmin> admin;
  std::vector<Target> targets;
};

absl::Status Absent(const Target& target) {
  return absl::NotFoundError(absl::StrCat("blob ", target.text, ": not in the store"));
}

absl::StatusOr<Opened> Open(const ManageCommand& o, const CasServers& servers,
                            const GlobalOptions& globals, Invocation& in) {
  std::vector<BlobName> names;
  for (const std::string& text : o.digests) {
    SLIPWAY_ASSIGN_OR_RETURN(const BlobName name, ParseBlobName(text));
    names.push_back(name);
  }
  SLIPWAY_ASSIGN_OR_RETURN(const cas::RemoteOptions remote,
                           RemoteOptionsOf(o.connection, globals, in));
  Opened opened;
  opened.server = remote.channel.address;
  SLIPWAY_ASSIGN_OR_RETURN(opened.admin, servers.admin(remote, in.world));
  for (const BlobName& name : names) {
    SLIPWAY_ASSIGN_OR_RETURN(const std::optional<cas::Digest> digest,
                             FindName(name, [&] { return servers.admin(remote, in.world); }));
    opened.targets.push_back({digest ? digest->ToString() : name.ToString(), digest});
  }
  return opened;
}

std::string TimeText(int64_t unix_seconds) {
  return unix_seconds == 0 ? "-" : base::FormatRfc3339(absl::FromUnixSeconds(unix_seconds));
}

absl::Status StatServer(Opened& opened, Invocation& in) {
  SLIPWAY_ASSIGN_OR_RETURN(const cas::RemoteStats stats, opened.admin->Stats());
  in.result = Json::MakeObject({{"server", opened.server},
                                {"version", base::EscapeForTerminal(stats.version)},
                                {"blobs", stats.blobs},
                                {"bytes", stats.bytes},
                                {"max_bytes", stats.max_bytes},
                                {"uptime_s", stats.uptime_s}});
  if (in.json) return absl::OkStatus();
  in.streams.out << "server   " << opened.server << "\nversion  "
                 << base::EscapeForTerminal(stats.version) << "\nblobs    " << stats.blobs
                 << "\nbytes    " << base::FormatSize(stats.bytes) << "\nlimit    "
                 << (stats.max_bytes == 0 ? "none" : base::FormatSize(stats.max_bytes))
                 << "\nuptime   "
                 << base::FormatGoDuration(absl::Seconds(static_cast<int64_t>(stats.uptime_s)))
                 << "\n";
  return absl::OkStatus();
}

absl::Status RunStat(Opened& opened, const ManageCommand&, Invocation& in) {
  if (opened.targets.empty()) return StatServer(opened, in);
  in.result = Json::MakeObject();
  Json& blobs = in.result.Set("blobs", Json::MakeArray());
  base::cli::Table table(
      {{"DIGEST"}, {"STORED", base::cli::Align::kRight}, {"CREATED"}, {"LAST ACCESS"}});
  absl::Status missing;
  for (const Target& target : opened.targets) {
    cas::RemoteStat stat;
    if (target.digest) {
      SLIPWAY_ASSIGN_OR_RETURN(stat, opened.admin->Stat(*target.digest));
    }
    Json json = Json::MakeObject({{"digest", target.text}, {"present", stat.present}});
    if (stat.present) {
      json.Set("stored_bytes", stat.stored_bytes);
      json.Set("created_at", TimeText(stat.created_unix));
      json.Set("last_access_at", TimeText(stat.last_access_unix));
      table.AddRow({target.text, absl::StrCat(stat.stored_bytes), TimeText(stat.created_unix),
                    TimeText(stat.last_access_unix)});
    } else {
      table.AddRow({target.text, "absent", "-", "-"}, base::cli::Tone::kRed);
      missing.Update(Absent(target));
    }
    blobs.Append(std::move(json));
  }
  if (!in.json) in.streams.out << table.Render(in.streams);
  return missing;
}

absl::Status RunList(Opened& opened, const ManageCommand& o, Invocation& in) {
  absl::string_view hex = o.prefix;
  absl::ConsumePrefix(&hex, "blake3:");
  // The server goes by bytes; an odd digit is looked at here.
  const auto bytes = base::FromHex(hex.substr(0, hex.size() / 2 * 2));
  const bool odd_is_hex =
      hex.size() % 2 == 0 || base::FromHex(absl::StrCat("0", hex.substr(hex.size() - 1))).ok();
  if (!bytes.ok() || bytes->size() > cas::kHashBytes || !odd_is_hex) {
    return UsageError(absl::StrCat("list \"", base::EscapeForTerminal(o.prefix),
                                   "\": is no beginning of a digest"),
                      "write at most 64 hex digits, lower case");
  }
  in.result = Json::MakeObject();
  Json& list = in.result.Set("digests", Json::MakeArray());
  std::string token;
  uint64_t count = 0;
  bool complete = true;
  do {
    SLIPWAY_RETURN_IF_ERROR(in.cancel.status());
    const uint64_t wanted = std::min<uint64_t>(kPageSize, o.limit - count);
    if (wanted == 0) break;
    SLIPWAY_ASSIGN_OR_RETURN(
        const cas::CasAdmin::Page page,
        opened.admin->List(*bytes, token,
                           hex.size() % 2 == 0 ? static_cast<uint32_t>(wanted) : kPageSize));
    for (const cas::Digest& digest : page.digests) {
      if (!absl::StartsWith(digest.Hex(), hex)) continue;
      if (count == o.limit) {
        complete = false;
        break;
      }
      ++count;
      if (in.json) list.Append(digest.ToString());
      if (!in.json) in.streams.out << digest.ToString() << "\n";
    }
    if (!token.empty() && token == page.next_token) {
      return absl::InternalError("list blobs: the server gives the same page again");
    }
    token = page.next_token;
  } while (!token.empty());
  in.result.Set("complete", complete && token.empty());
  return absl::OkStatus();
}

absl::Status RunRemove(Opened& opened, const ManageCommand& o, Invocation& in) {
  const size_t count = opened.targets.size();
  const std::string what = count == 1 ? opened.targets[0].text : absl::StrCat(count, " blobs");
  if (!o.dry_run) {
    SLIPWAY_RETURN_IF_ERROR(
        in.Confirm(absl::StrCat("remove ", what, " from ", opened.server), o.yes, kUsageId));
  }
  in.result = Json::MakeObject({{"dry_run", o.dry_run}});
  Json& blobs = in.result.Set("blobs", Json::MakeArray());
  for (const Target& target : opened.targets) {
    bool there = false;
    if (target.digest && o.dry_run) {
      SLIPWAY_ASSIGN_OR_RETURN(const cas::RemoteStat stat, opened.admin->Stat(*target.digest));
      there = stat.present;
    } else if (target.digest) {
      SLIPWAY_ASSIGN_OR_RETURN(there, opened.admin->Delete(*target.digest));
    }
    blobs.Append(Json::MakeObject({{"digest", target.text}, {"removed", there}}));
    if (in.json) continue;
    const char* result = !there ? "absent  " : o.dry_run ? "would remove  " : "removed  ";
    in.streams.out << result << target.text << "\n";
  }
  return absl::OkStatus();
}

absl::Status RunVerify(Opened& opened, const ManageCommand& o, const GlobalOptions& globals,
                       Invocation& in) {
  const auto progress = MakeProgress(globals, in);
  progress->Start({"verify", "", opened.server});
  cas::ScrubProgress all;
  const auto scrub = [&](const cas::Digest* digest) -> absl::Status {
    SLIPWAY_ASSIGN_OR_RETURN(
        const cas::ScrubProgress one,
        opened.admin->Scrub(digest, o.rate, [&](const cas::ScrubProgress& now) {
          progress->Update(all.bytes + now.bytes, all.blobs + now.blobs);
        }));
    all.blobs += one.blobs;
    all.bytes += one.bytes;
    all.corrupt.insert(all.corrupt.end(), one.corrupt.begin(), one.corrupt.end());
    return absl::OkStatus();
  };
  if (opened.targets.empty()) SLIPWAY_RETURN_IF_ERROR(scrub(nullptr));
  for (const Target& target : opened.targets) {
    if (!target.digest) return Absent(target);
    SLIPWAY_RETURN_IF_ERROR(scrub(&*target.digest));
  }
  progress->Finish();
  in.result = Json::MakeObject({{"blobs", all.blobs}, {"bytes", all.bytes}});
  Json& corrupt = in.result.Set("corrupt", Json::MakeArray());
  for (const cas::Digest& digest : all.corrupt) {
    corrupt.Append(digest.ToString());
    if (!in.json) in.streams.out << "damaged  " << digest.ToString() << "\n";
  }
  if (!in.json) {
    in.streams.out << all.blobs << " blobs, " << base::FormatSize(all.bytes) << ", "
                   << all.corrupt.size() << " damaged\n";
  }
  if (all.corrupt.empty()) return absl::OkStatus();
  return base::MakeError(
      absl::StatusCode::kDataLoss,
      absl::StrCat("verify: ", all.corrupt.size(), " blobs were damaged and are set aside"),
      {"ZK4005", "store them again from where they came"});
}

absl::Status RunGc(Opened& opened, const ManageCommand& o, const GlobalOptions& globals,
                   Invocation& in) {
  if (!o.target) {
    return UsageError("gc: how much to keep is not said", "add --target SIZE, like 10GiB");
  }
  if (!o.dry_run) {
    SLIPWAY_RETURN_IF_ERROR(in.Confirm(absl::StrCat("remove blobs from ", opened.server, " until ",
                                                    base::FormatSize(*o.target), " are left"),
                                       o.yes, kUsageId));
  }
  const auto progress = MakeProgress(globals, in);
  progress->Start({"gc", "", opened.server});
  SLIPWAY_ASSIGN_OR_RETURN(const cas::GcProgress done,
                           opened.admin->Gc(*o.target, o.dry_run, [&](const cas::GcProgress& now) {
                             progress->Update(now.removed_bytes, now.removed_blobs);
                           }));
  progress->Finish();
  in.result = Json::MakeObject({{"dry_run", o.dry_run},
                                {"scanned", done.scanned},
                                {"removed_blobs", done.removed_blobs},
                                {"removed_bytes", done.removed_bytes}});
  if (!in.json) {
    in.streams.out << (o.dry_run ? "would remove " : "removed ") << done.removed_blobs << " blobs, "
                   << base::FormatSize(done.removed_bytes) << "\n";
  }
  return absl::OkStatus();
}

template <class Body>
std::shared_ptr<ManageCommand> AddManage(Command& command, const CasServers& servers,
                                         const GlobalOptions& globals, Body body) {
  auto o = std::make_shared<ManageCommand>();
  command.Run([o, body, &servers, &globals](Invocation& in) {
    return Timed(in, [&]() -> absl::Status {
      SLIPWAY_ASSIGN_OR_RETURN(Opened opened, Open(*o, servers, globals, in));
      return body(opened, *o, in);
    });
  });
  return o;
}

}  // namespace

void AddStat(base::cli::Program& program, const CasServers& servers, const GlobalOptions& globals) {
  Command& stat = program.Add("cas stat", "What the server knows of blobs, or of itself");
  auto o = AddManage(stat, servers, globals, RunStat);
  stat.Example("zako cas stat blake3:…/1048576");
  stat.Example("zako cas stat", "blobs, bytes, version of the server");
  stat.Arguments("DIGEST", &o->digests, "blake3:<hex>/<size>, or the 64 digits alone");
  AddConnection(stat, &o->connection);
}

void AddList(base::cli::Program& program, const CasServers& servers, const GlobalOptions& globals) {
  Command& list = program.Add("cas ls", "List blobs by their hash");
  auto o = AddManage(list, servers, globals, RunList);
  list.Example("zako cas ls 64", "those whose hash begins with 64");
  list.Argument("PREFIX", &o->prefix, "First hex digits of the hash");
  list.Int("--limit", "N", &o->limit, 1, std::numeric_limits<int64_t>::max(), "At most so many");
  AddConnection(list, &o->connection);
}

void AddRemove(base::cli::Program& program, const CasServers& servers,
               const GlobalOptions& globals) {
  Command& remove = program.Add("cas rm", "Remove blobs");
  auto o = AddManage(remove, servers, globals, RunRemove);
  remove.Example("zako cas rm blake3:…/1048576 --yes");
  remove.Arguments("DIGEST", &o->digests, "blake3:<hex>/<size>, or the 64 digits alone").Required();
  remove.Flag("--dry-run", &o->dry_run, "Say what would go, remove nothing");
  remove.Flag("--yes,-y", &o->yes, "Do not ask");
  AddConnection(remove, &o->connection);
}

void AddVerify(base::cli::Program& program, const CasServers& servers,
               const GlobalOptions& globals) {
  Command& verify = program.Add("cas verify", "Let the server read blobs and check them");
  auto o = AddManage(verify, servers, globals,
                     [&globals](Opened& opened, const ManageCommand& command, Invocation& in) {
                       return RunVerify(opened, command, globals, in);
                     });
  verify.Example("zako cas verify --rate 50MiB", "all of them, without hurry");
  verify.Arguments("DIGEST", &o->digests, "Only these");
  verify.Size("--rate", "SIZE", &o->rate, "Bytes a second; as fast as the disk without it");
  AddConnection(verify, &o->connection);
}

void AddGc(base::cli::Program& program, const CasServers& servers, const GlobalOptions& globals) {
  Command& gc = program.Add("cas gc", "Remove the blobs that were not used for longest");
  auto o = AddManage(gc, servers, globals,
                     [&globals](Opened& opened, const ManageCommand& command, Invocation& in) {
                       return RunGc(opened, command, globals, in);
                     });
  gc.Example("zako cas gc --target 10GiB --dry-run");
  gc.Size("--target", "SIZE", &o->target, "Until so much is left");
  gc.Flag("--dry-run", &o->dry_run, "Say what would go, remove nothing");
  gc.Flag("--yes,-y", &o->yes, "Do not ask");
  AddConnection(gc, &o->connection);
}

}  // namespace slipway::zako::cli
