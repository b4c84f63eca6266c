#include "coverage.h"

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"

namespace slipway::eraft::simulation {
namespace {

constexpr std::array<absl::string_view, kMarks> kMarkNames = {
    "frames lost",
    "frames lost to cut links",
    "frames doubled",
    "frames overtaken",
    "power lost in an operation",
    "writes cut short",
    "unsynced writes lost",
    "unsynced writes torn",
    "unsynced names lost",
    "disk operations failed",
    "syncs failed",
    "disk full",
    "writes misdirected",
    "bits flipped",
    "restarts",
    "starts failed",
    "nodes that gave up",
    "disks fenced",
    "leaders",
    "conflicting entries",
    "appends refused",
    "offices handed over",
    "snapshots installed",
    "logs cut",
    "memberships",
    "joint memberships",
    "digests compared",
    "retries",
    "unknown outcomes",
    "commands repeated",
    "sessions evicted",
    "lease reads",
    "overloads",
};

// Fewer digits than the count of a long soak would take.
std::string Short(uint64_t count) {
  if (count < 1'000'000) return absl::StrCat(count);
  return absl::StrFormat("%.1fM", static_cast<double>(count) / 1e6);
}

void AddLine(absl::string_view name, const std::vector<uint64_t>& counts, std::string& out) {
  absl::StrAppendFormat(&out, "  %-28s", name);
  uint64_t sum = 0;
  for (const uint64_t count : counts) {
    absl::StrAppendFormat(&out, "%11s", Short(count));
    sum += count;
  }
  absl::StrAppendFormat(&out, "%11s\n", Short(sum));
}

}  // namespace

absl::string_view MarkName(Mark mark) { return kMarkNames[static_cast<size_t>(mark)]; }

void Coverage::Add(const Coverage& other) {
  for (size_t i = 0; i < faults.size(); ++i) faults[i] += other.faults[i];
  for (size_t i = 0; i < marks.size(); ++i) marks[i] += other.marks[i];
}

std::string CoverageTable(const std::vector<uint64_t>& runs,
                          const std::vector<Coverage>& coverage) {
  std::string out = absl::StrFormat("  %-28s", "");
  for (size_t i = 0; i < coverage.size(); ++i) {
    absl::StrAppendFormat(&out, "%11s", ProfileName(static_cast<Profile>(i)));
  }
  absl::StrAppendFormat(&out, "%11s\n", "all");
  AddLine("runs", runs, out);
  std::vector<uint64_t> counts(coverage.size());
  for (size_t kind = 0; kind < kFaultKinds; ++kind) {
    for (size_t i = 0; i < counts.size(); ++i) counts[i] = coverage[i].faults[kind];
    AddLine(absl::StrCat("fault: ", FaultName(static_cast<FaultKind>(kind))), counts, out);
  }
  for (size_t mark = 0; mark < kMarks; ++mark) {
    for (size_t i = 0; i < counts.size(); ++i) counts[i] = coverage[i].marks[mark];
    AddLine(kMarkNames[mark], counts, out);
  }
  return out;
}

}  // namespace slipway::eraft::simulation
