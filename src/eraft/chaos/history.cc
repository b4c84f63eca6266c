#include "eraft/chaos/history.h"

#include <algorithm>
#include <set>

#include "absl/strings/str_cat.h"
#include "eraft/check/drawing.h"

namespace slipway::eraft::chaos {
namespace {

constexpr uint64_t kStepsMax = 2'000'000;  // of the search, for each key
constexpr size_t kDrawingsMax = 5;

}  // namespace

size_t History::Begin(int client, Model::Input input, absl::Duration now) {
  check::Operation<Model> operation;
  operation.client = client;
  operation.call = absl::ToInt64Nanoseconds(now);
  operation.input = std::move(input);
  operations_.push_back(std::move(operation));
  forgotten_of_.push_back(false);
  return operations_.size() - 1;
}

void History::End(size_t number, Model::Output output, absl::Duration now) {
  operations_[number].end = absl::ToInt64Nanoseconds(now);
  operations_[number].output = std::move(output);
  ++answered_;
}

void History::Forget(size_t number) {
  forgotten_of_[number] = true;
  ++forgotten_;
}

std::vector<std::pair<absl::Duration, absl::Duration>> History::Answered(absl::Duration begin,
                                                                         absl::Duration end) const {
  std::vector<std::pair<absl::Duration, absl::Duration>> times;
  for (const auto& operation : operations_) {
    const absl::Duration called = absl::Nanoseconds(operation.call);
    if (operation.end == check::kNever || called < begin || called >= end) continue;
    times.emplace_back(called, absl::Nanoseconds(operation.end));
  }
  return times;
}

absl::Duration History::Latency(absl::Duration begin, absl::Duration end, double share) const {
  std::vector<absl::Duration> took;
  for (const auto& [called, ended] : Answered(begin, end)) took.push_back(ended - called);
  if (took.empty()) return absl::ZeroDuration();
  std::sort(took.begin(), took.end());
  const auto at = static_cast<size_t>(share * static_cast<double>(took.size() - 1));
  return took[at];
}

std::pair<int64_t, int64_t> History::AvailableSeconds(absl::Duration begin,
                                                      absl::Duration end) const {
  const int64_t seconds = absl::ToInt64Seconds(end - begin);
  std::set<int64_t> available;
  for (const auto& operation : operations_) {
    if (operation.end == check::kNever) continue;
    const absl::Duration ended = absl::Nanoseconds(operation.end);
    if (ended < begin) continue;
    const int64_t second = absl::ToInt64Seconds(ended - begin);
    if (second < seconds) available.insert(second);
  }
  return {static_cast<int64_t>(available.size()), seconds};
}

absl::Duration History::LongestOutage(absl::Duration begin, absl::Duration end) const {
  std::vector<absl::Duration> ends = {begin, end};
  for (const auto& operation : operations_) {
    const absl::Duration ended = absl::Nanoseconds(operation.end);
    if (operation.end != check::kNever && ended > begin && ended < end) ends.push_back(ended);
  }
  std::sort(ends.begin(), ends.end());
  absl::Duration longest;
  for (size_t i = 1; i < ends.size(); ++i) longest = std::max(longest, ends[i] - ends[i - 1]);
  return longest;
}

History::Judgement History::Judge(base::Dir& dir) const {
  Judgement judgement;
  std::vector<check::Operation<Model>> all;
  all.reserve(operations_.size());
  for (size_t i = 0; i < operations_.size(); ++i) {
    if (!forgotten_of_[i]) all.push_back(operations_[i]);
  }
  judgement.operations = all.size();
  if (all.empty()) return judgement;
  auto parts = check::SplitByKey<Model>(all, [](const Model::Input& input) { return input.key; });
  judgement.keys = parts.size();
  for (auto& [key, history] : parts) {
    const auto settled = check::SettleUnknownWrites(std::move(history));
    const check::Result result = check::CheckLinearizable<Model>(settled, kStepsMax);
    if (result.verdict == check::Verdict::kUnknown) ++judgement.undecided;
    if (result.verdict != check::Verdict::kIllegal) continue;
    judgement.illegal.push_back(key);
    if (judgement.illegal.size() > kDrawingsMax) continue;
    base::WriteFileDurably(dir, absl::StrCat("illegal-", judgement.illegal.size(), ".html"),
                           check::DrawHistory<Model>(absl::StrCat("key ", key), settled, result))
        .IgnoreError();
  }
  return judgement;
}

}  // namespace slipway::eraft::chaos
