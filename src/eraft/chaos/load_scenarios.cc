// E414, E422: large values, a long way to catch up, and more than can be done.
#include <algorithm>
#include <future>
#include <vector>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "base/os/loop.h"
#include "base/units.h"
#include "eraft/chaos/flood.h"
#include "eraft/chaos/scenarios.h"
#include "eraft/chaos/tools.h"
#include "eraft/client/connect.h"

namespace slipway::eraft::chaos {
namespace {

constexpr absl::Duration kPatience = absl::Seconds(60);

// ---- E414 ----

absl::Status LargeValues(Run& run, client::Client& client) {
  // A command is at most an eighth of a segment: a little less than 8 MiB.
  const std::string large(8 * base::kMiB - 64 * base::kKiB, 'L');
  run.Count("value of nearly 8 MiB");
  SLIPWAY_RETURN_IF_ERROR(client.Put("big", large, {kPatience}).status());
  SLIPWAY_ASSIGN_OR_RETURN(const auto read, client.Get("big", {kPatience}));
  if (read != large) return Run::Broken("a large value comes back as another one");
  run.Count("value over the limit");
  const absl::Status over =
      client.Put("big", std::string(8 * base::kMiB + 1, 'o'), {kPatience}).status();
  if (!absl::IsInvalidArgument(over) || client::WasExecuted(over) != client::Executed::kNo) {
    return Run::Broken(absl::StrCat("a value over the limit: ", over.ToString()));
  }
  run.Note("over_limit", std::string(over.message()));
  return absl::OkStatus();
}

absl::Status LongLag(Run& run, client::Client& client) {
  SLIPWAY_ASSIGN_OR_RETURN(const int leader, run.cluster().AwaitLeader());
  const int behind = AnyFollower(run, leader);
  SLIPWAY_RETURN_IF_ERROR(run.cluster().Kill(behind));
  const int entries = run.Count(100'000);
  std::vector<std::future<absl::StatusOr<client::Reply>>> writes;
  for (int i = 0; i < entries; ++i) {
    writes.push_back(client.Async(client::PutOf(absl::StrCat("lag.", i % 1000), absl::StrCat(i)),
                                  {2 * kPatience}));
    if (writes.size() < 5000) continue;
    for (auto& write : writes) SLIPWAY_RETURN_IF_ERROR(write.get().status());
    writes.clear();
    SLIPWAY_RETURN_IF_ERROR(run.cancel().status());
  }
  for (auto& write : writes) SLIPWAY_RETURN_IF_ERROR(write.get().status());
  run.Note("lag_entries", entries);
  const absl::Duration began = run.now();
  SLIPWAY_RETURN_IF_ERROR(run.cluster().StartNode(behind));
  uint64_t goal = 0;
  SLIPWAY_RETURN_IF_ERROR(WaitFor("the node that was away has caught up", 2 * kPatience,
                                  run.world().clock, run.cancel(), [&] {
                                    const auto groups = run.cluster().Groups();
                                    for (const auto& group : groups) {
                                      if (goal == 0 && group.has_value() && group->role == "Leader")
                                        goal = group->commit;
                                    }
                                    const auto& of = groups[static_cast<size_t>(behind)];
                                    return goal > 0 && of.has_value() && of->applied >= goal;
                                  }));
  run.Note("caught_up_ms", absl::ToInt64Milliseconds(run.now() - began));
  return absl::OkStatus();
}

absl::Status Large(Run& run) {
  SLIPWAY_RETURN_IF_ERROR(run.Begin(run.Nodes(3)));
  base::os::ThreadLoop loop("large");
  SLIPWAY_ASSIGN_OR_RETURN(
      const auto client,
      client::Connect({.addresses = run.cluster().addresses()}, loop, run.world()));
  SLIPWAY_RETURN_IF_ERROR(LargeValues(run, *client));
  SLIPWAY_RETURN_IF_ERROR(LongLag(run, *client));
  return run.Finish(0.5);
}

// ---- E422 ----

constexpr uint64_t kResidentMax = 1024 * base::kMiB;
constexpr int kFloodClients = 16;
constexpr int kSaturating = 64;  // under way of each
constexpr absl::Duration kMeasured = absl::Seconds(10);

uint64_t ResidentBytes(Run& run, int node) {
  const auto proc = run.world().files.OpenRoot(absl::StrCat("/proc/", run.cluster().pid(node)));
  if (!proc.ok()) return 0;
  const std::string text = base::ReadFile(**proc, "statm", 4096).value_or("");
  uint64_t pages = 0;
  const std::vector<absl::string_view> words = absl::StrSplit(text, ' ');
  if (words.size() < 2 || !absl::SimpleAtoi(words[1], &pages)) return 0;
  return pages * 4096;
}

// Operations a second that a flood gets done in `time`.
absl::StatusOr<double> Throughput(Run& run, int each, absl::Duration time, uint64_t& resident) {
  Flood flood(kFloodClients, each, run.cluster().addresses(), run.world());
  SLIPWAY_RETURN_IF_ERROR(flood.Start());
  SLIPWAY_RETURN_IF_ERROR(run.Wait(absl::Seconds(1)));
  const uint64_t before = flood.done();
  const absl::Duration began = run.now();
  while (run.now() < began + time) {
    SLIPWAY_RETURN_IF_ERROR(run.Wait(std::min(absl::Seconds(1), time)));
    for (int i = 0; i < run.cluster().size(); ++i) {
      resident = std::max(resident, ResidentBytes(run, i));
    }
  }
  const double rate =
      static_cast<double>(flood.done() - before) / absl::ToDoubleSeconds(run.now() - began);
  run.Note(absl::StrCat("failed_of_", each), flood.failed());
  return rate;
}

absl::Status Overload(Run& run) {
  SLIPWAY_RETURN_IF_ERROR(run.Begin(run.Nodes(3)));
  const absl::Duration duration = run.Duration(absl::Minutes(10));
  const absl::Duration calm_from = run.now();
  SLIPWAY_RETURN_IF_ERROR(run.Wait(std::min(kMeasured, duration)));
  const absl::Duration calm = run.load().LatencySince(calm_from, 0.99);
  uint64_t resident = 0;
  SLIPWAY_ASSIGN_OR_RETURN(const double peak,
                           Throughput(run, kSaturating, std::min(kMeasured, duration), resident));
  const uint64_t term = run.cluster().Term();
  run.Count("flood");
  SLIPWAY_ASSIGN_OR_RETURN(const double over, Throughput(run, 4 * kSaturating, duration, resident));
  const uint64_t terms = run.cluster().Term() - term;
  SLIPWAY_RETURN_IF_ERROR(run.Wait(absl::Seconds(5)));  // it may take so long
  const absl::Duration after_from = run.now();
  SLIPWAY_RETURN_IF_ERROR(run.Wait(std::min(kMeasured, duration)));
  const absl::Duration after = run.load().LatencySince(after_from, 0.99);
  run.Note("peak_per_second", static_cast<uint64_t>(peak));
  run.Note("overload_per_second", static_cast<uint64_t>(over));
  run.Note("resident_bytes_max", resident);
  run.Note("terms_passed", terms);
  run.Note("calm_p99_ms", absl::ToDoubleMilliseconds(calm));
  run.Note("after_p99_ms", absl::ToDoubleMilliseconds(after));
  SLIPWAY_RETURN_IF_ERROR(run.Finish(0.5));
  if (over < 0.85 * peak) return Run::Broken("throughput falls under overload (E171)");
  if (terms > 0) return Run::Broken("the flood caused an election (E174)");
  if (resident > kResidentMax) return Run::Broken("a node took more memory than it may");
  if (after > std::max(2 * calm, absl::Milliseconds(100))) {
    return Run::Broken("5 s after the flood answers take longer than before it");
  }
  return absl::OkStatus();
}

}  // namespace

std::vector<Scenario> LoadScenarios() {
  return {
      {"large", "E414", "a value of 8 MiB, one over the limit, a node 100,000 entries behind",
       Needs::kNothing, Large},
      {"overload", "E422", "four times what saturates, 10 min: goes on, and is over at once",
       Needs::kNothing, Overload},
  };
}

}  // namespace slipway::eraft::chaos
