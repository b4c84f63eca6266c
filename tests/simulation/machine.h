// One machine of the simulated cluster: disk, clock, process with its loop and pools, and the node
// that runs in it. One thread.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "base/metrics/metrics.h"
#include "base/sim/files.h"
#include "base/sim/loop.h"
#include "base/sim/loop_pool.h"
#include "base/sim/network.h"
#include "base/sim/node_clock.h"
#include "base/sim/node_loop.h"
#include "base/sim/random.h"
#include "checker.h"
#include "coverage.h"
#include "eraft/node/node.h"
#include "trace.h"

namespace slipway::eraft::simulation {

// What all machines of a run share.
struct Common {
  base::sim::Clock& clock;
  base::sim::Loop& loop;
  base::sim::Network& network;
  Trace& trace;
  std::vector<Checker>& checkers;  // of group i + 1
  uint64_t seed = 0;
  int groups = 1;
  raft::Membership members;     // of every group, at the beginning
  bool small_entries = false;   // so that segments of the log may be small, too
  bool small_segments = false;  // as small as they may be
  bool small_messages = false;  // of few entries each
};

class Machine {
 public:
  Machine(Common& common, raft::NodeId id);
  ~Machine();
  Machine(const Machine&) = delete;
  Machine& operator=(const Machine&) = delete;

  raft::NodeId id() const { return id_; }
  // Null: no process runs.
  Node* node() { return node_.get(); }
  bool up() const { return node_ != nullptr; }
  base::sim::Files& disk() { return disk_; }
  base::sim::NodeClock& clock() { return clock_; }
  base::sim::NodeLoop& loop() { return loop_; }
  base::sim::LoopPool& wal_pool() { return wal_pool_; }
  base::sim::LoopPool& pool() { return pool_; }

  // Starts the process. An error that the faults of this disk explain leaves it down, to be tried
  // again; one that they do not is a violation.
  void Start();
  // The process dies, and the machine with it unless `loss` is kKeepAll.
  void Kill(base::sim::Loss loss);
  // To be called after each step of the loop: ends a process whose power went or whose node can go
  // on no more. True: it ended one.
  bool Reap();

  // Its disk has damage that may show at any start (E202): DataLoss is no violation, and fences it.
  void NoteDamage() { damaged_ = true; }
  bool damaged() const { return damaged_; }
  bool fenced() const { return fenced_; }
  // The power goes so many disk operations after the next snapshot is installed.
  void PowerLossAfterInstall(int operations) { after_install_ = operations; }
  // How the power that an armed fault takes is lost.
  void SetLoss(base::sim::Loss loss) { loss_ = loss; }
  // An error of the disk was planted for this start or the one under way.
  void NoteDiskFault() { disk_fault_ = disk_faulted_ = true; }
  void ClearDiskFaults();

  uint64_t starts() const { return life_; }
  uint64_t failed_starts() const { return failed_starts_; }
  uint64_t installs() const { return installs_; }
  uint64_t ended_itself() const { return ended_itself_; }
  void NoteBitFlipped() { ++bits_flipped_; }
  // What happened to and in this machine so far.
  Coverage GetCoverage() const;

 private:
  class Observer;
  absl::Status Open();
  void Drop();
  base::sim::Loss LossOfEnd() const;
  void CheckRecovered();
  // Of this life of the process.
  void CountLife(Coverage& coverage) const;
  void OnFailedStart(const absl::Status& status);

  Common& common_;
  const raft::NodeId id_;
  base::sim::Files disk_;
  base::sim::NodeClock clock_;
  base::sim::NodeLoop loop_;
  base::sim::LoopPool pool_;
  base::sim::LoopPool wal_pool_;

  // Of one life of the process.
  std::unique_ptr<base::sim::Random> random_;
  std::unique_ptr<base::Metrics> metrics_;
  std::vector<std::unique_ptr<base::Dir>> dirs_;
  std::vector<std::unique_ptr<EngineHome>> homes_;
  std::unique_ptr<base::Transport> transport_;
  std::unique_ptr<Observer> observer_;
  std::unique_ptr<Node> node_;
  bool dying_ = false;
  int after_install_ = 0;  // 0: nothing is planned
  bool fatal_ = false;

  base::sim::Loss loss_ = base::sim::Loss::kSeeded;
  uint64_t life_ = 0;
  bool begun_ = false;  // a start has succeeded
  uint64_t failed_starts_ = 0;
  uint64_t installs_ = 0;
  uint64_t ended_itself_ = 0, bits_flipped_ = 0;
  Coverage earlier_lives_;
  bool damaged_ = false, fenced_ = false;
  bool disk_fault_ = false;    // now
  bool disk_faulted_ = false;  // in this life of the process
};

}  // namespace slipway::eraft::simulation
