// The journal of a transaction (spec 6.14): what is about to be done, on disk before it is done.
// Format: docs/formats/journal.md. Thread-compatible.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/time/time.h"
#include "base/files.h"
#include "base/json/json.h"
#include "base/recordlog/recordlog.h"
#include "deploy/model/component.h"
#include "deploy/release/results.h"

namespace slipway::deploy {

inline constexpr int kJournalFormat = 1;

enum class StepKind : uint8_t {
  kBegin,
  kFetch,   // packages into the cache; kept when undone
  kStage,   // everything beneath staging/<tx>
  kPlace,   // what was staged to its place
  kGen,     // generations/<n>
  kSwitch,  // components/<type>/current
  kActive,  // active
  kLink,    // links/<type> and custom links
  kCommit,  // from here on only forward
  kEnd,     // nothing left to do; the file itself is garbage
};
const char* StepName(StepKind kind);  // "BEGIN", …

// What BEGIN saves.
struct BeginStep {
  std::string operation;
  std::vector<Component> components;
  std::vector<std::string> types;  // locked for this transaction
  std::string user, host, command;
  int pid = 0;
  absl::Time at;
  std::optional<uint64_t> generation;  // active before
};

// A staged file or directory that gets its final place.
struct Placement {
  std::string from;      // beneath staging
  std::string to;        // relative to the root
  bool replace = false;  // swaps with what is there, which then lies at `from`
  uint64_t inode = 0;    // of the staged one: tells on which side of the move a crash came
};

struct CommitStep {
  std::vector<std::pair<std::string, base::Json>> states;  // type, content of its state file
  base::Json history;                                      // the line
};

// One step; the members that its kind uses.
struct JournalStep {
  StepKind kind = StepKind::kBegin;
  BeginStep begin;
  std::vector<Placement> places;  // kPlace
  std::vector<std::string> dirs;  // kPlace, kLink: directories that this step makes
  uint64_t generation = 0;        // kGen
  std::vector<LinkChange> links;  // kSwitch, kActive, kLink
  CommitStep commit;              // kCommit
};

// Steps from here on happen under the root lock.
inline bool InRootPhase(StepKind kind) { return kind >= StepKind::kGen; }

base::Json StepToJson(const JournalStep& step);
absl::StatusOr<JournalStep> StepFromJson(const base::Json& json);
// The steps of one record. DT007: damaged; DT025: written by a newer tool.
std::string EncodeSteps(const std::vector<JournalStep>& steps);
absl::StatusOr<std::vector<JournalStep>> DecodeSteps(absl::string_view record);

class Journal {
 public:
  // Creates journal/<tx>.jnl with the record of `steps`, the first of which is BEGIN: it is there
  // whole and durably, or not at all.
  static base::Owned<Journal> Create(base::Dir& root, absl::string_view tx,
                                     std::vector<JournalStep> steps, uint32_t mode = 0644);
  // The steps of a journal that may be in use: nothing is written. NotFound: finished meanwhile.
  // DT007, DT025.
  static absl::StatusOr<std::vector<JournalStep>> Peek(base::Dir& root, absl::string_view tx);
  // As Peek, to go on with: nobody else may use it, for a torn tail is cut off.
  static base::Owned<Journal> Open(base::Dir& root, absl::string_view tx);

  const std::string& tx() const { return tx_; }
  const std::vector<JournalStep>& steps() const { return steps_; }
  const BeginStep& begin() const { return steps_.front().begin; }

  // Announces `steps`, durably. After an error they may be on disk or not: they count as announced.
  absl::Status Append(std::vector<JournalStep> steps);
  // Whether `user_id` or root wrote it, into a directory of theirs that not everybody may write to.
  // DT005: somebody else's.
  absl::Status CheckOwner(uint32_t user_id);
  // From here on, taking links back never sets a target that no deploy-tool sets: see IsOwnTarget.
  // Not durable before Rewrite.
  void DropForeignTargets();
  // Takes a COMMIT back whose Append failed and which may be on disk all the same. CHECK: it was
  // the last Append.
  absl::Status DropCommit();
  // Writes the journal anew: what was read of it is then durable, whatever happened to the process
  // that wrote it.
  absl::Status Rewrite();
  // Says that nothing is left to do, durably, and removes the file: even when power loss brings it
  // back, no recovery touches anything for it. After an error the file stays.
  absl::Status Finish();

 private:
  Journal(base::Dir& root, std::string tx) : root_(root), tx_(std::move(tx)) {}
  absl::Status Load();

  base::Dir& root_;
  std::string tx_;
  std::unique_ptr<base::Dir> dir_;
  std::unique_ptr<base::RecordLog> log_;
  std::vector<JournalStep> steps_;
  uint64_t end_bytes_ = 0;
  uint64_t last_begin_bytes_ = 0;  // where the record of the last Append starts
  bool failed_ = false;            // an Append failed: nothing more goes into this file
};

bool HasStep(const std::vector<JournalStep>& steps, StepKind kind);

// Transactions that have a journal, sorted.
absl::StatusOr<std::vector<std::string>> ListJournals(base::Dir& root);

}  // namespace slipway::deploy
