// The one place where names of objects and the index change, for one group of jobs at a time: so
// both always agree, and a group shares its syncs (Z137). Large groups change them one after the
// other and sync beside each other. Thread-safe; blocks.
#pragma once

#include <atomic>
#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "absl/container/flat_hash_map.h"
#include "absl/container/flat_hash_set.h"
#include "absl/status/status.h"
#include "absl/types/span.h"
#include "base/clock.h"
#include "base/files.h"
#include "base/sync/mutex.h"
#include "cas/digest.h"
#include "cas/store/group_queue.h"
#include "cas/store/index.h"
#include "cas/store/layout.h"
#include "cas/store/metrics.h"
#include "cas/store/stores.h"

namespace slipway::cas {

struct CommitJob {
  enum class Kind : uint8_t {
    kStore,     // give `temp`, whose bytes are verified, its name
    kRemove,    // the object and its entry
    kSetAside,  // the damaged object; of another inode than `inode` it is left alone
    kRecord,    // make the entry what the file says: there, absent, or another one
    kTouch,     // write the access times down
  };
  Kind kind = Kind::kStore;
  Digest digest;
  base::File* temp = nullptr;
  bool synced = false;         // kStore: the caller has synced `temp`
  uint64_t sync_failures = 0;  // kStore: Committer::sync_failures when `temp` was made
  uint64_t inode = 0;
  std::string reason;
  // Results.
  absl::Status status;
  bool found = false;  // kStore: it was there; else: there was such an object
};

// The entry of an object whose file is so.
IndexRecord RecordOf(const base::Meta& meta, absl::Time accessed);

class Committer {
 public:
  Committer(Layout& layout, Index& index, base::Clock& clock, const DiskStoreOptions& options,
            DiskStoreMetrics& metrics);

  // After it the jobs have their results. For an error of kStore nothing of the blob is visible.
  void Run(absl::Span<CommitJob* const> jobs);
  absl::Status Run(CommitJob& job);

  // The blob is being read; writes the times down when the last time is long ago.
  void Touch(const Hash& hash);
  bool Touched(const Hash& hash);  // since the last time they were written down

  // Whether what the name leads to, if anything, does not count, for it could not be moved away or
  // a sync of it failed: to be treated as absent. Storing the blob ends that.
  bool Doubtful(const Hash& hash);
  // Whether a group has changed the name and has not ended: a job of this blob waits until it has.
  bool Pending(const Hash& hash);
  bool AnyDoubtful() const { return any_doubtful_.load(std::memory_order_relaxed); }
  // How many syncs of the whole file system have failed. Such a failure is final also for files
  // that were being written meanwhile.
  uint64_t sync_failures() const { return sync_failures_.load(std::memory_order_acquire); }
  void UpdateGauges();

 private:
  using Jobs = absl::Span<CommitJob* const>;
  // What a group changes. Lives for one group.
  struct Group {
    Jobs jobs;
    size_t lane = 0;                      // which handle of the file system it syncs by
    bool indexed = false;                 // and that is durable, if `sync` below was OK
    std::map<uint8_t, base::Dir*> dirty;  // directories whose names changed
    bool quarantine_dirty = false;
    std::vector<CommitJob*> made;     // kStore jobs whose name is new
    std::vector<CommitJob*> changed;  // jobs of any kind that changed a name
    // What the index is to hold; nullopt: nothing.
    std::map<Hash, std::optional<IndexRecord>> records;
  };

  void Work(Jobs jobs, size_t lane);
  void SyncContents(Group& group);
  // Until no other group has changed a name of this one's jobs and may still take it back.
  void AwaitOthers(const Group& group) ABSL_EXCLUSIVE_LOCKS_REQUIRED(names_mutex_);
  void ChangeNames(Group& group);
  absl::Status ChangeName(CommitJob& job, Group& group);
  absl::Status Publish(CommitJob& job, Group& group);
  absl::Status Unlink(CommitJob& job, Group& group);
  absl::Status SetAside(CommitJob& job, Group& group);
  absl::Status Record(CommitJob& job, Group& group);
  absl::Status SyncNames(Group& group);
  // The index first and then one sync for all, while other groups go on.
  absl::Status SyncBeside(Group& group) ABSL_EXCLUSIVE_LOCKS_REQUIRED(names_mutex_);
  // Makes the group what `status` of its syncs says.
  absl::Status Conclude(Group& group, absl::Status status)
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(names_mutex_);
  absl::Status SyncAll(size_t lane);
  absl::Status WriteIndex(Group& group, bool durable);
  void SetPending(const Group& group, bool pending);
  void AddTouched(Group& group);
  // Of the stores of a group that failed as a whole: no name of theirs stays.
  void TakeBack(Group& group, const absl::Status& status);
  // The names of a group whose sync failed.
  void GiveUp(const Group& group);
  void SetDoubt(const Hash& hash);
  void ClearDoubt(const Hash& hash);
  bool syncs() const { return options_.durability != Durability::kNone; }

  Layout& layout_;
  Index& index_;
  base::Clock& clock_;
  const DiskStoreOptions options_;
  DiskStoreMetrics& metrics_;
  GroupQueue<CommitJob> queue_;
  std::atomic<uint64_t> sync_failures_{0};
  std::atomic<bool> any_doubtful_{false};
  std::atomic<bool> any_pending_{false};

  base::Mutex names_mutex_;  // held while names and index change
  base::CondVar ended_;      // a large group has
  base::Mutex mutex_;        // a leaf
  absl::flat_hash_set<Hash> pending_ ABSL_GUARDED_BY(mutex_);
  absl::flat_hash_set<Hash> doubts_ ABSL_GUARDED_BY(mutex_);
  absl::flat_hash_map<Hash, uint32_t> touched_ ABSL_GUARDED_BY(mutex_);
  absl::Duration touches_written_ ABSL_GUARDED_BY(mutex_);
};

}  // namespace slipway::cas
