// The local key-value store of a node, whatever stands behind it (E150). Keys and values are bytes,
// keys ordered as bytes.
//
// The Raft log is the truth (E151): a Write is visible at once and durable some time later, in
// order: what a crash leaves is the effect of the first n writes for some n, never of a later write
// without an earlier one. What is durable for certain tells GetDurable; the caller keeps its log
// above that and replays it.
//
// Thread-safe. All calls block on disk. Errors: DataLoss (checksum, I/O error: the engine refuses
// from then on), ResourceExhausted (no space, nothing was done: again when there is some),
// Unavailable (simulated machine is off),
// FailedPrecondition (closed; the directory holds something else), InvalidArgument (bounds).
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/types/span.h"
#include "base/status.h"

namespace slipway::eraft {

// Numbers stand in MANIFEST and IDENTITY.
enum class EngineKind : uint8_t { kMemory = 1, kRocksDb = 2, kLevelDb = 3 };
absl::string_view EngineKindName(EngineKind kind);  // "memory", "rocksdb", "leveldb"
absl::StatusOr<EngineKind> ParseEngineKind(absl::string_view name);

// Keys from `begin` on and below `end`. There is no way to say "to the end of everything" (E66).
struct KeyRange {
  std::string begin;
  std::string end;
  friend bool operator==(const KeyRange&, const KeyRange&) = default;
};

// Changes that happen together or not at all, in this order.
class Batch {
 public:
  enum class Kind : uint8_t { kPut, kDelete, kDeleteRange };
  struct Change {
    Kind kind;
    std::string key;    // kDeleteRange: its begin
    std::string value;  // kPut: the value; kDeleteRange: its end
  };

  void Put(std::string key, std::string value);
  void Delete(std::string key);
  void DeleteRange(KeyRange range);  // an empty range changes nothing

  absl::Span<const Change> changes() const { return changes_; }
  bool empty() const { return changes_.empty(); }
  uint64_t bytes() const { return bytes_; }  // of keys and values

 private:
  std::vector<Change> changes_;
  uint64_t bytes_ = 0;
};

// Walks the keys of one range in order, over one state. Thread-compatible. Stands on the first key
// at the beginning. `key` and `value` only while valid(), until the next Next or Seek.
class Iterator {
 public:
  virtual ~Iterator() = default;
  virtual bool valid() const = 0;
  virtual void Next() = 0;
  virtual void Seek(absl::string_view key) = 0;  // to the first key of the range at or after it
  virtual absl::string_view key() const = 0;
  virtual absl::string_view value() const = 0;
  virtual absl::Status status() const = 0;  // why it ended early; OK at a true end
};

// The state of one moment, which later writes do not change. Outlived by its engine. Thread-safe.
class View {
 public:
  virtual ~View() = default;
  virtual absl::StatusOr<std::optional<std::string>> Get(absl::string_view key) const = 0;
  // InvalidArgument: `range.end` is empty or below `range.begin`.
  virtual base::Owned<Iterator> Scan(const KeyRange& range) const = 0;
};

class Engine {
 public:
  virtual ~Engine() = default;  // closes

  virtual absl::Status Write(const Batch& batch) = 0;
  virtual absl::StatusOr<std::optional<std::string>> Get(absl::string_view key) = 0;
  // Its iterators and it keep old data from being freed: short-lived.
  virtual base::Owned<View> NewView() = 0;

  // Everything written before the call is durable after OK.
  virtual absl::Status Flush() = 0;
  // The value that a power loss now would leave, or an older one that a power loss before could
  // have left. A key that every Write carries, so that its values rise, tells how far the engine
  // is durable; the answer never falls.
  virtual absl::StatusOr<std::optional<std::string>> GetDurable(absl::string_view key) = 0;

  // Makes the directory `path` (as EngineHome's) hold a copy that EngineHome::Open opens: the
  // effect of a prefix of the writes, at least of all that were answered before the call. Writes go
  // on meanwhile. Durable but for the name of `path` in its parent. AlreadyExists: `path` exists.
  virtual absl::Status Checkpoint(absl::string_view path) = 0;

  // Adds everything that `source` still walks; each key of it must be above the one before. Not
  // atomic: after an error or a crash any part of it may be there, so ingest what nothing shows
  // yet. Durable after the next Flush.
  virtual absl::Status Ingest(Iterator& source) = 0;

  // Bytes of the range on disk, roughly; cheap.
  virtual absl::StatusOr<uint64_t> ApproximateBytes(const KeyRange& range) = 0;

  virtual EngineKind kind() const = 0;
  // Its end is near: from now on no call waits for room on the disk. Does not block.
  virtual void StopWaiting() {}
  // What is written is kept, durably, where the engine can. No view or iterator may be left.
  virtual absl::Status Close() = 0;
};

// Opens the engines beneath one data directory. Paths are relative to it ("kv", "kv.new").
// Thread-safe.
class EngineHome {
 public:
  virtual ~EngineHome() = default;
  // Makes it when `path` is missing or empty. FailedPrecondition: another engine or process has it.
  virtual base::Owned<Engine> Open(absl::string_view path) = 0;
  virtual EngineKind kind() const = 0;
  // Whether a file of this name never changes once it is whole, so that a copy may be a hard link.
  virtual bool IsImmutable(absl::string_view file_name) const = 0;
};

// InvalidArgument when `range` is none (E66).
absl::Status CheckRange(const KeyRange& range);

}  // namespace slipway::eraft
