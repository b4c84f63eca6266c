#include "base/os/world.h"

#include <pthread.h>
#include <sys/stat.h>
#include <unistd.h>

#include <csignal>
#include <thread>

#include "base/os/random.h"
#include "base/os/signals.h"
#include "base/sync/mutex.h"
#include "base/testing/status_matchers.h"
#include "base/testing/temp_dir.h"

namespace slipway::base::os {
namespace {

using ::testing::HasSubstr;
using testing::IsOk;
using testing::StatusIs;
using testing::TempDir;

// Restores what World changes in the process.
class SignalsKept {
 public:
  SignalsKept() {
    pthread_sigmask(SIG_SETMASK, nullptr, &mask_);
    pipe_ = std::signal(SIGPIPE, SIG_DFL);
    size_ = std::signal(SIGXFSZ, SIG_DFL);
  }
  ~SignalsKept() {
    pthread_sigmask(SIG_SETMASK, &mask_, nullptr);
    std::signal(SIGPIPE, pipe_);
    std::signal(SIGXFSZ, size_);
  }

 private:
  sigset_t mask_;
  void (*pipe_)(int);
  void (*size_)(int);
};

bool Blocked(int signal) {
  sigset_t mask;
  pthread_sigmask(SIG_SETMASK, nullptr, &mask);
  return sigismember(&mask, signal) == 1;
}

TEST(World, HandsOutTheRealWorld) {
  const SignalsKept kept;
  const TempDir temp;
  World world({.pool_threads = 2});
  base::World& w = world.world();
  EXPECT_GT(w.clock.Wall(), absl::FromUnixSeconds(1'700'000'000));
  const absl::Duration before = w.clock.Monotonic();
  EXPECT_GE(w.clock.Monotonic(), before);
  // Of the clock that goes on while the machine is suspended, or leases would outlive that (E141).
  const auto since_boot = [] {
    timespec now = {};
    clock_gettime(CLOCK_BOOTTIME, &now);
    return absl::DurationFromTimespec(now);
  };
  const absl::Duration earliest = since_boot();
  const absl::Duration own = w.clock.Monotonic();
  EXPECT_LE(earliest, own);
  EXPECT_LE(own, since_boot());
  EXPECT_NE(w.random.Next(), w.random.Next());
  EXPECT_EQ(w.pool.threads(), 2);
  ASSERT_OK_AND_ASSIGN(const auto dir, w.files.OpenRoot(temp.path()));
  EXPECT_OK(WriteFileDurably(*dir, "f", "x"));
  ASSERT_OK_AND_ASSIGN(const auto process, w.spawner.Spawn({.argv = {"true"}}));
  EXPECT_OK(process->Wait(absl::Seconds(60)));
}

TEST(World, BlocksSignalsAndIgnoresThoseOfFailedWrites) {
  const SignalsKept kept;
  {
    const World world({.block_signals = false});
    EXPECT_FALSE(Blocked(SIGTERM));
  }
  const World world;
  for (int signal : {SIGINT, SIGTERM, SIGHUP}) EXPECT_TRUE(Blocked(signal));
  EXPECT_FALSE(Blocked(SIGQUIT));
  EXPECT_EQ(std::signal(SIGPIPE, SIG_DFL), SIG_IGN);
  EXPECT_EQ(std::signal(SIGXFSZ, SIG_DFL), SIG_IGN);
  bool blocked_there = false;
  std::thread([&] { blocked_there = Blocked(SIGTERM); }).join();
  EXPECT_TRUE(blocked_there);
}

TEST(Environment, TellsAboutTheProcess) {
  const SignalsKept kept;
  World world;
  Environment& environment = world.world().environment;
  ASSERT_EQ(setenv("SLIPWAY_ENVIRONMENT_TEST", "a=b", 1), 0);
  EXPECT_EQ(environment.Get("SLIPWAY_ENVIRONMENT_TEST"), "a=b");
  EXPECT_EQ(environment.Get("SLIPWAY_NO_SUCH_VARIABLE"), std::nullopt);
  EXPECT_EQ(environment.UserId(), geteuid());
  EXPECT_EQ(environment.ProcessId(), getpid());
  EXPECT_NE(environment.HostName(), "");
  EXPECT_NE(environment.UserName(), "");
  EXPECT_THAT(world.world().files.OpenRoot(environment.WorkingDirectory()), IsOk());
  const mode_t before = umask(0037);
  EXPECT_EQ(environment.Umask(), 037u);
  umask(before);
  EXPECT_EQ(environment.Umask(), before);
}

TEST(SystemRandom, FillsEveryByte) {
  SystemRandom random;
  Bytes all(100, 0);
  for (int i = 0; i < 10; ++i) {
    Bytes bytes(100, 0);
    random.Fill(absl::MakeSpan(bytes));
    for (size_t k = 0; k < all.size(); ++k) all[k] = static_cast<uint8_t>(all[k] | bytes[k]);
  }
  EXPECT_THAT(all, ::testing::Each(::testing::Ne(0)));  // fails once in 2^73 runs
  random.Fill({});
  EXPECT_EQ(RandomName().size(), 16u);
}

class CancelOnSignalsTest : public ::testing::TestWithParam<int> {};
INSTANTIATE_TEST_SUITE_P(Each, CancelOnSignalsTest, ::testing::Values(SIGINT, SIGTERM, SIGHUP));

// Blocks until the token is cancelled.
void AwaitCancel(const CancelToken& token) {
  Mutex mutex;
  CondVar changed;
  bool cancelled = false;
  const auto kept = token.OnCancel([&] {
    MutexLock lock(mutex);
    cancelled = true;
    changed.NotifyAll();
  });
  MutexLock lock(mutex);
  while (!cancelled) changed.Wait(mutex);
}

TEST_P(CancelOnSignalsTest, CancelsAndRemembersTheFirstSignal) {
  const SignalsKept kept;
  const World world;
  CancelSource source;
  const CancelOnSignals signals(source);
  EXPECT_EQ(signals.signal(), 0);
  EXPECT_EQ(signals.exit_code(), 0);
  kill(getpid(), GetParam());
  AwaitCancel(source.token());
  EXPECT_EQ(signals.signal(), GetParam());
  EXPECT_EQ(signals.exit_code(), 128 + GetParam());
  EXPECT_EQ(source.token().reason().kind, CancelReason::Kind::kInterrupt);
  EXPECT_THAT(source.token().status(),
              StatusIs(absl::StatusCode::kCancelled, HasSubstr("interrupted by SIG")));
}

TEST(CancelOnSignals, HangupMayMeanReload) {
  const SignalsKept kept;
  const World world;
  CancelSource source, reloaded;
  const CancelOnSignals signals(source, [&] { reloaded.Cancel({}); });
  kill(getpid(), SIGHUP);
  AwaitCancel(reloaded.token());
  EXPECT_FALSE(source.token().cancelled());
  kill(getpid(), SIGTERM);
  AwaitCancel(source.token());
  EXPECT_EQ(signals.exit_code(), 143);
}

TEST(CancelOnSignals, ASecondSignalChangesNothing) {
  const SignalsKept kept;
  const World world;
  CancelSource source, reloaded;
  const CancelOnSignals signals(source, [&] { reloaded.Cancel({}); });
  kill(getpid(), SIGINT);
  AwaitCancel(source.token());
  kill(getpid(), SIGTERM);
  sigset_t pending;
  do {  // until the thread has taken it
    sigpending(&pending);
  } while (sigismember(&pending, SIGTERM) == 1);
  kill(getpid(), SIGHUP);
  AwaitCancel(reloaded.token());  // so it has also dealt with the one before
  EXPECT_EQ(signals.signal(), SIGINT);
  EXPECT_EQ(signals.exit_code(), 130);
  EXPECT_EQ(source.token().reason().text, "SIGINT");
}

TEST(CancelOnSignals, EndsWithoutASignal) {
  const SignalsKept kept;
  const World world;
  CancelSource source;
  { const CancelOnSignals signals(source); }
  EXPECT_FALSE(source.token().cancelled());
}

}  // namespace
}  // namespace slipway::base::os
