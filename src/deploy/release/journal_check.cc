#include "deploy/release/journal_check.h"

#include <algorithm>
#include <utility>

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "absl/strings/strip.h"
#include "base/bytes.h"
#include "deploy/model/errors.h"
#include "deploy/release/history.h"
#include "deploy/release/layout.h"
#include "deploy/release/state.h"

namespace slipway::deploy {
namespace {

constexpr size_t kBackupTimeChars = 16;  // 20240120T100000Z

// The checks of one journal; `root` is absolute.
struct Checker {
  absl::string_view root, tx;

  absl::Status Bad(const JournalStep& step, absl::string_view what, absl::string_view path) const {
    return Error(Dt::kChecksum,
                 absl::StrCat("read journal ", base::EscapeForTerminal(tx), ": ",
                              StepName(step.kind), " ", what, " \"", base::EscapeForTerminal(path),
                              "\", which no change of this root announces"),
                 absl::StrCat("look at ", kJournalDir, "/", base::EscapeForTerminal(tx),
                              ".jnl; if no deploy-tool wrote it, move it away"));
  }

  absl::Status Begin(const JournalStep& step) const;
  absl::Status Place(const JournalStep& step) const;
  absl::Status Links(const JournalStep& step) const;
  absl::Status Link(const JournalStep& step, const LinkChange& link) const;
  absl::Status Commit(const JournalStep& step) const;
};

bool IsVersion(absl::string_view text) { return CheckVersion(text, VersionScheme::kAny).ok(); }

bool IsAbove(absl::string_view dir, absl::string_view path) {
  return !dir.empty() && absl::StartsWith(path, absl::StrCat(dir, "/"));
}

// components/<type>/<version>, or the manifest or index of a version.
bool IsPlaceOfVersion(absl::string_view path) {
  const std::vector<absl::string_view> parts = absl::StrSplit(path, '/');
  if (parts.size() == 3) {
    return parts[0] == kComponentsDir && CheckType(parts[1]).ok() && IsVersion(parts[2]) &&
           parts[2] != kCurrentName;
  }
  if (parts.size() != 4 || parts[0] != kToolDir || !CheckType(parts[2]).ok()) return false;
  absl::string_view version = parts[3];
  const bool known = (parts[1] == "manifests" && absl::ConsumeSuffix(&version, ".manifest.json")) ||
                     (parts[1] == "index" && absl::ConsumeSuffix(&version, ".files.zst"));
  return known && IsVersion(version);
}

// components/<type>/current, active, and what else may become a link.
bool IsPlaceOfLink(StepKind kind, absl::string_view root, absl::string_view path) {
  if (kind == StepKind::kActive) return path == kActiveLink;
  const std::vector<absl::string_view> parts = absl::StrSplit(path, '/');
  if (kind == StepKind::kSwitch) {
    return parts.size() == 3 && parts[0] == kComponentsDir && CheckType(parts[1]).ok() &&
           parts[2] == kCurrentName;
  }
  absl::string_view relative = path;
  const bool absolute = absl::ConsumePrefix(&relative, "/");
  if (!base::CheckRelative(relative).ok()) return false;
  // What lies in the root is written relative to it.
  if (absolute) return path != root && !IsAbove(root, path) && !IsAbove(path, root);
  const absl::string_view own[] = {kComponentsDir, kGenerationsDir, kToolDir, kActiveLink};
  return std::find(std::begin(own), std::end(own), parts[0]) == std::end(own) && path != kLinksDir;
}

bool IsBackupOf(absl::string_view moved_to, absl::string_view path) {
  return absl::ConsumePrefix(&moved_to, absl::StrCat(path, ".bak-")) &&
         moved_to.size() == kBackupTimeChars &&
         std::all_of(moved_to.begin(), moved_to.end(),
                     [](char c) { return absl::ascii_isdigit(c) || c == 'T' || c == 'Z'; });
}

// generations/<n>; 0: something else.
uint64_t GenerationIn(absl::string_view target) {
  uint64_t number = 0;
  absl::ConsumeSuffix(&target, "/");
  const bool is = absl::ConsumePrefix(&target, absl::StrCat(kGenerationsDir, "/")) &&
                  absl::SimpleAtoi(target, &number) && absl::StrCat(number) == target;
  return is ? number : 0;
}

absl::Status Checker::Begin(const JournalStep& step) const {
  for (const std::string& type : step.begin.types) {
    if (!CheckType(type).ok()) return Bad(step, "locks", type);
  }
  for (const Component& component : step.begin.components) {
    if (!CheckType(component.type).ok() || !IsVersion(component.version)) {
      return Bad(step, "changes", component.ToString());
    }
  }
  return absl::OkStatus();
}

absl::Status Checker::Place(const JournalStep& step) const {
  const std::string staging = StagingDir(tx);
  for (const Placement& place : step.places) {
    if (!base::CheckRelative(place.from).ok() || !IsAbove(staging, place.from)) {
      return Bad(step, "moves", place.from);
    }
    if (!IsPlaceOfVersion(place.to)) return Bad(step, "moves to", place.to);
  }
  for (const std::string& dir : step.dirs) {
    const bool needed = std::any_of(step.places.begin(), step.places.end(),
                                    [&](const Placement& place) { return IsAbove(dir, place.to); });
    if (!needed) return Bad(step, "makes", dir);
  }
  return absl::OkStatus();
}

absl::Status Checker::Link(const JournalStep& step, const LinkChange& link) const {
  if (!IsPlaceOfLink(step.kind, root, link.path)) return Bad(step, "sets", link.path);
  const bool custom = step.kind == StepKind::kLink;
  const bool leads = custom                           ? !link.to.empty()
                     : step.kind == StepKind::kSwitch ? IsVersion(link.to)
                                                      : GenerationIn(link.to) > 0;
  if (!leads) return Bad(step, "links to", link.to);
  const bool moved = custom && IsBackupOf(link.moved_to, link.path);
  return link.moved_to.empty() || moved ? absl::OkStatus() : Bad(step, "moves to", link.moved_to);
}

absl::Status Checker::Links(const JournalStep& step) const {
  for (const LinkChange& link : step.links) SLIPWAY_RETURN_IF_ERROR(Link(step, link));
  for (const std::string& dir : step.dirs) {
    const bool needed =
        std::any_of(step.links.begin(), step.links.end(),
                    [&](const LinkChange& link) { return IsAbove(dir, link.path); });
    if (!needed) return Bad(step, "makes", dir);
  }
  return absl::OkStatus();
}

absl::Status Checker::Commit(const JournalStep& step) const {
  for (const auto& [type, state] : step.commit.states) {
    if (!CheckType(type).ok()) return Bad(step, "writes the state of", type);
    SLIPWAY_RETURN_IF_ERROR(StateFromJson(state).status());
  }
  return HistoryFromJson(step.commit.history).status();
}

bool IsPlainName(absl::string_view tx) {
  const auto plain = [](char c) { return absl::ascii_isalnum(c) || c == '.' || c == '-'; };
  return !tx.empty() && absl::ascii_isalnum(tx.front()) && std::all_of(tx.begin(), tx.end(), plain);
}

}  // namespace

absl::Status CheckJournal(absl::string_view root_path, absl::string_view tx,
                          const std::vector<JournalStep>& steps) {
  const Checker checker{root_path, tx};
  if (!IsPlainName(tx)) return checker.Bad(steps.front(), "belongs to", tx);
  const std::optional<uint64_t> before = steps.front().begin.generation;
  for (const JournalStep& step : steps) {
    switch (step.kind) {
      case StepKind::kBegin:
        if (&step != &steps.front()) return checker.Bad(step, "comes twice in", tx);
        SLIPWAY_RETURN_IF_ERROR(checker.Begin(step));
        break;
      case StepKind::kPlace:
        SLIPWAY_RETURN_IF_ERROR(checker.Place(step));
        break;
      case StepKind::kGen:
        if (step.generation == 0 || step.generation == before) {
          return checker.Bad(step, "writes", GenerationDir(step.generation));
        }
        break;
      case StepKind::kSwitch:
      case StepKind::kActive:
      case StepKind::kLink:
        SLIPWAY_RETURN_IF_ERROR(checker.Links(step));
        break;
      case StepKind::kCommit:
        SLIPWAY_RETURN_IF_ERROR(checker.Commit(step));
        break;
      case StepKind::kFetch:
      case StepKind::kStage:
      case StepKind::kEnd:
        break;
    }
  }
  return absl::OkStatus();
}

bool IsOwnTarget(StepKind kind, const LinkChange& change) {
  if (change.from.empty()) return true;
  if (kind == StepKind::kActive) return GenerationIn(change.from) > 0;
  return IsVersion(absl::StripSuffix(change.from, "/"));
}

}  // namespace slipway::deploy
