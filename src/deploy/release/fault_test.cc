// What a change leaves behind when the power goes, a call fails or a step fails: for each n, the
// n-th operation, until there is none left (STYLE S24). D27, D280 in simulation, D283, D284.
#include <functional>
#include <string>
#include <vector>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "base/failpoint.h"
#include "base/testing/status_matchers.h"
#include "deploy/model/errors.h"
#include "deploy/release/failpoints.h"
#include "deploy/release/release_sim.h"

namespace slipway::deploy {
namespace {

using base::sim::Loss;
using base::testing::IsOk;

struct Operation {
  std::string name;
  std::function<void(ReleaseSim&)> prepare;
  std::function<absl::Status(ReleaseSim&)> run;
  std::vector<std::string> types;  // active before, so their links must always lead somewhere
};

void Must(const absl::Status& status) { ASSERT_THAT(status, IsOk()); }

absl::Status Repair(ReleaseSim& sim) {
  SLIPWAY_ASSIGN_OR_RETURN(const auto root, sim.Open(OpenMode::kMutate));
  ChangeOptions options;
  options.links.custom = {{"/srv/app/model", "links/model"}};
  options.links.create_parents = true;
  return root->RepairLinks(options).status();
}

// The links of `config` are damaged; those of `model` are not.
void Damage(ReleaseSim& sim) {
  Must(sim.Deploy({"model:1.0.0"}).status());
  Must(sim.Deploy({"config:1.0.0"}).status());
  Must(sim.Deploy({"config:1.1.0"}).status());
  const auto dir = sim.world.files.OpenRoot(kTestRoot);
  Must((*dir)->Remove("links/config"));
  Must((*dir)->Remove("components/config/current"));
  Must((*dir)->Symlink("9.9.9", "components/config/current"));
}

std::vector<Operation> Operations() {
  const auto two = [](ReleaseSim& sim) {
    Must(sim.Deploy({"model:1.0.0"}).status());
    Must(sim.Deploy({"model:1.1.0"}).status());
  };
  return {
      {"first deploy",
       [](ReleaseSim& sim) { Must(sim.Open().status()); },
       [](ReleaseSim& sim) { return sim.Deploy({"model:1.0.0"}).status(); },
       {}},
      {"deploy",
       [](ReleaseSim& sim) { Must(sim.Deploy({"model:1.0.0"}).status()); },
       [](ReleaseSim& sim) { return sim.Deploy({"model:1.1.0"}).status(); },
       {"model"}},
      {"redeploy",
       [](ReleaseSim& sim) { Must(sim.Deploy({"model:1.0.0"}).status()); },
       [](ReleaseSim& sim) {
         sim.world.clock.Advance(absl::Seconds(9));
         DeployOptions options;
         options.force = true;
         return sim.Deploy({"model:1.0.0"}, options).status();
       },
       {"model"}},
      {"release",
       [](ReleaseSim& sim) {
         Must(sim.Deploy({"model:1.0.0", "config:1.0.0", "runtime:1.0.0"}).status());
       },
       [](ReleaseSim& sim) {
         return sim.Deploy({"model:1.1.0", "config:1.1.0", "runtime:1.1.0"}).status();
       },
       {"model", "config", "runtime"}},
      {"switch",
       two,
       [](ReleaseSim& sim) { return sim.Switch("model", "1.0.0").status(); },
       {"model"}},
      {"rollback", two, [](ReleaseSim& sim) { return sim.Rollback("model").status(); }, {"model"}},
      {"repair", Damage, Repair, {"model"}},
  };
}

// A disk on which `operation` may run, and what it looks like before and after it.
struct Stage {
  explicit Stage(const Operation& operation) : disk(1) {
    ReleaseSim sim;
    operation.prepare(sim);
    sim.world.files.Settle();
    before = sim.Snapshot();
    disk = sim.world.files;
    ReleaseSim done;
    done.Mount(disk);
    EXPECT_THAT(operation.run(done), IsOk());
    after = done.Snapshot();
    operations = done.world.files.operations();
    EXPECT_NE(before, after);
    ReleaseSim counted;
    counted.Mount(disk);
    counted.world.files.CountReads(true);
    EXPECT_THAT(operation.run(counted), IsOk());
    calls = counted.world.files.operations();
  }
  base::sim::Files disk;
  std::string before, after;
  int operations = 0;  // that change or sync something
  int calls = 0;       // all
};

std::string Complaints(const base::sim::Files& files, const Operation& operation) {
  std::string all;
  for (const std::string& type : operation.types) {
    const std::string complaint = ReleaseSim::Complaint(files, type);
    if (!complaint.empty()) absl::StrAppend(&all, complaint, "\n");
  }
  return all;
}

// A snapshot without the state files. A directory whose sync has failed never takes a name durably
// again, whatever is done; what state says is then found anew from disk and history.
std::string WithoutState(const std::string& snapshot) {
  std::string rest;
  for (const absl::string_view line : absl::StrSplit(snapshot, '\n', absl::SkipEmpty())) {
    if (!absl::StrContains(line, ".deploy-tool/state/")) absl::StrAppend(&rest, line, "\n");
  }
  return rest;
}

struct Checks {
  bool sync_failed = false;  // some sync has, before
  bool durable = true;       // whether what recovery did survives another power loss
};

// Recovers on `files` and checks that the state is one of the two, and that a second recovery finds
// nothing to do. Returns the state.
std::string Recover(const base::sim::Files& files, const Stage& stage, const Operation& operation,
                    uint64_t seed, Checks checks = {}) {
  ReleaseSim sim(seed);
  sim.Mount(files);
  EXPECT_EQ(Complaints(sim.world.files, operation), "") << "before recovery";
  EXPECT_THAT(sim.Open(OpenMode::kMutate), IsOk());
  EXPECT_EQ(Complaints(sim.world.files, operation), "") << "after recovery";
  const std::string state = sim.Snapshot();
  EXPECT_TRUE(state == stage.before || state == stage.after) << "neither before nor after:\n"
                                                             << state << "\nbefore:\n"
                                                             << stage.before << "\nafter:\n"
                                                             << stage.after;
  const auto again = sim.Open(OpenMode::kMutate);
  EXPECT_THAT(again, IsOk());
  if (!again.ok()) return state;
  EXPECT_EQ((*again)->recovery().transactions.size(), 0u);
  EXPECT_EQ((*again)->recovery().leftovers_removed, 0u);
  EXPECT_EQ(sim.Snapshot(), state);
  if (!checks.durable) return state;
  // Whatever came out of it is durable: nothing that recovery said may be taken back.
  ReleaseSim later(seed);
  later.Mount(sim.world.files.AfterReboot(Loss::kLoseAllUnsynced));
  EXPECT_THAT(later.Open(OpenMode::kMutate), IsOk());
  EXPECT_EQ(WithoutState(later.Snapshot()), WithoutState(state));
  if (!checks.sync_failed) {
    EXPECT_EQ(later.Snapshot(), state);
  }
  return state;
}

class FaultTest : public ::testing::TestWithParam<size_t> {
 protected:
  FaultTest() : operation_(Operations()[GetParam()]), stage_(operation_) {}
  Operation operation_;
  Stage stage_;
};

TEST_P(FaultTest, PowerLossAtEveryOperationGivesBeforeOrAfter) {  // D280, D283
  bool saw_before = false, saw_after = false;
  for (int n = 1;; ++n) {
    ReleaseSim sim;
    sim.Mount(stage_.disk);
    sim.world.files.PowerLossAt(n);
    const absl::Status status = operation_.run(sim);
    const bool off = sim.world.files.off();
    for (const Loss loss :
         {Loss::kSeeded, Loss::kOrdered, Loss::kLoseAllUnsynced, Loss::kKeepAll}) {
      SCOPED_TRACE(absl::StrCat(operation_.name, ", power loss at operation ", n, ", loss ",
                                static_cast<int>(loss)));
      // Where all that is left is durable, only recovery itself could forget a sync.
      const bool durable = loss == Loss::kSeeded || loss == Loss::kKeepAll;
      const std::string state =
          Recover(sim.world.files.AfterReboot(loss), stage_, operation_, 100, {.durable = durable});
      if (status.ok()) {
        EXPECT_EQ(state, stage_.after) << "OK was said";
      }
      saw_before = saw_before || state == stage_.before;
      saw_after = saw_after || state == stage_.after;
      if (HasFailure()) return;
    }
    if (!off) break;
  }
  EXPECT_TRUE(saw_before);
  EXPECT_TRUE(saw_after);
}

// The machine dies in the middle of recovery, again and again at each place.
TEST_P(FaultTest, PowerLossInRecoveryGivesBeforeOrAfter) {  // D280
  for (int n = 5; n < stage_.operations; n += 7) {
    ReleaseSim first;
    first.Mount(stage_.disk);
    first.world.files.PowerLossAt(n);
    operation_.run(first).IgnoreError();
    const base::sim::Files crashed = first.world.files.AfterReboot(Loss::kSeeded);
    for (int m = 1;; m += 3) {
      SCOPED_TRACE(absl::StrCat(operation_.name, ", power loss at ", n, ", then at ", m));
      ReleaseSim sim(200);
      sim.Mount(crashed);
      sim.world.files.PowerLossAt(m);
      sim.Open(OpenMode::kMutate).status().IgnoreError();
      const bool off = sim.world.files.off();
      Recover(sim.world.files.AfterReboot(Loss::kSeeded), stage_, operation_, 300);
      if (HasFailure()) return;
      if (!off) break;
    }
  }
}

// An error of any call, once and for good: it is said, and the root is as before; or the change
// stands, and at most its records wait for the next command. D27, D283, D284
void FailEverywhere(const Operation& operation, const Stage& stage, const absl::Status& error,
                    bool sticky, bool reads = false) {
  for (int n = 1; n <= (reads ? stage.calls : stage.operations); ++n) {
    SCOPED_TRACE(absl::StrCat(operation.name, ", operation ", n, " fails: ", error.ToString()));
    ReleaseSim sim;
    sim.Mount(stage.disk);
    sim.world.files.CountReads(reads);
    sim.world.files.FailAt(n, error, sticky);
    const absl::Status status = operation.run(sim);
    sim.world.files.ClearFaults();
    sim.world.files.CountReads(false);
    EXPECT_EQ(Complaints(sim.world.files, operation), "");
    const std::string code = base::GetErrorInfo(status).code;
    if (!status.ok()) {
      EXPECT_NE(code, "") << status;
      EXPECT_NE(ExitCodeOf(status), 0);
    }
    if (!status.ok() && code != "DT015") {
      EXPECT_EQ(sim.Snapshot(), stage.before) << status;
    }
    const std::string wanted = status.ok() ? stage.after : stage.before;
    EXPECT_EQ(Recover(sim.world.files, stage, operation, 100, {.sync_failed = true}), wanted)
        << status;
    // What was said must survive, although a sync has failed.
    ReleaseSim later(100);
    later.Mount(sim.world.files.AfterReboot(Loss::kLoseAllUnsynced));
    EXPECT_THAT(later.Open(OpenMode::kMutate), IsOk());
    EXPECT_EQ(Complaints(later.world.files, operation), "");
    EXPECT_EQ(WithoutState(later.Snapshot()), WithoutState(wanted)) << status;
    if (::testing::Test::HasFailure()) return;
  }
}

// Those of one component: a release is the same three times.
class SingleFaultTest : public FaultTest {};

TEST_P(SingleFaultTest, NoSpaceAtAnyOperationIsUndone) {
  FailEverywhere(operation_, stage_, absl::ResourceExhaustedError("no space left on device"),
                 false);
}
TEST_P(FaultTest, NoSpaceFromAnyOperationOnIsUndone) {
  FailEverywhere(operation_, stage_, absl::ResourceExhaustedError("no space left on device"), true);
}
TEST_P(FaultTest, InputOutputErrorAtAnyCallIsUndone) {
  // Reads too, but for the release, whose reads are those of deploy three times.
  const bool reads = operation_.name != "release";
  FailEverywhere(operation_, stage_, absl::DataLossError("input/output error"), false, reads);
}
TEST_P(SingleFaultTest, NoPermissionFromAnyCallOnIsSaid) {
  for (int n = 1; n <= stage_.calls; ++n) {
    SCOPED_TRACE(absl::StrCat(operation_.name, ", call ", n));
    ReleaseSim sim;
    sim.Mount(stage_.disk);
    sim.world.files.CountReads(true);
    sim.world.files.FailAt(n, absl::PermissionDeniedError("permission denied"), true);
    const absl::Status status = operation_.run(sim);
    sim.world.files.ClearFaults();
    sim.world.files.CountReads(false);
    if (!status.ok()) {
      EXPECT_THAT(base::GetErrorInfo(status).code, ::testing::AnyOf("DT005", "DT015")) << status;
      EXPECT_NE(base::GetErrorInfo(status).hint, "") << status;
    }
    const std::string state =
        Recover(sim.world.files, stage_, operation_, 100, {.sync_failed = true});
    if (status.ok()) {
      EXPECT_EQ(state, stage_.after);
    }
    if (HasFailure()) return;
  }
}

#ifdef SLIPWAY_FAULTS
TEST_P(FaultTest, FailureAtEveryFailpointIsUndoneOrFinished) {  // D27, D280
  int hits = 0;
  std::vector<std::string> names = {"deploy.rename.before"};
  for (const char* step : kFailpointSteps) {
    names.push_back(absl::StrCat("deploy.", step, ".before"));
    names.push_back(absl::StrCat("deploy.", step, ".after"));
  }
  for (const std::string& name : names) {
    SCOPED_TRACE(absl::StrCat(operation_.name, ", ", name));
    ReleaseSim sim;
    sim.Mount(stage_.disk);
    ASSERT_THAT(base::SetFailpoints(name + "=error:1"), IsOk());
    const absl::Status status = operation_.run(sim);
    ASSERT_THAT(base::SetFailpoints(""), IsOk());
    const bool changed = sim.Snapshot() != stage_.after;
    hits += changed ? 1 : 0;
    if (!status.ok()) {
      EXPECT_EQ(sim.Snapshot(), stage_.before);
    }
    const std::string state = Recover(sim.world.files, stage_, operation_, 100);
    EXPECT_EQ(state, status.ok() ? stage_.after : stage_.before);
  }
  EXPECT_GE(hits, 8);
}
#endif

std::string NameOf(const ::testing::TestParamInfo<size_t>& param) {
  std::string name = Operations()[param.param].name;
  for (char& c : name) c = c == ' ' ? '_' : c;
  return name;
}

std::vector<size_t> OfOneComponent() {
  std::vector<size_t> indices;
  for (size_t i = 0; i < Operations().size(); ++i) {
    if (Operations()[i].name != "release") indices.push_back(i);
  }
  return indices;
}

INSTANTIATE_TEST_SUITE_P(All, FaultTest, ::testing::Range<size_t>(0, 7), NameOf);
INSTANTIATE_TEST_SUITE_P(All, SingleFaultTest, ::testing::ValuesIn(OfOneComponent()), NameOf);

}  // namespace
}  // namespace slipway::deploy
