#include "base/os/spawner.h"

#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <csignal>
#include <fstream>
#include <map>
#include <thread>

#include "absl/strings/str_cat.h"
#include "base/os/fd.h"
#include "base/testing/status_matchers.h"
#include "base/testing/temp_dir.h"

namespace slipway::base::os {
namespace {

using absl::StatusCode;
using ::testing::HasSubstr;
using ::testing::MatchesRegex;
using testing::StatusIs;
using testing::TempDir;

constexpr absl::Duration kLong = absl::Seconds(60);

SpawnOptions Shell(std::string script) { return {.argv = {"/bin/sh", "-c", std::move(script)}}; }

absl::StatusOr<ExitStatus> RunIt(SpawnOptions options) {
  SystemSpawner spawner;
  SLIPWAY_ASSIGN_OR_RETURN(const auto process, spawner.Spawn(std::move(options)));
  return process->Wait(kLong);
}

TEST(SystemSpawner, CollectsOutputAndExitCode) {
  ASSERT_OK_AND_ASSIGN(const ExitStatus status, RunIt(Shell("echo out; echo err >&2; exit 3")));
  EXPECT_EQ(status.code, 3);
  EXPECT_EQ(status.signal, 0);
  EXPECT_EQ(status.out, "out\n");
  EXPECT_EQ(status.err, "err\n");
}

TEST(SystemSpawner, TellsTheSignalThatKilled) {
  ASSERT_OK_AND_ASSIGN(const ExitStatus status, RunIt(Shell("kill -TERM $$")));
  EXPECT_EQ(status.code, -1);
  EXPECT_EQ(status.signal, SIGTERM);
}

TEST(SystemSpawner, FeedsInputOfAnySize) {
  SpawnOptions options = Shell("wc -c");
  options.stdin_text = std::string(300000, 'x');
  ASSERT_OK_AND_ASSIGN(const ExitStatus status, RunIt(options));
  EXPECT_THAT(status.out, HasSubstr("300000"));
  ASSERT_OK_AND_ASSIGN(const ExitStatus empty, RunIt(Shell("wc -c")));
  EXPECT_THAT(empty.out, HasSubstr("0"));
}

TEST(SystemSpawner, TakesMoreOutputThanAPipeHolds) {
  ASSERT_OK_AND_ASSIGN(const ExitStatus status,
                       RunIt(Shell("head -c 1000000 /dev/zero; head -c 500000 /dev/zero >&2")));
  EXPECT_EQ(status.out.size(), 1000000u);
  EXPECT_EQ(status.err.size(), 500000u);
}

TEST(SystemSpawner, KillsAProgramThatWritesTooMuch) {
  SpawnOptions options = Shell("while :; do echo xxxxxxxxxxxxxxxxxxxxxxxxxxxxxx; done");
  options.output_bytes_max = 10000;
  EXPECT_THAT(RunIt(options), StatusIs(StatusCode::kResourceExhausted, HasSubstr("10000")));
}

TEST(SystemSpawner, SetsEnvironmentAndDirectory) {
  const TempDir dir;
  SpawnOptions options = Shell("echo $A:$HOME; pwd");
  options.env.emplace()["A"] = "1 2";
  options.cwd = dir.path();
  ASSERT_OK_AND_ASSIGN(const ExitStatus status, RunIt(options));
  EXPECT_EQ(status.out, absl::StrCat("1 2:\n", dir.path(), "\n"));
}

TEST(SystemSpawner, LooksNamesUpInPath) {
  ASSERT_OK_AND_ASSIGN(const ExitStatus status, RunIt({.argv = {"sh", "-c", "exit 4"}}));
  EXPECT_EQ(status.code, 4);
}

TEST(SystemSpawner, SaysWhyAProgramCannotBeStarted) {
  const TempDir dir;
  std::ofstream(dir.Join("script")) << "text";
  EXPECT_THAT(RunIt({.argv = {dir.Join("missing")}}),
              StatusIs(StatusCode::kNotFound, HasSubstr(dir.Join("missing"))));
  EXPECT_THAT(RunIt({.argv = {dir.Join("script")}}), StatusIs(StatusCode::kPermissionDenied));
  SpawnOptions options = Shell("true");
  options.cwd = dir.Join("nowhere");
  EXPECT_THAT(RunIt(options), StatusIs(StatusCode::kNotFound, HasSubstr("nowhere")));
  EXPECT_THAT(RunIt({}), StatusIs(StatusCode::kInvalidArgument));
}

TEST(SystemSpawner, WaitMayEndEarlyAndBeRepeated) {
  SystemSpawner spawner;
  SpawnOptions options = Shell("echo ready; read line; echo done");
  const TempDir dir;
  ASSERT_EQ(mkfifo(dir.Join("go").c_str(), 0600), 0);
  options.argv[2] = absl::StrCat("echo ready; read line < '", dir.Join("go"), "'; echo $line");
  ASSERT_OK_AND_ASSIGN(const auto process, spawner.Spawn(options));
  EXPECT_THAT(process->Wait(absl::ZeroDuration()),
              StatusIs(StatusCode::kDeadlineExceeded, HasSubstr("/bin/sh")));
  EXPECT_THAT(process->Wait(absl::Milliseconds(5)), StatusIs(StatusCode::kDeadlineExceeded));
  std::ofstream(dir.Join("go")) << "go\n";
  ASSERT_OK_AND_ASSIGN(const ExitStatus status, process->Wait(kLong));
  EXPECT_EQ(status.out, "ready\ngo\n");
  ASSERT_OK_AND_ASSIGN(const ExitStatus again, process->Wait(absl::ZeroDuration()));
  EXPECT_EQ(again.out, status.out);
  EXPECT_THAT(process->Kill(SIGTERM), StatusIs(StatusCode::kNotFound));
}

TEST(SystemSpawner, DestructionKillsTheWholeGroup) {
  const TempDir dir;
  ASSERT_EQ(mkfifo(dir.Join("pipe").c_str(), 0600), 0);
  Fd reader;
  pid_t pid = 0;
  {
    SystemSpawner spawner;
    // The grandchild holds the pipe open for as long as it lives.
    ASSERT_OK_AND_ASSIGN(
        const auto process,
        spawner.Spawn(Shell(absl::StrCat("exec 3> '", dir.Join("pipe"),
                                         "'; (echo x >&3; exec sleep 1000) & wait"))));
    pid = process->pid();
    reader = Fd(open(dir.Join("pipe").c_str(), O_RDONLY | O_CLOEXEC));  // waits for the writer
    char got = 0;
    ASSERT_EQ(read(reader.get(), &got, 1), 1);
  }
  char rest[8];
  while (read(reader.get(), rest, sizeof(rest)) > 0) {
  }  // ends only when nobody holds the pipe any more
  EXPECT_NE(kill(pid, 0), 0);
}

TEST(SystemSpawner, DestructionKillsWhatTheProgramLeftBehindInItsGroup) {
  const TempDir dir;
  ASSERT_EQ(mkfifo(dir.Join("pipe").c_str(), 0600), 0);
  // Opened for both, so that neither end waits for the other.
  Fd reader(open(dir.Join("pipe").c_str(), O_RDWR | O_NONBLOCK | O_CLOEXEC));
  {
    SystemSpawner spawner;
    ASSERT_OK_AND_ASSIGN(const auto process,
                         spawner.Spawn(Shell(absl::StrCat("exec 3> '", dir.Join("pipe"),
                                                          "'; sleep 1000 & exit 3"))));
    ASSERT_OK_AND_ASSIGN(const ExitStatus status, process->Wait(kLong));
    EXPECT_EQ(status.code, 3);
    EXPECT_THAT(process->Kill(SIGTERM), StatusIs(StatusCode::kNotFound));
    ASSERT_OK_AND_ASSIGN(const ExitStatus again, process->Wait(absl::ZeroDuration()));
    EXPECT_EQ(again.code, 3);
  }
  // Only `sleep` can hold the pipe for writing now; opening it for that fails when nobody reads.
  Fd own(open(dir.Join("pipe").c_str(), O_RDONLY | O_NONBLOCK | O_CLOEXEC));
  reader.Reset();
  pollfd waited{.fd = own.get(), .events = POLLIN, .revents = 0};
  char byte = 0;
  ssize_t got = -1;
  for (int tries = 0; got < 0 && tries < 300; ++tries) {
    poll(&waited, 1, 100);
    got = read(own.get(), &byte, 1);
  }
  EXPECT_EQ(got, 0);  // the end of the file: the last writer has died
}

TEST(SystemSpawner, RefusesWhatTheKernelWouldCutSilently) {
  const std::string nul("a\0b", 3);
  const auto refused = [](SpawnOptions options) {
    return SystemSpawner().Spawn(std::move(options)).status().code() ==
           StatusCode::kInvalidArgument;
  };
  EXPECT_TRUE(refused({.argv = {"/bin/true", nul}}));
  EXPECT_TRUE(refused({.argv = {nul}}));
  EXPECT_TRUE(refused({.argv = {"/bin/true"}, .cwd = nul}));
  for (const auto& [name, value] :
       std::map<std::string, std::string>{{"", "x"}, {"A=B", "x"}, {nul, "x"}, {"A", nul}}) {
    SpawnOptions options{.argv = {"/bin/true"}};
    options.env.emplace()[name] = value;
    EXPECT_TRUE(refused(options)) << name;
  }
  SpawnOptions fine{.argv = {"/bin/true"}};
  fine.env.emplace()["A"] = "=b=";
  EXPECT_FALSE(refused(fine));
}

TEST(SystemSpawner, WaitDoesNotWaitForGrandchildren) {
  ASSERT_OK_AND_ASSIGN(const ExitStatus status, RunIt(Shell("sleep 3 & echo done")));
  EXPECT_EQ(status.out, "done\n");
}

TEST(SystemSpawner, ChildrenGetDefaultSignalsAndNoDescriptors) {
  sigset_t blocked, before;
  sigemptyset(&blocked);
  sigaddset(&blocked, SIGTERM);
  pthread_sigmask(SIG_BLOCK, &blocked, &before);
  const auto handler = std::signal(SIGPIPE, SIG_IGN);
  const Fd leaked(open("/dev/null", O_RDONLY));  // without close-on-exec, as some libraries do
  const auto mask =
      RunIt({.argv = {"grep", "^SigBlk", "/proc/self/status"}});  // a shell has its own
  const auto status = RunIt(Shell("kill -PIPE $$; echo unreachable"));
  const auto descriptors = RunIt(Shell("ls /proc/self/fd"));
  pthread_sigmask(SIG_SETMASK, &before, nullptr);
  std::signal(SIGPIPE, handler);
  ASSERT_OK(mask);
  EXPECT_EQ(mask->out, "SigBlk:\t0000000000000000\n");
  ASSERT_OK(status);
  EXPECT_EQ(status->out, "");
  EXPECT_EQ(status->signal, SIGPIPE);
  ASSERT_OK(descriptors);
  EXPECT_EQ(descriptors->out, "0\n1\n2\n3\n");  // 3: of ls
}

TEST(TiedChildren, AreStartedAsOthersAre) {
  SystemSpawner spawner({.children_end_with_thread = true});
  const auto run = [&](SpawnOptions options) -> absl::StatusOr<ExitStatus> {
    SLIPWAY_ASSIGN_OR_RETURN(const auto process, spawner.Spawn(std::move(options)));
    return process->Wait(kLong);
  };
  const TempDir dir;
  SpawnOptions options = Shell("cat; echo $A:$HOME; pwd; echo err >&2; exit 3");
  options.stdin_text = "in ";
  options.env.emplace()["A"] = "1 2";
  options.cwd = dir.path();
  ASSERT_OK_AND_ASSIGN(const ExitStatus status, run(options));
  EXPECT_EQ(status.code, 3);
  EXPECT_EQ(status.out, absl::StrCat("in 1 2:\n", dir.path(), "\n"));
  EXPECT_EQ(status.err, "err\n");
  ASSERT_OK_AND_ASSIGN(const ExitStatus found, run({.argv = {"ls", "/proc/self/fd"}}));
  EXPECT_EQ(found.out, "0\n1\n2\n3\n");  // 3: of ls
  ASSERT_OK_AND_ASSIGN(const ExitStatus mask,
                       run({.argv = {"grep", "^SigBlk\\|^SigIgn", "/proc/self/status"}}));
  // 32 and 33 belong to the C library: whoever started this program may have left them ignored.
  EXPECT_THAT(mask.out, MatchesRegex("SigBlk:\t0+\nSigIgn:\t0{7}[01][08]0{7}\n"));
  EXPECT_THAT(run({.argv = {"/no/such/program"}}),
              StatusIs(StatusCode::kNotFound, HasSubstr("/no/such/program")));
  options = Shell("true");
  options.cwd = "/no/such/folder";
  EXPECT_THAT(run(options), StatusIs(StatusCode::kNotFound, HasSubstr("/no/such/folder")));
}

TEST(TiedChildren, EndWithTheThreadThatStartedThem) {
  SystemSpawner spawner({.children_end_with_thread = true});
  std::unique_ptr<Process> child;
  std::thread([&] {
    auto process = spawner.Spawn({.argv = {"sleep", "1000"}});
    ASSERT_OK(process);
    child = *std::move(process);
    EXPECT_THAT(child->Wait(absl::Milliseconds(20)), StatusIs(StatusCode::kDeadlineExceeded));
  }).join();
  ASSERT_NE(child, nullptr);
  ASSERT_OK_AND_ASSIGN(const ExitStatus status, child->Wait(kLong));
  EXPECT_EQ(status.signal, SIGKILL);
}

// Nothing of this process runs any more that could end them.
TEST(TiedChildren, EndWithAProcessThatIsKilled) {
  int ends[2];
  ASSERT_EQ(pipe(ends), 0);
  const pid_t parent = fork();
  if (parent == 0) {
    SystemSpawner spawner({.children_end_with_thread = true});
    const auto process = spawner.Spawn({.argv = {"sleep", "1000"}});
    const pid_t pid = process.ok() ? (*process)->pid() : 0;
    if (write(ends[1], &pid, sizeof(pid)) < 0) _exit(1);
    raise(SIGKILL);
  }
  pid_t child = 0;
  ASSERT_EQ(read(ends[0], &child, sizeof(child)), static_cast<ssize_t>(sizeof(child)));
  int status = 0;
  ASSERT_EQ(waitpid(parent, &status, 0), parent);
  ASSERT_GT(child, 0);
  const Fd ended(static_cast<int>(syscall(SYS_pidfd_open, child, 0)));
  pollfd waited = {.fd = ended.get(), .events = POLLIN, .revents = 0};
  if (ended.valid()) {  // else it has been reaped already
    EXPECT_EQ(poll(&waited, 1, 60'000), 1);
  }
  close(ends[0]);
  close(ends[1]);
}

TEST(SystemSpawner, WithoutCaptureTheOutputIsOurs) {
  SpawnOptions options = Shell("test ! -p /dev/stdout || true");
  options.capture = false;
  ASSERT_OK_AND_ASSIGN(const ExitStatus status, RunIt(options));
  EXPECT_EQ(status.code, 0);
  EXPECT_EQ(status.out, "");
}

}  // namespace
}  // namespace slipway::base::os
