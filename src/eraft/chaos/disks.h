// File systems of their own for nodes: images of ext4, whose copy is a power cut, and small ones in
// memory. Needs root and a mount namespace of this process alone (InOwnMounts), so that whatever
// becomes of the process, its mounts and loop devices go with it. Thread-compatible; calls block.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "base/sync/cancel.h"
#include "base/world.h"

namespace slipway::eraft::chaos {

// Set in the environment of a program that RunInOwnMounts started.
inline constexpr char kOwnMountsVariable[] = "SLIPWAY_CHAOS_OWN_MOUNTS";
bool InOwnMounts(base::World& world);
// Runs a program in a mount namespace of its own, with our standard streams; its exit code.
absl::StatusOr<int> RunInOwnMounts(base::World& world, std::vector<std::string> argv,
                                   const base::CancelToken& cancel);
// Why there can be no mounts, or no loop devices; empty: there can.
std::string WhyNoMounts(base::World& world);
std::string WhyNoLoopDevices(base::World& world, const std::string& dir);

class Disks {
 public:
  // Images are kept in `dir`, in memory: syncs of a real disk would take most of the time and show
  // nothing more.
  Disks(base::World& world, std::string dir) : world_(world), dir_(std::move(dir)) {}
  ~Disks();  // unmounts all

  absl::Status Begin(uint64_t bytes);
  // A fresh ext4 of that size at `place`.
  absl::Status MountImage(const std::string& place, uint64_t bytes);
  // Copies the image beneath `place` as it is now, without a word to the file system: what is in
  // the copy would be there after a power cut. Whoever writes to it stands still.
  absl::Status TakePicture(const std::string& place);
  // Puts the picture in the place of the image. Nobody uses the file system any more.
  absl::Status BackToPicture(const std::string& place);
  absl::Status MountMemory(const std::string& place, uint64_t bytes);
  absl::Status Unmount(const std::string& place);

 private:
  std::string ImageOf(const std::string& place) const;

  base::World& world_;
  const std::string dir_;
  std::vector<std::string> mounted_;  // in the order of their mounts
};

}  // namespace slipway::eraft::chaos
