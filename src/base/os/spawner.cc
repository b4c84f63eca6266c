#include "base/os/spawner.h"

#include <fcntl.h>
#include <poll.h>
#include <spawn.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>

#include <algorithm>
#include <csignal>
#include <optional>
#include <utility>

#include "absl/strings/str_cat.h"
#include "base/bytes.h"
#include "base/check.h"
#include "base/os/clock.h"
#include "base/os/fd.h"
#include "base/os/tied_child.h"
#include "base/sync/mutex.h"

extern char** environ;

namespace slipway::base::os {
namespace {

constexpr absl::Duration kPollWithoutPidfd = absl::Milliseconds(10);

// A stream of the child that is being collected.
struct Collected {
  Fd fd;
  std::string text;
};

class SystemProcess : public Process {
 public:
  SystemProcess(pid_t pid, SpawnOptions options, Fd out, Fd err)
      : pid_(pid), options_(std::move(options)) {
    out_.fd = std::move(out);
    err_.fd = std::move(err);
    pidfd_ = Fd(static_cast<int>(syscall(SYS_pidfd_open, pid, 0)));
  }

  ~SystemProcess() override {
    const bool had_ended = TakeStatus();
    if (lost()) return;
    // Until it is reaped, here alone, its pid is given to nobody else; nor is the id of its group.
    if (options_.new_group || !had_ended) kill(Target(), SIGKILL);
    RetryInterrupted([&] { return waitpid(pid_, nullptr, 0); });
  }

  int pid() const override { return pid_; }

  absl::Status Kill(int signal) override {
    MutexLock lock(mutex_);
    if (status_.has_value()) {
      return absl::NotFoundError(absl::StrCat("signal process ", pid_, ": it has ended"));
    }
    if (kill(Target(), signal) != 0) {
      return ErrnoError(errno, absl::StrCat("signal process ", pid_));
    }
    return absl::OkStatus();
  }

  absl::StatusOr<ExitStatus> Wait(absl::Duration timeout) override {
    const absl::Duration deadline = clock_.Monotonic() + timeout;
    while (!ended()) {
      const absl::Duration left = deadline - clock_.Monotonic();
      SLIPWAY_RETURN_IF_ERROR(PollOnce(std::max(left, absl::ZeroDuration())));
      if (TakeStatus()) break;
      if (left <= absl::ZeroDuration()) {
        return absl::DeadlineExceededError(absl::StrCat("wait for ", options_.argv[0], " (process ",
                                                        pid_, "): still running after ",
                                                        absl::FormatDuration(timeout)));
      }
    }
    // What was written before the end is in the pipes now.
    while (Read(out_) || Read(err_)) {
    }
    out_.fd.Reset();
    err_.fd.Reset();
    if (too_much_) {
      return absl::ResourceExhaustedError(absl::StrCat("run ", options_.argv[0], ": killed, as it ",
                                                       "wrote more than ",
                                                       options_.output_bytes_max, " bytes"));
    }
    return Result();
  }

 private:
  pid_t Target() const { return options_.new_group ? -pid_ : pid_; }

  bool ended() const {
    MutexLock lock(mutex_);
    return status_.has_value();
  }

  // Somebody else reaped it, or SIGCHLD is ignored: its status is unknown, its pid no longer its
  // own.
  bool lost() const {
    MutexLock lock(mutex_);
    return status_.has_value() && status_->si_pid == 0;
  }

  // True when the child has ended. It is not reaped: see the destructor.
  bool TakeStatus() {
    siginfo_t info = {};
    MutexLock lock(mutex_);
    const int got = RetryInterrupted(
        [&] { return waitid(P_PID, static_cast<id_t>(pid_), &info, WEXITED | WNOHANG | WNOWAIT); });
    if (got == 0 && info.si_pid == 0) return false;
    status_ = got == 0 ? info : siginfo_t{};  // ECHILD: lost
    return true;
  }

  // Waits until the child ends or writes, at most `timeout`, and collects what it wrote.
  absl::Status PollOnce(absl::Duration timeout) {
    pollfd waited[3] = {{.fd = out_.fd.get(), .events = POLLIN, .revents = 0},
                        {.fd = err_.fd.get(), .events = POLLIN, .revents = 0},
                        {.fd = pidfd_.get(), .events = POLLIN, .revents = 0}};
    if (!pidfd_.valid()) timeout = std::min(timeout, kPollWithoutPidfd);
    timeout = std::min(timeout, absl::Hours(1));
    const timespec limit = absl::ToTimespec(timeout);
    if (ppoll(waited, 3, &limit, nullptr) < 0 && errno != EINTR) {
      return ErrnoError(errno, absl::StrCat("wait for process ", pid_));
    }
    Read(out_);
    Read(err_);
    if (too_much_) Kill(SIGKILL).IgnoreError();
    return absl::OkStatus();
  }

  // Takes what is there; false when nothing was. Beyond the limit the bytes are dropped.
  bool Read(Collected& from) {
    if (!from.fd.valid()) return false;
    char buffer[65536];
    const ssize_t got =
        RetryInterrupted([&] { return read(from.fd.get(), buffer, sizeof(buffer)); });
    if (got < 0 && errno == EAGAIN) return false;
    if (got <= 0) {
      from.fd.Reset();
      return false;
    }
    const auto bytes = static_cast<size_t>(got);
    const size_t room = options_.output_bytes_max - from.text.size();
    if (bytes > room) too_much_ = true;
    from.text.append(buffer, std::min(bytes, room));
    return !too_much_;
  }

  ExitStatus Result() const {
    MutexLock lock(mutex_);
    ExitStatus result;
    if (status_->si_pid == 0) {
      result.code = 127;
    } else if (status_->si_code == CLD_EXITED) {
      result.code = status_->si_status;
    } else {
      result.code = -1;
      result.signal = status_->si_status;
    }
    result.out = out_.text;
    result.err = err_.text;
    return result;
  }

  const pid_t pid_;
  const SpawnOptions options_;
  SystemClock clock_;
  Fd pidfd_;  // invalid where the kernel has none
  Collected out_;
  Collected err_;
  bool too_much_ = false;
  mutable Mutex mutex_;
  std::optional<siginfo_t> status_ ABSL_GUARDED_BY(mutex_);  // once it has ended; all 0: lost
};

// posix_spawn's two objects with their destructors.
class SpawnPlan {
 public:
  SpawnPlan() {
    SLIPWAY_CHECK(posix_spawn_file_actions_init(&actions_) == 0);
    SLIPWAY_CHECK(posix_spawnattr_init(&attributes_) == 0);
  }
  ~SpawnPlan() {
    posix_spawn_file_actions_destroy(&actions_);
    posix_spawnattr_destroy(&attributes_);
  }
  SpawnPlan(const SpawnPlan&) = delete;
  SpawnPlan& operator=(const SpawnPlan&) = delete;

  // 0 or an errno, as the calls of posix_spawn do.
  int Prepare(const SpawnOptions& options, int in, int out, int err) {
    sigset_t none, all;
    sigemptyset(&none);
    sigfillset(&all);
    short flags = POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF;
    if (options.new_group) flags |= POSIX_SPAWN_SETPGROUP;
    int error = posix_spawnattr_setflags(&attributes_, flags);
    if (error == 0) error = posix_spawnattr_setsigmask(&attributes_, &none);
    if (error == 0) error = posix_spawnattr_setsigdefault(&attributes_, &all);
    if (error == 0) error = posix_spawnattr_setpgroup(&attributes_, 0);
    if (error == 0) error = posix_spawn_file_actions_adddup2(&actions_, in, STDIN_FILENO);
    if (error == 0 && out >= 0) {
      error = posix_spawn_file_actions_adddup2(&actions_, out, STDOUT_FILENO);
    }
    if (error == 0 && err >= 0) {
      error = posix_spawn_file_actions_adddup2(&actions_, err, STDERR_FILENO);
    }
    // Libraries open descriptors without close-on-exec.
    if (error == 0) error = posix_spawn_file_actions_addclosefrom_np(&actions_, 3);
    if (error == 0 && !options.cwd.empty()) {
      error = posix_spawn_file_actions_addchdir_np(&actions_, options.cwd.c_str());
    }
    return error;
  }

  int Spawn(pid_t* pid, char* const* argv, char* const* env) {
    return posix_spawnp(pid, argv[0], &actions_, &attributes_, argv, env);
  }

 private:
  posix_spawn_file_actions_t actions_;
  posix_spawnattr_t attributes_;
};

std::vector<char*> Pointers(std::vector<std::string>& texts) {
  std::vector<char*> pointers;
  pointers.reserve(texts.size() + 1);
  for (std::string& text : texts) pointers.push_back(text.data());
  pointers.push_back(nullptr);
  return pointers;
}

// Never one of the three standard descriptors, which the child's dup2 would overwrite.
Fd AboveStandard(int fd) {
  if (fd < 0 || fd > STDERR_FILENO) return Fd(fd);
  const Fd low(fd);
  return Fd(fcntl(low.get(), F_DUPFD_CLOEXEC, STDERR_FILENO + 1));
}

Fd OpenInput(const std::string& text) {
  if (text.empty()) return AboveStandard(open("/dev/null", O_RDONLY | O_CLOEXEC));
  // A file in memory rather than a pipe, which would need somebody to feed it.
  Fd fd = AboveStandard(memfd_create("stdin", MFD_CLOEXEC));
  size_t done = 0;
  while (fd.valid() && done < text.size()) {
    const ssize_t put = RetryInterrupted([&] {
      return pwrite(fd.get(), text.data() + done, text.size() - done, static_cast<off_t>(done));
    });
    if (put <= 0) return Fd();
    done += static_cast<size_t>(put);
  }
  return fd;
}

bool OpenPipe(Fd& read_end, Fd& write_end) {
  int ends[2];
  if (pipe2(ends, O_CLOEXEC) != 0) return false;
  read_end = AboveStandard(ends[0]);
  write_end = AboveStandard(ends[1]);
  return read_end.valid() && write_end.valid() && fcntl(read_end.get(), F_SETFL, O_NONBLOCK) == 0;
}

// What the kernel would cut at a NUL or take for something else, silently.
absl::Status CheckTexts(const SpawnOptions& options) {
  const auto holds_nul = [](const std::string& text) { return text.find('\0') != text.npos; };
  if (options.argv.empty() || options.argv[0].empty()) {
    return absl::InvalidArgumentError("start program: its name is empty");
  }
  const std::string what = absl::StrCat("start ", EscapeForTerminal(options.argv[0]));
  if (std::any_of(options.argv.begin(), options.argv.end(), holds_nul)) {
    return absl::InvalidArgumentError(absl::StrCat(what, ": an argument holds a NUL byte"));
  }
  if (holds_nul(options.cwd)) {
    return absl::InvalidArgumentError(absl::StrCat(what, ": its directory holds a NUL byte"));
  }
  if (!options.env.has_value()) return absl::OkStatus();
  for (const auto& [name, value] : *options.env) {
    if (name.empty() || name.find('=') != name.npos || holds_nul(name) || holds_nul(value)) {
      return absl::InvalidArgumentError(
          absl::StrCat(what, ": environment variable \"", EscapeForTerminal(name),
                       "\": its name is empty or holds `=`, or a NUL byte is in it"));
    }
  }
  return absl::OkStatus();
}

}  // namespace

Owned<Process> SystemSpawner::Spawn(SpawnOptions options) {
  SLIPWAY_RETURN_IF_ERROR(CheckTexts(options));
  const std::string what = absl::StrCat("start ", options.argv[0]);
  const Fd in = OpenInput(options.stdin_text);
  if (!in.valid()) return ErrnoError(errno, what);
  Fd out, out_child, err, err_child;
  if (options.capture && (!OpenPipe(out, out_child) || !OpenPipe(err, err_child))) {
    return ErrnoError(errno, what);
  }
  std::vector<std::string> argv = options.argv;
  std::vector<std::string> env;
  if (options.env.has_value()) {
    for (const auto& [key, value] : *options.env) env.push_back(absl::StrCat(key, "=", value));
  }
  const std::vector<char*> argv_pointers = Pointers(argv), env_pointers = Pointers(env);
  char* const* const environment = options.env.has_value() ? env_pointers.data() : environ;
  pid_t pid = 0;
  int error = 0;
  if (options_.children_end_with_thread) {
    error = SpawnTied({.argv = argv_pointers.data(),
                       .env = environment,
                       .cwd = options.cwd,
                       .standard = {in.get(), out_child.get(), err_child.get()},
                       .new_group = options.new_group},
                      &pid);
  } else {
    SpawnPlan plan;
    error = plan.Prepare(options, in.get(), out_child.get(), err_child.get());
    if (error == 0) error = plan.Spawn(&pid, argv_pointers.data(), environment);
  }
  if (error != 0) {
    struct stat info;
    if (!options.cwd.empty() && (stat(options.cwd.c_str(), &info) != 0 || !S_ISDIR(info.st_mode))) {
      return ErrnoError(error, absl::StrCat(what, " in ", options.cwd));
    }
    return ErrnoError(error, what);
  }
  return std::make_unique<SystemProcess>(pid, std::move(options), std::move(out), std::move(err));
}

}  // namespace slipway::base::os
