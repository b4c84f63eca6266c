// What is Linux's own. What every implementation must do stands in base/testing/files_contract.cc.
#include "base/os/files.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <sys/wait.h>
#include <unistd.h>

#include <filesystem>
#include <set>

#include "absl/strings/str_cat.h"
#include "base/check.h"
#include "base/os/fd.h"
#include "base/os/lock_holder.h"
#include "base/temp_files.h"
#include "base/testing/files_contract.h"
#include "base/testing/status_matchers.h"
#include "base/testing/temp_dir.h"

namespace slipway::base::os {
namespace {

using absl::StatusCode;
using ::testing::AllOf;
using testing::FilesContract;
using ::testing::HasSubstr;
using testing::IsOkAndHolds;
using ::testing::StartsWith;
using testing::StatusIs;
using testing::TempDir;

class RealContractWorld : public testing::FilesContractWorld {
 public:
  explicit RealContractWorld(FilesOptions options) : files_(options) {}
  Files& files() override { return files_; }
  std::string root() override { return dir_.path(); }

 private:
  TempDir dir_;
  LinuxFiles files_;
};

testing::FilesContractFactory With(FilesOptions options) {
  return testing::FilesContractOf([options]() -> std::unique_ptr<testing::FilesContractWorld> {
    return std::make_unique<RealContractWorld>(options);
  });
}

INSTANTIATE_TEST_SUITE_P(Linux, FilesContract, ::testing::Values(With({})));
// As where the kernel or a sandbox refuses openat2 and copy_file_range.
INSTANTIATE_TEST_SUITE_P(LinuxFallback, FilesContract,
                         ::testing::Values(With({.openat2 = false, .copy_file_range = false})));

class LinuxFilesTest : public ::testing::TestWithParam<FilesOptions> {
 protected:
  LinuxFilesTest() : files_(GetParam()) {
    Owned<Dir> opened = files_.OpenRoot(temp_.path());
    SLIPWAY_CHECK(opened.ok());
    dir_ = *std::move(opened);
  }
  void Put(absl::string_view path, absl::string_view text) {
    ASSERT_OK_AND_ASSIGN(const auto file, dir_->Open(path, {.write = true, .create = true}));
    ASSERT_OK(file->WriteAt(0, AsBytes(text)));
  }
  size_t CountNames() const {
    size_t count = 0;
    for (const auto& entry : std::filesystem::directory_iterator(temp_.path())) {
      count += entry.path().empty() ? 0 : 1;
    }
    return count;
  }

  TempDir temp_;
  LinuxFiles files_;
  std::unique_ptr<Dir> dir_;
};

INSTANTIATE_TEST_SUITE_P(Kernel, LinuxFilesTest, ::testing::Values(FilesOptions{}));
INSTANTIATE_TEST_SUITE_P(Fallback, LinuxFilesTest,
                         ::testing::Values(FilesOptions{
                             .openat2 = false, .anonymous_temp = false, .copy_file_range = false}));

TEST_P(LinuxFilesTest, RefusesALinkAtEveryComponent) {
  ASSERT_OK(MakeDirs(*dir_, "a/b/c"));
  Put("a/b/c/f", "x");
  for (const char* component : {"a", "a/b", "a/b/c"}) {
    SCOPED_TRACE(component);
    const std::string moved = absl::StrCat(component, "-real");
    ASSERT_OK(dir_->Rename(component, *dir_, moved, RenameMode::kReplace));
    // Relative, absolute, and back into the same directory: all refused.
    for (const std::string& target :
         {std::string(SplitPath(moved).second), temp_.Join(moved), std::string("../../../etc")}) {
      ASSERT_OK(dir_->Symlink(target, component));
      EXPECT_THAT(dir_->Open("a/b/c/f", {}),
                  StatusIs(StatusCode::kFailedPrecondition,
                           AllOf(HasSubstr("symbolic link"), HasSubstr("a/b/c/f"))));
      EXPECT_THAT(dir_->OpenDir("a/b/c"),
                  StatusIs(StatusCode::kFailedPrecondition, HasSubstr("symbolic link")));
      ASSERT_OK(dir_->Remove(component));
    }
    ASSERT_OK(dir_->Rename(moved, *dir_, component, RenameMode::kReplace));
  }
  EXPECT_THAT(ReadFile(*dir_, "a/b/c/f", 10), IsOkAndHolds("x"));
}

TEST_P(LinuxFilesTest, RefusesMagicLinksOfProc) {
  ASSERT_OK_AND_ASSIGN(const auto proc, files_.OpenRoot("/proc/self"));
  EXPECT_THAT(proc->OpenDir("cwd"), StatusIs(StatusCode::kFailedPrecondition));
  EXPECT_THAT(proc->Stat("root/etc"), StatusIs(StatusCode::kFailedPrecondition));
}

TEST_P(LinuxFilesTest, RefusesAFifoAtOnce) {
  ASSERT_EQ(mkfifo(temp_.Join("fifo").c_str(), 0600), 0);
  EXPECT_THAT(dir_->Open("fifo", {}), StatusIs(StatusCode::kFailedPrecondition));
  EXPECT_THAT(dir_->Open("fifo", {.read = false, .write = true}),
              StatusIs(StatusCode::kFailedPrecondition));
  ASSERT_OK_AND_ASSIGN(const Meta meta, dir_->Stat("fifo"));
  EXPECT_EQ(meta.kind, FileKind::kOther);
}

TEST_P(LinuxFilesTest, MessagesNameTheWholePath) {
  ASSERT_OK(dir_->MakeDir("d"));
  ASSERT_OK_AND_ASSIGN(const auto below, dir_->OpenDir("d"));
  EXPECT_THAT(below->Open("missing", {}),
              StatusIs(StatusCode::kNotFound, HasSubstr(temp_.Join("d/missing"))));
}

TEST_P(LinuxFilesTest, TheUmaskDoesNotApply) {
  const mode_t before = umask(0077);
  EXPECT_OK(dir_->Open("f", {.write = true, .create = true, .mode = 0666}));
  EXPECT_OK(dir_->MakeDir("d", 0755));
  umask(before);
  ASSERT_OK_AND_ASSIGN(const Meta file, dir_->Stat("f"));
  ASSERT_OK_AND_ASSIGN(const Meta directory, dir_->Stat("d"));
  EXPECT_EQ(file.mode, 0666u);
  EXPECT_EQ(directory.mode, 0755u);
}

TEST_P(LinuxFilesTest, DescriptorsCloseOnExecAndOneAHandle) {
  const auto open_fds = [] {
    std::set<int> fds;
    for (int fd = 0; fd < 256; ++fd) {
      if (fcntl(fd, F_GETFD) >= 0) fds.insert(fd);
    }
    return fds;
  };
  ASSERT_OK(MakeDirs(*dir_, "a/b"));
  const std::set<int> before = open_fds();
  ASSERT_OK_AND_ASSIGN(const auto file, dir_->Open("a/b/f", {.write = true, .create = true}));
  ASSERT_OK_AND_ASSIGN(const auto sub, dir_->OpenDir("a/b"));
  ASSERT_OK_AND_ASSIGN(const auto temp, sub->CreateTemp());
  ASSERT_OK_AND_ASSIGN(const auto cursor, sub->List());
  ASSERT_OK(dir_->Stat("a/b/f"));
  ASSERT_OK(dir_->SetMeta("a/b/f", {.mode = 0600}));
  int added = 0;
  for (int fd : open_fds()) {
    if (before.count(fd) != 0) continue;
    ++added;
    EXPECT_EQ(fcntl(fd, F_GETFD) & FD_CLOEXEC, FD_CLOEXEC) << fd;
  }
  EXPECT_EQ(added, 4);
}

TEST_P(LinuxFilesTest, TemporaryFilesArePublishedOnceAndLeaveNothing) {
  ASSERT_OK_AND_ASSIGN(auto temp, dir_->CreateTemp());
  ASSERT_OK(temp->WriteAt(0, AsBytes("new")));
  EXPECT_THAT(dir_->Publish(*temp, "d/f", RenameMode::kReplace),
              StatusIs(StatusCode::kInvalidArgument));
  EXPECT_THAT(dir_->Publish(*temp, "f", RenameMode::kExchange),
              StatusIs(StatusCode::kInvalidArgument));
  ASSERT_OK(dir_->Publish(*temp, "f", RenameMode::kNoReplace));
  EXPECT_THAT(dir_->Publish(*temp, "g", RenameMode::kNoReplace),
              StatusIs(StatusCode::kFailedPrecondition));
  temp.reset();
  EXPECT_EQ(CountNames(), 1u);
  for (const RenameMode mode : {RenameMode::kReplace, RenameMode::kNoReplace}) {
    ASSERT_OK_AND_ASSIGN(const auto next, dir_->CreateTemp());
    ASSERT_OK(next->WriteAt(0, AsBytes("newer")));
    EXPECT_EQ(dir_->Publish(*next, "f", mode).ok(), mode == RenameMode::kReplace);
  }
  // A failed publish leaves no name behind either.
  ASSERT_OK(dir_->MakeDir("d"));
  ASSERT_OK_AND_ASSIGN(const auto other, dir_->CreateTemp());
  EXPECT_THAT(dir_->Publish(*other, "d", RenameMode::kReplace),
              StatusIs(StatusCode::kFailedPrecondition));
  EXPECT_OK(dir_->Publish(*other, "e", RenameMode::kReplace));
  EXPECT_EQ(CountNames(), 3u);
  EXPECT_THAT(ReadFile(*dir_, "f", 10), IsOkAndHolds("newer"));
}

TEST_P(LinuxFilesTest, OnlyTemporaryFilesThatNobodyHoldsAreSweptAway) {
  Put(".slipway-tmp-left", "of a killed process");
  Put("f", "old");
  ASSERT_OK(dir_->MakeDir("d"));
  ASSERT_OK_AND_ASSIGN(const auto live, dir_->CreateTemp());
  // It cannot replace a directory, and keeps the name it got for that.
  EXPECT_FALSE(dir_->Publish(*live, "d", RenameMode::kReplace).ok());
  EXPECT_EQ(CountNames(), 4u);
  EXPECT_THAT(RemoveStaleTemps(*dir_), IsOkAndHolds(1u));
  EXPECT_THAT(dir_->Stat(".slipway-tmp-left"), StatusIs(StatusCode::kNotFound));
  EXPECT_OK(dir_->Publish(*live, "f", RenameMode::kReplace));
  EXPECT_EQ(CountNames(), 2u);
}

TEST_P(LinuxFilesTest, ATemporaryFileIsRemovedAlsoAfterItsDirectoryMoved) {
  ASSERT_OK(dir_->MakeDir("d"));
  ASSERT_OK_AND_ASSIGN(auto sub, dir_->OpenDir("d"));
  ASSERT_OK_AND_ASSIGN(auto temp, sub->CreateTemp());
  sub.reset();
  ASSERT_OK(dir_->Rename("d", *dir_, "e", RenameMode::kReplace));
  temp.reset();
  EXPECT_OK(dir_->Remove("e"));
}

TEST_P(LinuxFilesTest, HolesStayHoles) {
  ASSERT_OK_AND_ASSIGN(const auto file, dir_->Open("sparse", {.write = true, .create = true}));
  constexpr uint64_t kFar = 64 << 20;
  ASSERT_OK(file->WriteAt(kFar, AsBytes("x")));
  ASSERT_OK(file->Sync());
  ASSERT_OK_AND_ASSIGN(const Meta meta, file->Stat());
  EXPECT_EQ(meta.size_bytes, kFar + 1);
  EXPECT_LT(meta.allocated_bytes, kFar);
  ASSERT_OK_AND_ASSIGN(const auto range, file->NextData(0));
  EXPECT_GT(range.first, 0u);
  EXPECT_LE(range.first, kFar);
  EXPECT_EQ(range.second, kFar + 1);
}

TEST_P(LinuxFilesTest, ALongDirectoryIsStreamed) {
  for (int i = 0; i < 3000; ++i) {
    const Fd made(open(temp_.Join(absl::StrCat("f", i)).c_str(), O_CREAT | O_WRONLY, 0600));
    ASSERT_TRUE(made.valid());
  }
  ASSERT_OK_AND_ASSIGN(const auto one, dir_->List());
  ASSERT_OK_AND_ASSIGN(const auto two, dir_->List());  // each with a place of its own
  std::set<std::string> names;
  while (true) {
    ASSERT_OK_AND_ASSIGN(const auto entry, one->Next());
    ASSERT_OK(two->Next());
    if (!entry.has_value()) break;
    EXPECT_TRUE(names.insert(entry->name).second) << entry->name;
  }
  EXPECT_EQ(names.size(), 3000u);
}

TEST_P(LinuxFilesTest, OnlyUserAttributesCanBeSet) {
  Put("f", "x");
  EXPECT_THAT(dir_->SetMeta("f", {.xattrs = Xattrs{{"trusted.x", "1"}}}),
              StatusIs(StatusCode::kInvalidArgument, HasSubstr("trusted.x")));
  EXPECT_THAT(dir_->SetMeta("f", {.mode = 010000}), StatusIs(StatusCode::kInvalidArgument));
}

TEST_P(LinuxFilesTest, AttributesAreSetBeforeAModeThatForbidsThem) {
  Put("f", "x");
  const absl::Status set = dir_->SetMeta("f", {.mode = 0400, .xattrs = Xattrs{{"user.a", "1"}}});
  if (absl::IsUnimplemented(set)) return;  // TMPDIR is on a file system without attributes
  EXPECT_OK(set);
  EXPECT_THAT(dir_->GetXattrs("f"), IsOkAndHolds(Xattrs{{"user.a", "1"}}));
}

TEST_P(LinuxFilesTest, AnUnreadableFileCanBeDescribedAndChanged) {
  Put("f", "x");
  const absl::Time time = absl::FromUnixSeconds(1'700'000'000);
  ASSERT_OK(dir_->SetMeta("f", {.mode = 0, .mtime = time}));
  EXPECT_OK(dir_->SetMeta("f", {.mode = 0200, .mtime = time}));
  ASSERT_OK_AND_ASSIGN(const Meta meta, dir_->Stat("f"));
  EXPECT_EQ(meta.mode, 0200u);
  EXPECT_EQ(meta.mtime, time);
}

TEST_P(LinuxFilesTest, TheHolderOfALockIsNamed) {
  Put("lock", "");
  int ready[2], done[2];
  ASSERT_EQ(pipe(ready), 0);
  ASSERT_EQ(pipe(done), 0);
  const pid_t child = fork();
  ASSERT_GE(child, 0);
  if (child == 0) {
    close(done[1]);
    const auto file = dir_->Open("lock", {.write = true});
    const char answer = file.ok() && (*file)->TryLock().ok() ? 'y' : 'n';
    char end;
    if (write(ready[1], &answer, 1) == 1 && read(done[0], &end, 1) == 0) _exit(0);
    _exit(1);
  }
  char answer = 0;
  ASSERT_EQ(read(ready[0], &answer, 1), 1);
  ASSERT_EQ(answer, 'y');
  ASSERT_OK_AND_ASSIGN(const auto file, dir_->Open("lock", {.write = true}));
  EXPECT_THAT(file->TryLock(),
              StatusIs(StatusCode::kAborted, HasSubstr(absl::StrCat("held by process ", child))));
  close(done[1]);
  int status = 0;
  ASSERT_EQ(waitpid(child, &status, 0), child);
  EXPECT_EQ(status, 0);
  EXPECT_OK(file->TryLock());  // its end freed the lock
  ASSERT_OK_AND_ASSIGN(const auto again, dir_->Open("lock", {.write = true}));
  EXPECT_THAT(again->TryLock(), StatusIs(StatusCode::kAborted, HasSubstr("this process")));
  for (int fd : {ready[0], ready[1], done[0]}) close(fd);
}

TEST_P(LinuxFilesTest, MakeRootNamesWhatIsInTheWay) {
  Put("f", "x");
  EXPECT_THAT(files_.MakeRoot(temp_.Join("f/d")), StatusIs(StatusCode::kFailedPrecondition));
  EXPECT_THAT(files_.MakeRoot(""), StatusIs(StatusCode::kInvalidArgument));
  EXPECT_OK(files_.MakeRoot(temp_.Join("a/b/c/")));
  EXPECT_OK(files_.OpenRoot(temp_.Join("a/b/c")));
}

TEST_P(LinuxFilesTest, CanonicalRefusesALinkToNowhere) {
  ASSERT_OK(dir_->Symlink("nowhere", "l"));
  ASSERT_OK(dir_->Symlink("loop", "loop"));
  EXPECT_THAT(files_.Canonical(temp_.Join("l")), StatusIs(StatusCode::kNotFound));
  EXPECT_THAT(files_.Canonical(temp_.Join("loop")),
              StatusIs(StatusCode::kFailedPrecondition, HasSubstr("symbolic links")));
  EXPECT_THAT(files_.Canonical("."), IsOkAndHolds(StartsWith("/")));
  EXPECT_THAT(files_.Canonical("/"), IsOkAndHolds("/"));
}

TEST(LockHolderTest, ReadsTheTableOfTheKernel) {
  const absl::string_view locks =
      "1: POSIX  ADVISORY  WRITE 11 08:02:77 0 EOF\n"
      "2: FLOCK  ADVISORY  WRITE 22 08:01:77 0 EOF\n"
      "3: FLOCK  ADVISORY  WRITE 33 08:02:77 0 EOF\n"
      "3: -> FLOCK  ADVISORY  WRITE 44 08:02:77 0 EOF\n"
      "4: FLOCK  ADVISORY  WRITE 55 08:02:177 0 EOF\n"
      "5: OFDLCK ADVISORY  WRITE -1 08:02:99 0 EOF\n";
  EXPECT_EQ(FindLockHolder(locks, makedev(8, 2), 77), 33);
  EXPECT_EQ(FindLockHolder(locks, makedev(8, 1), 77), 22);
  EXPECT_EQ(FindLockHolder(locks, makedev(0, 40), 177), 55);  // a device of its own in stat
  EXPECT_EQ(FindLockHolder(locks, makedev(9, 9), 177), 0);    // another file with that number
  EXPECT_EQ(FindLockHolder(locks, makedev(0, 40), 77), 0);    // of whom, it cannot be told
  EXPECT_EQ(FindLockHolder(locks, makedev(8, 2), 99), 0);
  EXPECT_EQ(FindLockHolder("", makedev(8, 2), 77), 0);
  EXPECT_EQ(FindLockHolder("garbage\n1: FLOCK\n\n", makedev(8, 2), 77), 0);
}

}  // namespace
}  // namespace slipway::base::os
