#include "base/os/tied_child.h"

#include <fcntl.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <csignal>

#include "base/os/fd.h"

namespace slipway::base::os {
namespace {

constexpr int kReportFd = 3;  // behind the standard ones; all others are closed
constexpr int kSignals = 64;

// In the child, which is a copy of one thread: only what is safe in a handler of signals may be
// called. Returns when the program cannot be started, with errno set; `report` is where to tell it.
void Become(const TiedChild& child, pid_t parent, int& report) {
  if (prctl(PR_SET_PDEATHSIG, SIGKILL) != 0) return;
  if (getppid() != parent) _exit(127);  // it ended before that was in force
  for (int signal = 1; signal <= kSignals; ++signal) std::signal(signal, SIG_DFL);
  sigset_t none;
  sigemptyset(&none);
  if (sigprocmask(SIG_SETMASK, &none, nullptr) != 0) return;
  if (child.new_group && setpgid(0, 0) != 0) return;
  for (int fd = STDIN_FILENO; fd <= STDERR_FILENO; ++fd) {
    if (child.standard[fd] >= 0 && dup2(child.standard[fd], fd) < 0) return;
  }
  if (report != kReportFd && dup3(report, kReportFd, O_CLOEXEC) < 0) return;
  report = kReportFd;
  // Libraries open descriptors without close-on-exec.
  closefrom(kReportFd + 1);
  if (!child.cwd.empty() && chdir(child.cwd.c_str()) != 0) return;
  execvpe(child.argv[0], child.argv, child.env);
}

}  // namespace

int SpawnTied(const TiedChild& child, pid_t* pid) {
  int ends[2];
  if (pipe2(ends, O_CLOEXEC) != 0) return errno;
  const Fd read_end(ends[0]);
  // Above what the child's descriptors are copied to.
  Fd write_end(ends[1]);
  if (ends[1] < kReportFd) write_end = Fd(fcntl(ends[1], F_DUPFD_CLOEXEC, kReportFd));
  if (!write_end.valid()) return errno;
  const pid_t parent = getpid();
  const pid_t made = fork();
  if (made < 0) return errno;
  if (made == 0) {
    int report = write_end.get();
    Become(child, parent, report);
    const int error = errno;
    _exit(write(report, &error, sizeof(error)) < 0 ? 126 : 127);
  }
  write_end.Reset();
  int error = 0;
  const ssize_t got = RetryInterrupted([&] { return read(read_end.get(), &error, sizeof(error)); });
  if (got != sizeof(error)) {  // the program has taken its place, and closed the pipe
    *pid = made;
    return 0;
  }
  RetryInterrupted([&] { return waitpid(made, nullptr, 0); });
  return error;
}

}  // namespace slipway::base::os
