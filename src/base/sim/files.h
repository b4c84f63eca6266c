// A disk in memory that forgets what was not synced, fails when told to, and counts. For fault
// loops (STYLE S24): fail the n-th operation for n = 1, 2, … until it succeeds, reboot, check.
//
//   for (int n = 1;; ++n) {
//     sim::Files files = before;           // a copy is cheap
//     files.PowerLossAt(n);
//     const absl::Status status = Switch(files, "1.1");
//     sim::Files after = files.AfterReboot();
//     EXPECT_THAT(after.ReadLink("model/current"), IsOkAndHolds(AnyOf("1.0", "1.1")));
//     if (!files.off()) break;             // no operation left to fail
//   }
//
// The model: bytes and attributes of a file are durable after File::Sync, names in a directory and
// its attributes after Dir::Sync, all of it after SyncFilesystem; nothing else makes anything
// durable. What a power loss leaves of the rest is Loss (disk.h); README.md says why that is at
// least as harsh as ext4 and XFS. Everything depends on the seed and the calls only.
//
// Thread-safe, but for copying and moving the object while it is used.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "base/clock.h"
#include "base/files.h"
#include "base/sim/disk.h"
#include "base/sim/kernel.h"

namespace slipway::base::sim {

class Machine;

// Which syncs say OK and do nothing: a disk that lies, or a program that forgot to sync.
enum class Lie : uint8_t { kNone, kFileSync, kDirSync, kEverySync };

// Faults that calls met, ever.
struct FaultCounts {
  uint64_t power_lost = 0;    // in the middle of an operation
  uint64_t failed = 0;        // with an error that was planted, full disks apart
  uint64_t syncs_failed = 0;  // of these
  uint64_t full = 0;          // the disk had no room, or was said to have none
  uint64_t cut_short = 0;     // writes, of all these
  uint64_t misdirected = 0;   // writes that went elsewhere
};

class Files : public base::Files {
 public:
  // An empty disk: "/" alone, owned by root, which is also the working directory.
  explicit Files(uint64_t seed);
  // The same disk, unsynced changes, faults and counters; open files and locks stay behind.
  Files(const Files& other);
  Files& operator=(const Files& other);
  Files(Files&& other) noexcept;
  Files& operator=(Files&& other) noexcept;
  ~Files() override;

  Owned<Dir> OpenRoot(absl::string_view path) override;
  Owned<Dir> MakeRoot(absl::string_view path) override;
  absl::StatusOr<std::string> Canonical(absl::string_view path) override;

  // ---- Faults. Operations count from 1 = the next one ----
  // The n-th does not happen or, by the seed, does in part (a write) or unseen (the rest); it and
  // every later call return Unavailable until a reboot.
  void PowerLossAt(int n);
  // The n-th returns `error` (ErrnoError(ENOSPC or EIO, …)) and does not happen; of a write a part
  // does. A failed sync dooms the changes it was for: no later sync makes them durable. `sticky`:
  // all later ones fail too; but with ResourceExhausted removing, syncing and shrinking go on.
  void FailAt(int n, absl::Status error, bool sticky = false);
  // The n-th, if it is a write, answers OK but goes elsewhere: its bytes are seen as if they were
  // there until the reboot, then the old ones are, and another place of the disk, in this file or
  // another, has been overwritten.
  void MisdirectAt(int n);
  void ClearFaults();
  // The power goes now, between two operations.
  void PowerOff();
  bool off() const;  // the power loss has come

  // Damages what lies on the disk, and nobody is told: one bit of the file, at `bit` modulo its
  // size. NotFound, or FailedPrecondition when the file is empty.
  absl::Status FlipBit(absl::string_view path, uint64_t bit);

  // The power goes now, if it has not, and comes back: handles are dead (Unavailable), locks gone,
  // faults and counters cleared. `attempt` varies the choices of kSeeded and kOrdered.
  void Reboot(Loss loss = Loss::kSeeded, uint64_t attempt = 0);
  // A copy that was rebooted; this one stays as it is.
  Files AfterReboot(Loss loss = Loss::kSeeded, uint64_t attempt = 0) const;
  // Everything so far is durable and faults and counters are cleared: the end of a test's set-up.
  void Settle();

  // What faults did, since this disk is there.
  struct Counts {
    FaultCounts faults;
    LossCounts losses;
  };
  Counts counts() const;
  // Operations so far: everything that changes something, and syncs. With CountReads also opening,
  // reading, listing and looking up, which can then fail too.
  int operations() const;
  void CountReads(bool count);
  // One line each, with paths from the root: "write a/b 0 +12", "fsync a/b", "rename a/b -> a/c".
  std::vector<std::string> trace() const;
  void KeepTrace(bool keep);  // false: spares the time and memory

  // ---- The machine ----
  void SetLie(Lie lie);
  void SetFeatures(Features features);
  void SetCapacity(uint64_t bytes, uint64_t inodes = 0);  // 0: no limit
  void SetCaller(Caller caller);
  void SetWorkingDirectory(absl::string_view path);  // absolute
  void SetClock(base::Clock* clock);  // outlives this; without one, every change takes 1 ms

  // ---- Looking in from outside: no fault, no count, also while the machine is off ----
  // One line for each path, sorted: kind, mode, path, and bytes or target. Equal trees, equal text.
  std::string Tree() const;
  absl::StatusOr<std::string> Read(absl::string_view path) const;
  absl::StatusOr<std::string> ReadLink(absl::string_view path) const;
  bool Exists(absl::string_view path) const;
  // All regular files, by path, and their sizes.
  std::vector<std::pair<std::string, uint64_t>> List() const;

 private:
  std::shared_ptr<Machine> machine_;
};

}  // namespace slipway::base::sim
