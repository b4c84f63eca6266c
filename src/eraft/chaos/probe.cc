#include "eraft/chaos/probe.h"

#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "absl/strings/strip.h"
#include "eraft/chaos/disks.h"
#include "eraft/chaos/tools.h"

namespace slipway::eraft::chaos {
namespace {

// Shell commands that succeed where the mechanism works; $1 is a fresh directory, $2 the shim. Each
// runs alone, in a mount namespace of its own where it may have one.
struct Trial {
  const char* name;
  const char* command;
  const char* use;
};

constexpr char kCutImage[] =
    "cd \"$1\" && mkdir -p live copy && truncate -s 16M img && mkfs.ext4 -q -F img && "
    "mount -o loop img live && echo synced >live/a && sync -f live/a && echo lost >live/b && "
    "cp img img2 && mount -o loop img2 copy && grep -q synced copy/a && ! test -s copy/b";
constexpr char kFullMemory[] =
    "mount -t tmpfs -o size=1m none \"$1\" && ! head -c 2000000 /dev/zero 2>&1 >\"$1/f\"";
constexpr char kDrop[] =
    "unshare --net sh -c 'ip link set lo up && nft add table t && nft add chain t c \"{ type "
    "filter "
    "hook input priority 0; }\" && nft add rule t c ip saddr 127.0.0.2 drop'";
constexpr char kNetem[] =
    "unshare --net sh -c 'ip link set lo up && tc qdisc add dev lo root netem delay 1ms'";
constexpr char kStop[] =
    "sleep 9 & p=$!; kill -STOP $p; for i in 1 2 3 4 5 6 7 8 9; do "
    "grep -q ') T ' /proc/$p/stat && ok=1 && break; sleep 0.05; done; kill -KILL $p; test $ok";
constexpr char kShim[] =
    "test -n \"$2\" && echo eio >\"$1/fault\" && "
    "! LD_PRELOAD=\"$2\" SLIPWAY_DISK_FAULT=\"$1/fault\" dd if=/dev/zero of=\"$1/f\" count=1 "
    "conv=fsync 2>/dev/null";

constexpr Trial kTrials[] = {
    {"a user-space proxy that knows who connects (/proc)", "test -r /proc/net/tcp",
     "partitions, one-way links (E402, E413)"},
    {"SIGKILL, SIGSTOP", kStop, "crashes and pauses (E402, E411)"},
    {"root", "test \"$(id -u)\" = 0", "all that mounts"},
    {"network namespaces", "unshare --net true", "separate hosts"},
    {"nft drop inside a namespace", kDrop, "packet loss"},
    {"tc netem", kNetem, "delay, reordering"},
    {"control groups (v1 freezer)", "test -d /sys/fs/cgroup/freezer", "pauses, slow nodes"},
    {"small tmpfs that fills up", kFullMemory, "full disks (E408)"},
    {"ext4 on a loop device, whose copy is a power cut", kCutImage, "power cuts (E404, E405)"},
    {"device mapper", "test -e /dev/mapper/control && dmsetup version",
     "replaced by the row above"},
    {"preloaded library that makes syncs fail", kShim,
     "lost, failed, slow syncs (E405, E409, E410)"},
    {"FUSE", "test -r /dev/fuse -a -w /dev/fuse && command -v fusermount3",
     "other faults of disks"},
    {"time namespace", "unshare --time true", "offsets of the monotonic clock"},
    {"libfaketime", nullptr, "clocks that jump or run fast (E412)"},
    {"container daemon", "command -v docker && docker info", "none: local processes are used"},
};

absl::Status Try(base::World& world, const Trial& trial, const std::string& dir,
                 const std::string& shim) {
  std::vector<std::string> command;
  if (world.environment.UserId() == 0) {
    command = {"unshare", "--mount", "--propagation", "private"};
  }
  for (const std::string& word : {std::string("sh"), std::string("-c"), std::string(trial.command),
                                  std::string("sh"), dir, shim}) {
    command.push_back(word);
  }
  return RunTool(world, std::move(command), absl::Seconds(20)).status();
}

}  // namespace

std::string FaketimeLibrary(base::World& world) {
  for (const char* folder :
       {"/usr/lib/x86_64-linux-gnu/faketime", "/usr/lib/aarch64-linux-gnu/faketime",
        "/usr/lib/faketime", "/usr/local/lib/faketime"}) {
    const std::string path = absl::StrCat(folder, "/libfaketime.so.1");
    if (FileExists(world, path)) return path;
  }
  return "";
}

std::vector<Mechanism> Probe(base::World& world, const std::string& shim) {
  std::vector<Mechanism> all;
  const auto made = RunTool(world, {"mktemp", "-d"});
  const std::string dir =
      made.ok() ? std::string(absl::StripTrailingAsciiWhitespace(*made)) : std::string("/nowhere");
  for (const Trial& trial : kTrials) {
    Mechanism mechanism{trial.name, false, "", trial.use};
    if (trial.command == nullptr) {
      mechanism.works = !FaketimeLibrary(world).empty();
      if (!mechanism.works) mechanism.why = "not installed";
    } else {
      const std::string place = absl::StrCat(dir, "/", all.size());
      RunTool(world, {"mkdir", "-p", place}).IgnoreError();
      const absl::Status status = Try(world, trial, place, shim);
      mechanism.works = status.ok();
      if (!status.ok()) {
        const std::vector<std::string> lines = absl::StrSplit(status.message(), '\n');
        const size_t colon = lines.front().rfind("exit code");
        mechanism.why = colon == std::string::npos ? lines.front() : lines.front().substr(colon);
      }
    }
    all.push_back(std::move(mechanism));
  }
  RunTool(world, {"rm", "-rf", dir}).IgnoreError();
  return all;
}

std::string WhyNot(Needs needs, base::World& world, const std::string& dir,
                   const std::string& shim) {
  const bool wants_shim = needs == Needs::kShim || needs == Needs::kShimAndLoopDevices;
  if (wants_shim && shim.empty()) return "the library that makes disks fail is not built";
  switch (needs) {
    case Needs::kMounts:
      return WhyNoMounts(world);
    case Needs::kLoopDevices:
    case Needs::kShimAndLoopDevices:
      return WhyNoLoopDevices(world, dir);
    case Needs::kFaketime:
      return FaketimeLibrary(world).empty() ? "libfaketime is not installed" : "";
    case Needs::kNothing:
    case Needs::kShim:
      break;
  }
  return "";
}

}  // namespace slipway::eraft::chaos
