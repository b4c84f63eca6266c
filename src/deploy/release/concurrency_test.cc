// Locks, two changes at a time, and recovery beside a running change (D1, D177, D178).
#include <atomic>
#include <thread>

#include "absl/strings/str_cat.h"
#include "base/os/thread.h"
#include "base/testing/status_matchers.h"
#include "deploy/model/errors.h"
#include "deploy/release/journal.h"
#include "deploy/release/locks.h"
#include "deploy/release/recover.h"
#include "deploy/release/release_sim.h"

namespace slipway::deploy {
namespace {

using base::testing::HasErrorCode;
using base::testing::HasHint;
using base::testing::IsOk;
using base::testing::IsOkAndHolds;
using ::testing::AllOf;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::SizeIs;

absl::StatusOr<Root> OpenInternal(ReleaseSim& sim, const std::string& command) {
  RootOptions options;
  options.mode = OpenMode::kMutate;
  options.command = command;
  return OpenRootDir(sim.world.world(), kTestRoot, options);
}

JournalStep BeginOf(const std::string& type) {
  JournalStep step;
  step.kind = StepKind::kBegin;
  step.begin.operation = "deploy";
  step.begin.types = {type};
  step.begin.components = {{type, "9.0.0"}};
  step.begin.at = absl::UnixEpoch();
  return step;
}

TEST(Locks, LockedTypeIsRefusedWithTheHolder) {  // D177
  ReleaseSim sim;
  ASSERT_THAT(sim.Deploy({"model:1.0.0", "config:1.0.0"}), IsOk());
  sim.world.environment.SetProcessId(4711);
  const auto holder = OpenInternal(sim, "deploy model:2.0.0");
  ASSERT_THAT(holder, IsOk());
  {
    const auto locks = TakeTypeLocks(*holder, {"model"});
    ASSERT_THAT(locks, IsOk());
    const auto refused = sim.Deploy({"model:1.1.0"});
    EXPECT_THAT(refused, HasErrorCode("DT021"));
    EXPECT_EQ(ExitCodeOf(refused.status()), 11);
    const std::string text(refused.status().message());
    EXPECT_THAT(text, AllOf(HasSubstr("pid 4711"), HasSubstr("user root"),
                            HasSubstr("deploy model:2.0.0"), HasSubstr("2024-01-20T10:00:00Z")));
    EXPECT_THAT(sim.Deploy({"config:1.1.0"}), IsOk());  // another type
    const auto reader = sim.Open(OpenMode::kRead);      // readers take no lock
    EXPECT_THAT((*reader)->ListVersions("model"), IsOk());
  }
  EXPECT_THAT(sim.Deploy({"model:1.1.0"}), IsOk());
}

// Else two changes of the same types would wait for each other for ever.
TEST(Locks, TypesAreLockedInOneOrderWhateverTheOrderOfTheirNames) {  // D177
  ReleaseSim sim;
  ASSERT_THAT(sim.Deploy({"model:1.0.0", "config:1.0.0"}), IsOk());
  const auto holder = OpenInternal(sim, "holder");
  const auto held = TakeTypeLocks(*holder, {"model", "config", "model"});  // twice is once
  ASSERT_THAT(held, IsOk());
  EXPECT_THAT(*held, SizeIs(2));
  const auto other = OpenInternal(sim, "other");
  for (const std::vector<std::string>& types : std::vector<std::vector<std::string>>{
           {"config", "model", "runtime"}, {"runtime", "model", "config"}}) {
    const auto refused = TakeTypeLocks(*other, types);
    EXPECT_THAT(refused, HasErrorCode("DT021"));
    EXPECT_THAT(std::string(refused.status().message()), HasSubstr("lock config"));
  }
  // Nor was one taken that comes after the one that is held.
  EXPECT_FALSE(sim.world.files.Exists(absl::StrCat(kTestRoot, "/", TypeLockFile("runtime"))));
}

TEST(Locks, CancelledWaitEndsWithItsOwnError) {  // D108
  ReleaseSim sim;
  ASSERT_THAT(sim.Deploy({"model:1.0.0"}), IsOk());
  const auto holder = OpenInternal(sim, "holder");
  const auto locks = TakeTypeLocks(*holder, {"model"});
  base::CancelSource source;
  RootOptions options;
  options.mode = OpenMode::kMutate;
  options.wait_lock = absl::Hours(1);
  options.cancel = source.token();
  const auto root = DeployRoot::Open(sim.world.world(), kTestRoot, options);
  ASSERT_THAT(root, IsOk());
  source.Cancel({base::CancelReason::Kind::kInterrupt, "SIGINT", {}});
  DeployOptions force;
  force.force = true;
  const auto cancelled = (*root)->Deploy({sim.Input(PackageOf("model", "1.0.0"))}, force);
  EXPECT_THAT(cancelled, HasErrorCode("DT026"));
  EXPECT_EQ(ExitCodeOf(cancelled.status()), 130);
}

TEST(Locks, CancelledDeployIsUndone) {  // D27, D108
  ReleaseSim sim;
  ASSERT_THAT(sim.Deploy({"model:1.0.0"}), IsOk());
  const std::string before = sim.Snapshot();
  base::CancelSource source;
  RootOptions options;
  options.mode = OpenMode::kMutate;
  options.cancel = source.token();
  const auto root = DeployRoot::Open(sim.world.world(), kTestRoot, options);
  DeployOptions deploy;
  deploy.progress = [&](const Progress& progress) {
    if (progress.phase == Progress::Phase::kFetch) {
      source.Cancel({base::CancelReason::Kind::kInterrupt, "SIGINT", {}});
    }
  };
  EXPECT_THAT((*root)->Deploy({sim.Input(PackageOf("model", "1.1.0"))}, deploy),
              HasErrorCode("DT026"));
  EXPECT_EQ(sim.Snapshot(), before);
}

TEST(Recovery, LeavesARunningTransactionAlone) {  // D178
  ReleaseSim sim;
  ASSERT_THAT(sim.Deploy({"model:1.0.0"}), IsOk());
  const auto holder = OpenInternal(sim, "holder");
  {
    const auto locks = TakeTypeLocks(*holder, {"model"});
    const auto journal = Journal::Create(*holder->dir, "t1", {BeginOf("model")});
    ASSERT_THAT(journal, IsOk());
    ASSERT_THAT(base::MakeDirs(*holder->dir, ".deploy-tool/staging/t1/0"), IsOk());
    const auto root = sim.Open();
    ASSERT_THAT(root, IsOk());
    EXPECT_THAT((*root)->recovery().transactions, IsEmpty());
    EXPECT_THAT((*root)->recovery().running, ElementsAre("t1"));
    EXPECT_TRUE(sim.world.files.Exists("/srv/root/.deploy-tool/staging/t1/0"));
    EXPECT_THAT(sim.Deploy({"config:1.0.0"}), IsOk());
    ASSERT_THAT((*journal)->Append({JournalStep{.kind = StepKind::kStage}}), IsOk());
  }
  const auto root = sim.Open();  // the holder is gone
  ASSERT_THAT(root, IsOk());
  ASSERT_THAT((*root)->recovery().transactions, SizeIs(1));
  EXPECT_EQ((*root)->recovery().transactions[0].tx, "t1");
  EXPECT_EQ((*root)->recovery().transactions[0].outcome, RecoveredTx::Outcome::kUndone);
  EXPECT_FALSE(sim.world.files.Exists("/srv/root/.deploy-tool/staging/t1"));
}

// A change that died between the opening of a root and the next change on it is undone first.
TEST(Recovery, ComesBeforeEveryChange) {  // D178
  ReleaseSim sim;
  ASSERT_THAT(sim.Deploy({"model:1.0.0"}), IsOk());
  ASSERT_THAT(sim.Deploy({"model:1.1.0"}), IsOk());
  const auto root = sim.Open();
  const auto dead = OpenInternal(sim, "dead");
  JournalStep step;
  step.kind = StepKind::kSwitch;
  step.links = {{"components/model/current", "1.1.0", "1.0.0", ""}};
  ASSERT_THAT(Journal::Create(*dead->dir, "t1", {BeginOf("model"), step}), IsOk());
  ASSERT_THAT(dead->dir->Remove("components/model/current"), IsOk());
  ASSERT_THAT(dead->dir->Symlink("1.0.0", "components/model/current"), IsOk());
  ASSERT_THAT(dead->dir->Symlink("x", "components/model/.deploy-tool-t1.tmp"), IsOk());
  // Of another type, so only the root lock makes it look.
  const auto deployed = (*root)->Deploy({sim.Input(PackageOf("config", "1.0.0"))}, {});
  ASSERT_THAT(deployed, IsOk());
  EXPECT_THAT(sim.world.files.ReadLink("/srv/root/components/model/current"),
              IsOkAndHolds("1.1.0"));
  EXPECT_FALSE(sim.world.files.Exists("/srv/root/components/model/.deploy-tool-t1.tmp"));
  EXPECT_EQ(ReleaseSim::Complaint(sim.world.files, "model"), "");
}

// What was planned before the locks were held is planned again: recovery has changed it meanwhile.
TEST(Recovery, BeforeAChangeMakesItsPlanAnew) {  // D178, D179
  ReleaseSim sim;
  for (const char* version : {"model:1.0.0", "model:2.0.0", "model:1.1.0"}) {
    ASSERT_THAT(sim.Deploy({version}), IsOk());
  }
  const auto root = sim.Open();
  const auto dead = OpenInternal(sim, "dead");
  JournalStep step;
  step.kind = StepKind::kSwitch;
  step.links = {{"components/model/current", "1.1.0", "1.0.0", ""}};
  ASSERT_THAT(Journal::Create(*dead->dir, "t1", {BeginOf("model"), step}), IsOk());
  ASSERT_THAT(dead->dir->Remove("components/model/current"), IsOk());
  ASSERT_THAT(dead->dir->Symlink("1.0.0", "components/model/current"), IsOk());
  const auto switched = (*root)->Switch("model", "2.0.0", {});
  ASSERT_THAT(switched, IsOk());
  EXPECT_EQ(switched->components.at(0).previous, "1.1.0");
  EXPECT_EQ(ReleaseSim::Complaint(sim.world.files, "model"), "");
  const auto history = (*root)->History("model", 1);
  ASSERT_THAT(history, IsOk());
  EXPECT_EQ(history->at(0).changes.at(0).from, "1.1.0");
  EXPECT_EQ(history->at(0).changes.at(0).to, "2.0.0");
}

// Undo looks at the disk first: what somebody took away meanwhile is no obstacle. 6.14
TEST(Recovery, UndoesAlsoWhereTheGenerationsWereTakenAway) {
  ReleaseSim sim;
  ASSERT_THAT(sim.Deploy({"model:1.0.0"}), IsOk());
  {
    const auto dead = OpenInternal(sim, "dead");
    JournalStep gen;
    gen.kind = StepKind::kGen;
    gen.generation = 2;
    ASSERT_THAT(Journal::Create(*dead->dir, "t1", {BeginOf("model"), gen}), IsOk());
    ASSERT_THAT(base::RemoveTree(*dead->dir, "generations"), IsOk());
    const auto recovered = RecoverCrashed(*dead, {});
    ASSERT_THAT(recovered, IsOk());
    EXPECT_THAT(recovered->transactions, SizeIs(1));
  }
  EXPECT_THAT(sim.Open(), IsOk());
}

TEST(Recovery, JournalOfANewerToolStopsChangesWithAClearMessage) {  // DT025, D290
  ReleaseSim sim;
  ASSERT_THAT(sim.Deploy({"model:1.0.0"}), IsOk());
  const auto dir = sim.world.files.OpenRoot("/srv/root/.deploy-tool/journal");
  ASSERT_THAT(base::WriteFileDurably(**dir, "t9.jnl",
                                     base::EncodeRecord("[{\"step\":\"BEGIN\",\"format\":9}]")),
              IsOk());
  const auto root = sim.Open();
  EXPECT_THAT(root, AllOf(HasErrorCode("DT025"), HasHint(HasSubstr("newer deploy-tool"))));
  EXPECT_THAT(std::string(root.status().message()), AllOf(HasSubstr("t9"), HasSubstr("newer")));
  EXPECT_EQ(ExitCodeOf(root.status()), ExitCodeOf(Error(Dt::kFormat, "x")));
  EXPECT_THAT(sim.Open(OpenMode::kRead), IsOk());
}

TEST(Recovery, NoRollbackLeavesTheTransactionForRecover) {
  ReleaseSim sim;
  ASSERT_THAT(sim.Deploy({"model:1.0.0"}), IsOk());
  const std::string before = sim.Snapshot();
  const auto empty = RepositoryWith({});
  sim.sources = {{"empty", empty.get()}};
  DeployOptions options;
  options.rollback = false;
  EXPECT_THAT(sim.Deploy({"model:1.1.0"}, options), HasErrorCode("DT010"));
  EXPECT_NE(sim.Snapshot(), before);
  const auto root = sim.Open(OpenMode::kRead);
  EXPECT_THAT((*root)->Status()->unfinished, SizeIs(1));
  const auto recovered = sim.Open(OpenMode::kMutate);
  ASSERT_THAT(recovered, IsOk());
  EXPECT_THAT((*recovered)->recovery().transactions, SizeIs(1));
  EXPECT_EQ(sim.Snapshot(), before);
}

// Two threads, two types, one root: both come through, and the last generation has both. D1, D177
TEST(Concurrency, TwoTypesDeployAtTheSameTime) {
  ReleaseSim sim;
  ASSERT_THAT(sim.Open(), IsOk());
  RootOptions options;
  options.mode = OpenMode::kMutate;
  const auto work = [&](const std::string& type) {
    for (int i = 0; i < 6; ++i) {
      const auto root = DeployRoot::Open(sim.world.world(), kTestRoot, options);
      ASSERT_THAT(root, IsOk());
      DeployOptions deploy;
      deploy.force = i > 1;
      const auto done =
          (*root)->Deploy({sim.Input(PackageOf(type, i % 2 == 0 ? "1.0.0" : "1.1.0"))}, deploy);
      EXPECT_THAT(done, IsOk());
    }
  };
  {
    std::thread model = base::os::StartThread("model", [&] { work("model"); });
    std::thread config = base::os::StartThread("config", [&] { work("config"); });
    model.join();
    config.join();
  }
  EXPECT_EQ(ReleaseSim::Complaint(sim.world.files, "model"), "");
  EXPECT_EQ(ReleaseSim::Complaint(sim.world.files, "config"), "");
  const auto root = sim.Open();
  EXPECT_THAT((*root)->VerifyLinks({}, true), IsOkAndHolds(IsEmpty()));
  EXPECT_THAT(*(*root)->History("", 100), SizeIs(12));
  EXPECT_EQ((*root)->Status()->generation, 12u);
}

// Types whose packages have the same bytes do not disturb each other: one fetches, the others wait.
TEST(Concurrency, SamePackageOfManyTypesIsFetchedOnceAndUsedByAll) {  // D1, D177
  ReleaseSim sim;
  ASSERT_THAT(sim.Open(), IsOk());
  const TestPackage& package = PackageOf("model", "1.0.0");
  std::vector<TestPackage> packages;
  for (int i = 0; i < 6; ++i) {
    TestPackage& copy = packages.emplace_back(package);
    const Component component{absl::StrCat("t", i), "1.0.0"};
    copy.manifest.component = component;
    copy.manifest_text.clear();
    copy.manifest.package.index.reset();
    const std::string bytes =
        package.objects.at(ObjectKey(package.manifest.component, package.manifest.package.file));
    copy.objects = {{ObjectKey(component, package.manifest.package.file), bytes}};
  }
  std::vector<const TestPackage*> all;
  all.reserve(packages.size());
  for (const TestPackage& one : packages) all.push_back(&one);
  const auto repository = RepositoryWith(all);
  sim.sources = {{"memory", repository.get()}};
  RootOptions options;
  options.mode = OpenMode::kMutate;
  std::atomic<int> fetched{0};
  const auto work = [&](const TestPackage& one) {
    const auto root = DeployRoot::Open(sim.world.world(), kTestRoot, options);
    ASSERT_THAT(root, IsOk());
    const auto done = (*root)->Deploy({sim.Input(one)}, {});
    ASSERT_THAT(done, IsOk());
    fetched += done->components[0].cache_hit ? 0 : 1;
  };
  std::vector<std::thread> threads;
  threads.reserve(packages.size());
  for (const TestPackage& one : packages) {
    threads.push_back(base::os::StartThread("deploy", [&work, &one] { work(one); }));
  }
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(fetched, 1);
  EXPECT_THAT(*(*sim.Open())->Types(), SizeIs(6));
}

// While somebody else fetches, a cancelled wait ends; when that one is gone, the fetch goes on.
TEST(Concurrency, WaitForTheFetchOfAnotherEndsWithItOrWithACancel) {  // D108, D177
  ReleaseSim sim;
  ASSERT_THAT(sim.Open(), IsOk());
  const std::string sha256 = PackageOf("model", "1.0.0").manifest.package.sha256;
  const std::string dir =
      absl::StrCat(kTestRoot, "/.deploy-tool/cache/packages/sha256/", sha256.substr(0, 2));
  ASSERT_THAT(sim.world.files.MakeRoot(dir), IsOk());
  base::OpenOptions write;
  write.write = true;
  write.create = true;
  auto other = *(*sim.world.files.OpenRoot(dir))->Open(sha256 + ".part", write);
  ASSERT_THAT(other->TryLock(), IsOk());
  base::CancelSource source;
  RootOptions options;
  options.mode = OpenMode::kMutate;
  options.cancel = source.token();
  const auto root = DeployRoot::Open(sim.world.world(), kTestRoot, options);
  source.Cancel({base::CancelReason::Kind::kInterrupt, "SIGINT", {}});
  EXPECT_THAT((*root)->Deploy({sim.Input(PackageOf("model", "1.0.0"))}, {}), HasErrorCode("DT026"));
  other = nullptr;
  EXPECT_THAT(sim.Deploy({"model:1.0.0"}), IsOk());
}

// Of two changes of one type one waits; both happen, one after the other. D177
TEST(Concurrency, ChangesOfOneTypeWaitForEachOther) {
  ReleaseSim sim;
  ASSERT_THAT(sim.Deploy({"model:1.0.0"}), IsOk());
  ASSERT_THAT(sim.Deploy({"model:1.1.0"}), IsOk());
  RootOptions options;
  options.mode = OpenMode::kMutate;
  options.wait_lock = absl::Hours(1);  // of a clock that stands still: for ever
  const auto work = [&] {
    const auto root = DeployRoot::Open(sim.world.world(), kTestRoot, options);
    ASSERT_THAT(root, IsOk());
    for (int i = 0; i < 10; ++i) {
      EXPECT_THAT((*root)->Switch("model", i % 2 == 0 ? "1.0.0" : "1.1.0", {}), IsOk());
    }
  };
  {
    std::thread one = base::os::StartThread("one", work);
    std::thread two = base::os::StartThread("two", work);
    one.join();
    two.join();
  }
  EXPECT_EQ(ReleaseSim::Complaint(sim.world.files, "model"), "");
  const auto root = sim.Open();
  EXPECT_THAT((*root)->VerifyLinks({}, true), IsOkAndHolds(IsEmpty()));
  // No line is lost, and each starts from where the one before ended.
  const auto history = (*root)->History("model", 100);
  for (size_t i = 0; i + 1 < history->size(); ++i) {
    EXPECT_EQ((*history)[i].changes[0].from, (*history)[i + 1].changes[0].to);
  }
}

}  // namespace
}  // namespace slipway::deploy
