// The directories of an open disk store: names, handles, quarantine. Thread-safe.
#pragma once

#include <array>
#include <atomic>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>

#include "absl/base/thread_annotations.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "base/clock.h"
#include "base/files.h"
#include "base/status.h"
#include "base/sync/mutex.h"
#include "cas/digest.h"
#include "cas/store/metrics.h"

namespace slipway::cas {

// Syncs of the whole file system that may be under way at a time.
inline constexpr size_t kSyncLanes = 4;

class Layout {
 public:
  // Opens or creates the store at `root`: lock, format, directories, an empty tmp/. Aborted:
  // locked, naming the holder's pid. FailedPrecondition: a newer format.
  static base::Owned<Layout> Open(const std::string& root, base::Files& files, base::Clock& clock,
                                  DiskStoreMetrics& metrics);

  base::Dir& root() { return *root_; }
  // The root again, for the syncs of one lane: the kernel tells an error of the file system once to
  // each open handle, so two that share one would leave it to chance who learns of it.
  base::Dir& sync_root(size_t lane) { return *sync_roots_[lane]; }
  base::Dir& objects() { return *objects_; }
  base::Dir& temp() { return *temp_; }
  base::Dir& quarantine() { return *quarantine_; }
  const std::string& path() const { return path_; }  // absolute
  bool created() const { return created_; }          // by Open

  // The directory of the objects whose hash begins with this byte; made durably where missing.
  absl::StatusOr<base::Dir*> FanOut(uint8_t index);
  // Of the object; nothing where there is no file.
  absl::StatusOr<std::optional<base::Meta>> StatObject(const Hash& hash);

  // Moves the object to quarantine/ with a file that says why. False: it is not there (or not this
  // inode any more, where `inode` is not 0). The names are not synced.
  absl::StatusOr<bool> SetAside(const Hash& hash, uint64_t inode, absl::string_view reason);
  // The same for something in the store that is no object. `path`: from the root.
  absl::Status SetAsideStray(const std::string& path, absl::string_view reason);

 private:
  Layout(std::unique_ptr<base::Dir> root, std::string path, base::Clock& clock,
         DiskStoreMetrics& metrics)
      : root_(std::move(root)), path_(std::move(path)), clock_(clock), metrics_(metrics) {}

  absl::Status Prepare();
  absl::Status Lock();
  absl::Status CheckFormat();
  absl::Status OpenDirs();
  absl::Status SweepTemp();
  absl::Status CountQuarantine();
  void WriteReason(const std::string& name, const std::string& path, absl::string_view reason);

  const std::unique_ptr<base::Dir> root_;
  const std::string path_;
  base::Clock& clock_;
  DiskStoreMetrics& metrics_;
  std::unique_ptr<base::File> lock_;
  std::array<std::unique_ptr<base::Dir>, kSyncLanes> sync_roots_;
  std::unique_ptr<base::Dir> objects_;
  std::unique_ptr<base::Dir> temp_;
  std::unique_ptr<base::Dir> quarantine_;
  bool created_ = false;
  std::atomic<uint32_t> strays_{0};
  base::Mutex mutex_;
  std::array<std::unique_ptr<base::Dir>, 256> fan_out_ ABSL_GUARDED_BY(mutex_);
  // Made, but the sync failed: to be made anew before it is used.
  std::array<bool, 256> lost_ ABSL_GUARDED_BY(mutex_) = {};
};

}  // namespace slipway::cas
