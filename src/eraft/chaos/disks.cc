#include "eraft/chaos/disks.h"

#include <algorithm>
#include <csignal>
#include <map>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_replace.h"
#include "eraft/chaos/tools.h"

namespace slipway::eraft::chaos {
namespace {

constexpr absl::Duration kLook = absl::Milliseconds(100);
constexpr absl::Duration kEndIn = absl::Seconds(60);

}  // namespace

bool InOwnMounts(base::World& world) {
  return world.environment.Get(kOwnMountsVariable).has_value();
}

absl::StatusOr<int> RunInOwnMounts(base::World& world, std::vector<std::string> argv,
                                   const base::CancelToken& cancel) {
  std::vector<std::string> command = {"unshare", "--mount", "--propagation", "private"};
  command.insert(command.end(), argv.begin(), argv.end());
  base::SpawnOptions options;
  options.argv = std::move(command);
  options.capture = false;
  options.env.emplace();
  for (const std::string& name : world.environment.Names()) {
    (*options.env)[name] = world.environment.Get(name).value_or("");
  }
  (*options.env)[kOwnMountsVariable] = "1";
  SLIPWAY_ASSIGN_OR_RETURN(const auto process, world.spawner.Spawn(std::move(options)));
  const auto handle = cancel.OnCancel([&] { process->Kill(SIGTERM).IgnoreError(); });
  while (true) {
    const auto status = process->Wait(cancel.cancelled() ? kEndIn : kLook);
    if (status.ok()) return status->signal != 0 ? 128 + status->signal : status->code;
    if (!absl::IsDeadlineExceeded(status.status()) || cancel.cancelled()) return status.status();
  }
}

std::string WhyNoMounts(base::World& world) {
  if (world.environment.UserId() != 0) return "needs root";
  const auto done = RunTool(world, {"unshare", "--mount", "--propagation", "private", "mount", "-t",
                                    "tmpfs", "-o", "size=1m", "none", "/mnt"});
  return done.ok() ? "" : std::string(done.status().message());
}

std::string WhyNoLoopDevices(base::World& world, const std::string& dir) {
  if (const std::string why = WhyNoMounts(world); !why.empty()) return why;
  const std::string image = absl::StrCat(dir, "/probe.img");
  const auto done = RunTool(
      world, {"unshare", "--mount", "--propagation", "private", "sh", "-c",
              "truncate -s 8M \"$1\" && mkfs.ext4 -q -F \"$1\" && mount -o loop \"$1\" /mnt", "sh",
              image});
  RunTool(world, {"rm", "-f", image}).IgnoreError();
  return done.ok() ? "" : std::string(done.status().message());
}

Disks::~Disks() {
  while (!mounted_.empty()) {
    const std::string place = mounted_.back();
    if (!Unmount(place).ok()) {
      RunTool(world_, {"umount", "--lazy", place}).IgnoreError();
      mounted_.pop_back();
    }
  }
}

absl::Status Disks::Begin(uint64_t bytes) {
  SLIPWAY_RETURN_IF_ERROR(world_.files.MakeRoot(dir_).status());
  return MountMemory(dir_, bytes);
}

std::string Disks::ImageOf(const std::string& place) const {
  return absl::StrCat(dir_, "/", absl::StrReplaceAll(place, {{"/", "_"}}), ".img");
}

absl::Status Disks::MountImage(const std::string& place, uint64_t bytes) {
  const std::string image = ImageOf(place);
  SLIPWAY_RETURN_IF_ERROR(RunTool(world_, {"truncate", "-s", absl::StrCat(bytes), image}).status());
  SLIPWAY_RETURN_IF_ERROR(RunTool(world_, {"mkfs.ext4", "-q", "-F", image}).status());
  SLIPWAY_RETURN_IF_ERROR(RunTool(world_, {"mount", "-o", "loop", image, place}).status());
  mounted_.push_back(place);
  return absl::OkStatus();
}

absl::Status Disks::TakePicture(const std::string& place) {
  const std::string image = ImageOf(place);
  return RunTool(world_, {"cp", "--sparse=always", image, absl::StrCat(image, ".cut")}).status();
}

absl::Status Disks::BackToPicture(const std::string& place) {
  const std::string image = ImageOf(place);
  SLIPWAY_RETURN_IF_ERROR(Unmount(place));
  SLIPWAY_RETURN_IF_ERROR(RunTool(world_, {"mv", absl::StrCat(image, ".cut"), image}).status());
  SLIPWAY_RETURN_IF_ERROR(RunTool(world_, {"mount", "-o", "loop", image, place}).status());
  mounted_.push_back(place);
  return absl::OkStatus();
}

absl::Status Disks::MountMemory(const std::string& place, uint64_t bytes) {
  SLIPWAY_RETURN_IF_ERROR(
      RunTool(world_, {"mount", "-t", "tmpfs", "-o", absl::StrCat("size=", bytes), "none", place})
          .status());
  mounted_.push_back(place);
  return absl::OkStatus();
}

absl::Status Disks::Unmount(const std::string& place) {
  SLIPWAY_RETURN_IF_ERROR(RunTool(world_, {"umount", place}).status());
  mounted_.erase(std::remove(mounted_.begin(), mounted_.end(), place), mounted_.end());
  return absl::OkStatus();
}

}  // namespace slipway::eraft::chaos
