// What a simulated machine has on its disk and in its page cache: two images of every inode, the
// live one that calls see and the durable one that power loss leaves, and between them the changes
// that no sync has made durable yet. Knows neither paths, nor permissions, nor faults: kernel.h and
// files.h do. The model is explained in README.md. Thread-compatible.
#pragma once

#include <cstdint>
#include <map>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "absl/time/time.h"
#include "base/bytes.h"
#include "base/files.h"
#include "base/sim/content.h"
#include "base/sim/random.h"

namespace slipway::base::sim {

using Inode = uint64_t;  // never used again; 0: none
inline constexpr Inode kRootInode = 1;

// What becomes of changes that were not synced when the power went.
enum class Loss : uint8_t {
  kSeeded,           // any subset that the dependencies allow, writes torn by sectors
  kOrdered,          // of each directory and each file a suffix is lost
  kLoseAllUnsynced,  // exactly what was synced is there
  kKeepAll,          // none: the process was killed, the machine lived; unsynced stays unsynced
};

// What power losses took, ever.
struct LossCounts {
  uint64_t writes_lost = 0, writes_torn = 0;  // torn: lost but for some sectors
  uint64_t names_lost = 0;                    // changes of names
};

struct Node {
  FileKind kind = FileKind::kFile;
  uint32_t mode = 0;
  uint32_t uid = 0;
  uint32_t gid = 0;
  absl::Time mtime;
  absl::Time ctime;
  std::map<std::string, std::string> xattrs;
  Content content;                       // of a file
  std::string target;                    // of a symlink
  std::map<std::string, Inode> entries;  // of a directory
  // Live image only: how many names it has (the root: 1), and the place of one of them.
  uint64_t links = 0;
  Inode parent = 0;
  std::string name;
};

// One name of one directory gets another inode; 0: the name goes.
struct NameChange {
  Inode dir = 0;
  std::string name;
  Inode inode = 0;
};

class Disk {
 public:
  Disk();

  const Node* Find(Inode inode) const;  // live; nullptr: gone
  Node& Get(Inode inode);               // CHECK: live
  uint64_t inode_count() const { return live_.size(); }
  uint64_t used_bytes() const;

  // An inode without a name, which goes when its last handle is closed unless it gets one.
  Inode Create(Node node);
  void AddHandle(Inode inode) { ++handles_[inode]; }
  void DropHandle(Inode inode);
  void DropAllHandles();

  void Write(Inode inode, uint64_t offset_bytes, std::string data, absl::Time now);
  void Truncate(Inode inode, uint64_t size_bytes, absl::Time now);
  void SetMeta(Inode inode, const MetaChange& change, absl::Time now);
  // One atomic operation on names: one change, or the two of a rename or an exchange.
  void Rename(std::vector<NameChange> changes, absl::Time now);

  // Makes durable: bytes and attributes; the names in it, its attributes and those of symlinks in
  // it; everything.
  void SyncNode(Inode inode);
  void SyncData(Inode inode);  // bytes and size, not the attributes
  void SyncDir(Inode dir);
  void SyncAll();
  // What a failed sync leaves: the changes it should have made durable are visible, but no later
  // sync makes them durable (Linux marks the pages clean: "fsyncgate", 2018). A name that is
  // changed again after that is written again.
  void DoomNode(Inode inode);
  void DoomDir(Inode dir);
  void DoomAll();
  // ---- Damage that nobody is told of ----
  void FlipBit(Inode inode, uint64_t bit);  // of what is there, live and durable alike
  // The last write of `inode`, of these bytes, goes elsewhere: it is doomed, and they overwrite
  // durably, which only a reboot shows, a place that the seed chooses.
  void Misdirect(Inode inode, BytesView data, Stream& choices);

  // The power goes and comes back: the durable image, with the surviving changes, is the live one
  // and all of it is durable. With kKeepAll only the handles go.
  void PowerLoss(Loss loss, Stream& choices);
  const LossCounts& loss_counts() const { return loss_counts_; }

 private:
  struct DataOp {
    enum class Kind : uint8_t { kWrite, kTruncate, kMeta };
    Kind kind = Kind::kWrite;
    uint64_t offset_bytes = 0;  // kTruncate: the size
    std::string data;
    MetaChange meta;
    absl::Time at;
    bool doomed = false;
    bool lost = false;  // misdirected: not even a power loss leaves it
  };
  struct NameOp {
    std::vector<NameChange> changes;
    std::vector<uint64_t> after;  // operations that are durable before this one is
    std::vector<Inode> gone;      // directories that it takes away
    bool doomed = false;
    absl::Time at;
  };
  using Ids = std::set<uint64_t>;

  static void Apply(Node& node, const DataOp& op);
  void ApplyTorn(Node& node, const DataOp& op, Loss loss, Stream& choices);
  void Remember(NameOp& op) const;
  void RememberMoves(NameOp& op) const;
  void Attached(Inode dir, std::vector<uint64_t>& after) const;
  void ChangeLive(const NameChange& change, absl::Time now);
  void Commit(const NameOp& op);
  void CommitAll(const Ids& wanted);
  bool Superseded(uint64_t id, const Ids& closure) const;
  void Close(uint64_t id, Ids& closure) const;
  void Forget(uint64_t id);
  void DropIfUnused(Inode inode);
  void CollectGarbage();
  Ids KeptNames(Loss loss, Stream& choices) const;
  void LoseData(Loss loss, Stream& choices);
  void LiveFromDurable();

  Inode next_inode_ = kRootInode;
  uint64_t next_id_ = 1;
  std::map<Inode, Node> live_;
  std::map<Inode, Node> durable_;
  std::map<Inode, int> handles_;
  std::map<Inode, std::vector<DataOp>> data_ops_;  // in order
  std::map<uint64_t, NameOp> name_ops_;            // by id, in order
  // Indexes of name_ops_.
  std::map<Inode, Ids> by_dir_;
  std::map<Inode, Ids> by_inode_;  // which gave the inode a name
  std::map<std::pair<Inode, std::string>, uint64_t> last_by_name_;
  LossCounts loss_counts_;
};

}  // namespace slipway::base::sim
