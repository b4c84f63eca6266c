#include "base/sim/world.h"

#include <set>

#include "absl/strings/str_cat.h"
#include "base/testing/status_matchers.h"

namespace slipway::base::sim {
namespace {

using ::slipway::base::testing::StatusIs;
using ::testing::ElementsAre;

TEST(SimClock, MovesOnlyWhenTold) {
  Clock clock;
  const absl::Time wall = clock.Wall();
  const absl::Duration monotonic = clock.Monotonic();
  EXPECT_EQ(clock.Wall(), wall);
  clock.Advance(absl::Seconds(5));
  EXPECT_EQ(clock.Wall() - wall, absl::Seconds(5));
  clock.SetWall(wall - absl::Hours(1));
  EXPECT_EQ(clock.Wall(), wall - absl::Hours(1));
  EXPECT_EQ(clock.Monotonic() - monotonic, absl::Seconds(5));
}

TEST(SimRandom, TheSeedDecides) {
  Random a(1), b(1), c(2);
  const std::string first = a.Hex(33);
  EXPECT_EQ(first, b.Hex(33));
  EXPECT_NE(first, c.Hex(33));
  EXPECT_NE(first, a.Hex(33));
}

// Two posted tasks and two timers due with them: the order they ran in.
std::string RunOrder(uint64_t seed) {
  Clock clock;
  Loop loop(seed, clock);
  std::string order;
  loop.After(absl::ZeroDuration(), [&] { order += 'x'; });
  loop.After(absl::ZeroDuration(), [&] { order += 'y'; });
  loop.Post([&] { order += '1'; });
  loop.Post([&] { order += '2'; });
  while (loop.RunOne()) {
  }
  return order;
}

TEST(SimLoop, OrderAmongTheRunnableIsSeededAndPostsKeepTheirs) {
  std::set<std::string> orders;
  for (uint64_t seed = 0; seed < 100; ++seed) {
    const std::string order = RunOrder(seed);
    EXPECT_EQ(order, RunOrder(seed));
    EXPECT_LT(order.find('1'), order.find('2'));
    orders.insert(order);
  }
  EXPECT_EQ(orders.size(), 12u);  // 4! / 2
}

TEST(SimLoop, TimersRunInVirtualTime) {
  Clock clock;
  Loop loop(1, clock);
  std::vector<std::string> ran;
  const absl::Duration start = clock.Monotonic();
  const auto note = [&](absl::string_view name) {
    ran.push_back(absl::StrCat(name, "@", absl::FormatDuration(clock.Monotonic() - start)));
  };
  loop.After(absl::Seconds(3), [&] { note("late"); });
  const uint64_t cancelled = loop.After(absl::Seconds(2), [&] { note("never"); });
  loop.After(absl::Seconds(1), [&] {
    note("early");
    loop.After(absl::Seconds(1), [&] { note("again"); });
  });
  EXPECT_FALSE(loop.RunOne());
  EXPECT_NE(cancelled, 0u);
  loop.Cancel(cancelled);
  loop.Cancel(999);
  loop.RunFor(absl::Milliseconds(2500));
  EXPECT_THAT(ran, ElementsAre("early@1s", "again@2s"));
  EXPECT_EQ(clock.Monotonic() - start, absl::Milliseconds(2500));
  EXPECT_TRUE(loop.Step());
  EXPECT_EQ(ran.back(), "late@3s");
  EXPECT_FALSE(loop.Step());
}

TEST(SimPool, JobsWaitAndRunInASeededOrder) {
  std::set<std::string> orders;
  for (uint64_t seed = 0; seed < 50; ++seed) {
    Pool pool(seed, /*queue_max=*/3);
    std::string order;
    for (const char name : {'a', 'b', 'c'}) ASSERT_OK(pool.Submit([&, name] { order += name; }));
    EXPECT_THAT(pool.Submit([] {}), StatusIs(absl::StatusCode::kResourceExhausted));
    EXPECT_EQ(order, "");
    EXPECT_EQ(pool.waiting(), 3u);
    pool.RunAll();
    EXPECT_FALSE(pool.RunOne());
    orders.insert(order);
  }
  EXPECT_EQ(orders.size(), 6u);
}

TEST(SimSpawner, ProgramsArePlayed) {
  Clock clock;
  Spawner spawner(clock);
  EXPECT_THAT(spawner.Spawn({.argv = {"ls"}}), StatusIs(absl::StatusCode::kNotFound));
  spawner.Play("ls", {.code = 3, .signal = 0, .out = "x\n", .err = ""});
  spawner.Play("sleep", [](const SpawnOptions& options) -> absl::StatusOr<Spawner::Outcome> {
    if (options.argv.size() != 2) return absl::PermissionDeniedError("no");
    return Spawner::Outcome{ExitStatus(), absl::Seconds(10)};
  });
  ASSERT_OK_AND_ASSIGN(const auto ls, spawner.Spawn({.argv = {"/bin/ls", "-l"}}));
  ASSERT_OK_AND_ASSIGN(const ExitStatus ended, ls->Wait(absl::ZeroDuration()));
  EXPECT_EQ(ended.code, 3);
  EXPECT_EQ(ended.out, "x\n");
  EXPECT_THAT(spawner.Spawn({.argv = {"sleep"}}), StatusIs(absl::StatusCode::kPermissionDenied));
  const absl::Duration start = clock.Monotonic();
  ASSERT_OK_AND_ASSIGN(const auto sleep, spawner.Spawn({.argv = {"sleep", "10"}}));
  EXPECT_THAT(sleep->Wait(absl::Seconds(4)), StatusIs(absl::StatusCode::kDeadlineExceeded));
  EXPECT_EQ(clock.Monotonic() - start, absl::Seconds(4));
  ASSERT_OK(sleep->Kill(15));
  ASSERT_OK_AND_ASSIGN(const ExitStatus killed, sleep->Wait(absl::Seconds(1)));
  EXPECT_EQ(killed.signal, 15);
  EXPECT_EQ(clock.Monotonic() - start, absl::Seconds(4));
  EXPECT_EQ(spawner.calls().size(), 4u);
  EXPECT_THAT(spawner.calls()[1].argv, ElementsAre("/bin/ls", "-l"));
}

TEST(SimWorld, BundlesItsParts) {
  World sim(7);
  base::World& world = sim.world();
  sim.environment.Set("HOME", "/home/me");
  EXPECT_EQ(world.environment.Get("HOME"), "/home/me");
  sim.environment.Unset("HOME");
  EXPECT_EQ(world.environment.Get("HOME"), std::nullopt);
  sim.clock.Advance(absl::Hours(1));
  ASSERT_OK_AND_ASSIGN(const auto root, world.files.MakeRoot("/srv"));
  ASSERT_OK(root->MakeDir("d"));
  ASSERT_OK_AND_ASSIGN(const Meta meta, root->Stat("d"));
  EXPECT_EQ(meta.mtime, sim.clock.Wall());
  sim.SetWorkingDirectory("/srv");
  EXPECT_EQ(world.environment.WorkingDirectory(), "/srv");
  EXPECT_EQ(*world.files.Canonical("d"), "/srv/d");
  sim.SetUser("me", 1000);
  EXPECT_EQ(world.environment.UserName(), "me");
  EXPECT_THAT(root->MakeDir("x"), StatusIs(absl::StatusCode::kPermissionDenied));
}

}  // namespace
}  // namespace slipway::base::sim
