// Power cuts on a real file system (E404 in small, E151): a process writes a log of entries,
// synced, and applies them to an engine, not synced; it is stopped at any moment, the image of its
// file system is copied as it is then, and what the copy holds is recovered: every entry that was
// acknowledged must be in the state. Once stopped, the process has no call under way, so the disk
// is at rest: what is lost is what was never asked to be safe.
//
// As root, in a mount namespace of its own: whatever becomes of the test, its mounts go with it.
#include <gtest/gtest.h>
#include <sched.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include <atomic>
#include <filesystem>
#include <functional>
#include <memory>
#include <random>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "base/bytes.h"
#include "base/digest/crc32c.h"
#include "base/os/files.h"
#include "base/os/spawner.h"
#include "base/testing/process_rig.h"
#include "base/testing/status_matchers.h"
#include "base/testing/temp_dir.h"
#include "eraft/store/leveldb_engine.h"
#include "eraft/store/memory_engine.h"
#include "eraft/store/rocksdb_engine.h"
#include "eraft/store/test_machine.h"

namespace slipway::eraft {
namespace {

constexpr int kCuts = 50;
constexpr int kCutsPerDisk = 10;
constexpr char kTruthFile[] = "truth";
constexpr size_t kHeaderBytes = 16;  // size, CRC, index

// What the writing process tells the one that cuts, at once.
struct Shared {
  std::atomic<uint64_t> acknowledged{0};  // the truth has it, synced
  std::atomic<uint64_t> cut{0};           // the engine said that it is durable up to here
};

// The part of a write-ahead log that matters here.
class Truth {
 public:
  static base::Owned<Truth> Open(base::Dir& root) {
    base::OpenOptions options;
    options.write = true;
    options.create = true;
    SLIPWAY_ASSIGN_OR_RETURN(auto file, root.Open(kTruthFile, options));
    SLIPWAY_RETURN_IF_ERROR(file->Sync());
    SLIPWAY_RETURN_IF_ERROR(root.Sync());
    return std::unique_ptr<Truth>(new Truth(std::move(file)));
  }
  absl::Status Append(const std::vector<raft::Entry>& entries) {
    base::Bytes out;
    for (const raft::Entry& entry : entries) {
      uint8_t header[kHeaderBytes];
      base::StoreLittle(header, static_cast<uint32_t>(entry.payload.size()));
      base::StoreLittle(header + 4, entry.payload_crc);
      base::StoreLittle(header + 8, entry.index);
      out.insert(out.end(), header, header + kHeaderBytes);
      out.insert(out.end(), entry.payload.view().begin(), entry.payload.view().end());
    }
    SLIPWAY_RETURN_IF_ERROR(file_->WriteAt(end_, out));
    end_ += out.size();
    return file_->Sync();
  }
  static absl::StatusOr<std::vector<raft::Entry>> Read(base::Dir& root) {
    SLIPWAY_ASSIGN_OR_RETURN(const std::string text,
                             base::ReadFile(root, kTruthFile, uint64_t{1} << 30));
    std::vector<raft::Entry> entries;
    base::BytesView rest = base::AsBytes(text);
    while (rest.size() >= kHeaderBytes) {
      const auto size = base::LoadLittle<uint32_t>(rest.data());
      const auto crc = base::LoadLittle<uint32_t>(rest.data() + 4);
      const auto index = base::LoadLittle<uint64_t>(rest.data() + 8);
      rest.remove_prefix(kHeaderBytes);
      if (size > rest.size() || index != entries.size() + 1) break;  // a torn tail
      const base::BytesView payload = rest.subspan(0, size);
      if (base::Crc32c(payload) != crc) break;
      entries.push_back(EntryOf(index, base::Bytes(payload.begin(), payload.end())));
      rest.remove_prefix(size);
    }
    return entries;
  }

 private:
  explicit Truth(std::unique_ptr<base::File> file) : file_(std::move(file)) {}
  std::unique_ptr<base::File> file_;
  uint64_t end_ = 0;
};

// Small buffers: files are written, merged and removed all the time.
std::unique_ptr<EngineHome> HomeOf(EngineKind kind, const std::string& root, base::Dir& dir) {
  if (kind == EngineKind::kRocksDb) {
    return RocksDbHome(root, {.block_cache_bytes = 1 << 20, .write_buffer_bytes = 128 << 10});
  }
  return LevelDbHome(root, dir, {.block_cache_bytes = 1 << 20, .write_buffer_bytes = 64 << 10});
}

// Writes until it is killed.
absl::Status WriteForEver(EngineKind kind, const std::string& path, uint64_t seed, Shared& shared) {
  base::os::LinuxFiles files;
  SLIPWAY_ASSIGN_OR_RETURN(const auto root, files.OpenRoot(path));
  SLIPWAY_ASSIGN_OR_RETURN(const auto truth, Truth::Open(*root));
  const auto home = HomeOf(kind, path, *root);
  SLIPWAY_ASSIGN_OR_RETURN(const auto engine, home->Open("kv"));
  SLIPWAY_ASSIGN_OR_RETURN(const auto machine, KvMachine::Open(*engine, kGroup, "first"));
  std::mt19937 random(static_cast<unsigned>(seed));
  uint64_t index = 0;
  while (true) {
    std::vector<raft::Entry> entries;
    for (unsigned i = 0; i <= random() % 6; ++i) {
      const auto number = static_cast<CommandId>(++index);
      Command command = Append(absl::StrCat("k", random() % 200),
                               std::string(random() % 600, static_cast<char>('a' + index % 26)));
      if (random() % 4 == 0) command.op = CommandOp::kPut;
      entries.push_back(
          EntryOf(index, EncodeCommand(WithSession(command, 1 + random() % 5, number))));
    }
    SLIPWAY_RETURN_IF_ERROR(truth->Append(entries));
    shared.acknowledged = index;
    SLIPWAY_RETURN_IF_ERROR(machine->Apply(entries).status());
    // Where the log would be cut, now and then after a snapshot.
    if (random() % 64 == 0) SLIPWAY_RETURN_IF_ERROR(engine->Flush());
    SLIPWAY_ASSIGN_OR_RETURN(const raft::Index durable, DurableIndex(*engine, kGroup));
    if (durable < shared.cut) return absl::InternalError("the durable index fell");
    shared.cut = durable;
  }
}

absl::StatusOr<std::string> DigestOf(Engine& engine) {
  SLIPWAY_ASSIGN_OR_RETURN(const auto view, engine.NewView());
  SLIPWAY_ASSIGN_OR_RETURN(const MetaRows rows, ReadMetaRows(*view, kGroup));
  SLIPWAY_RETURN_IF_ERROR(VerifyRows(*view, kGroup, rows));
  return LogicalDigest(rows);
}

// What the node does after the power is back, and whether all is there.
absl::Status RecoverAndCheck(EngineKind kind, const std::string& path, uint64_t acknowledged,
                             uint64_t cut) {
  base::os::LinuxFiles files;
  SLIPWAY_ASSIGN_OR_RETURN(const auto root, files.OpenRoot(path));
  SLIPWAY_ASSIGN_OR_RETURN(const std::vector<raft::Entry> truth, Truth::Read(*root));
  if (truth.size() < acknowledged) {
    return absl::DataLossError(
        absl::StrCat("the truth has ", truth.size(), " of ", acknowledged, " entries"));
  }
  const auto home = HomeOf(kind, path, *root);
  SLIPWAY_ASSIGN_OR_RETURN(const auto engine, home->Open("kv"));
  SLIPWAY_ASSIGN_OR_RETURN(const auto machine, KvMachine::Open(*engine, kGroup, "first"));
  const raft::Index applied = machine->GetStatus().applied;
  if (applied < cut || applied > truth.size()) {
    return absl::DataLossError(absl::StrCat("applied is ", applied, ", but durable was ", cut,
                                            " and the truth ends at ", truth.size()));
  }
  SLIPWAY_RETURN_IF_ERROR(machine->Apply(absl::MakeConstSpan(truth).subspan(applied)).status());
  SLIPWAY_ASSIGN_OR_RETURN(const std::string recovered, DigestOf(*engine));
  const auto memory = MemoryHome(nullptr);
  SLIPWAY_ASSIGN_OR_RETURN(const auto oracle, memory->Open("kv"));
  SLIPWAY_ASSIGN_OR_RETURN(const auto replay, KvMachine::Open(*oracle, kGroup, "first"));
  SLIPWAY_RETURN_IF_ERROR(replay->Apply(truth).status());
  SLIPWAY_ASSIGN_OR_RETURN(const std::string expected, DigestOf(*oracle));
  if (recovered == expected) return absl::OkStatus();
  return absl::DataLossError(
      absl::StrCat("the state recovered from ", applied, " is not that of the log"));
}

// Runs `work` in a process of its own: engines leave threads behind, and this process forks.
pid_t Fork(const std::function<absl::Status()>& work) {
  const pid_t child = fork();
  if (child != 0) return child;
  const absl::Status status = work();
  if (!status.ok()) absl::FPrintF(stderr, "%s\n", status.ToString());
  _exit(status.ok() ? 0 : 1);
}

bool Succeeds(pid_t child) {
  int status = 0;
  return waitpid(child, &status, 0) == child && WIFEXITED(status) && WEXITSTATUS(status) == 0;
}

class PowerCut : public ::testing::TestWithParam<EngineKind> {
 protected:
  void SetUp() override {
    if (unshare(CLONE_NEWNS) != 0 ||
        mount("none", "/", nullptr, MS_REC | MS_PRIVATE, nullptr) != 0) {
      GTEST_SKIP() << "no mounts here";
    }
    // Images in memory: a real disk's syncs would take most of the time and show nothing more.
    std::filesystem::create_directories(Path("images"));
    ASSERT_EQ(mount("none", Path("images").c_str(), "tmpfs", 0, "size=512m"), 0);
    for (const char* name : {"live", "copy"}) std::filesystem::create_directories(Path(name));
    shared_ = static_cast<Shared*>(
        mmap(nullptr, sizeof(Shared), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0));
    ASSERT_NE(shared_, MAP_FAILED);
  }
  void TearDown() override {
    if (writer_ > 0) Kill();
    for (const char* name : {"copy", "live", "images"}) umount2(Path(name).c_str(), MNT_DETACH);
    if (shared_ != nullptr) munmap(shared_, sizeof(Shared));
  }

  std::string Path(absl::string_view name) const { return dir_.Join(name); }
  void Command(const std::vector<std::string>& command) {
    const auto status = base::testing::RunProgram(spawner_, command);
    ASSERT_EQ(status.code, 0) << command[0] << ": " << status.err;
  }
  void StartWriter(uint64_t seed) {
    const std::string image = Path("images/live");
    std::filesystem::remove(image);
    Command({"truncate", "-s", "40M", image});
    Command({"mkfs.ext4", "-q", "-F", image});
    Command({"mount", "-o", "loop", image, Path("live")});
    new (shared_) Shared();
    writer_ = Fork([&] { return WriteForEver(GetParam(), Path("live"), seed, *shared_); });
  }
  void Kill() {
    kill(writer_, SIGKILL);
    waitpid(writer_, nullptr, 0);
    writer_ = 0;
    Command({"umount", Path("live")});
  }
  void AwaitEntries(uint64_t acknowledged) {
    const timespec pause = {.tv_nsec = 100'000};
    while (shared_->acknowledged < acknowledged && waitpid(writer_, nullptr, WNOHANG) == 0) {
      nanosleep(&pause, nullptr);
    }
  }
  // All threads of the writer stand still; false: it has ended, which it should not.
  bool Stop() {
    kill(writer_, SIGSTOP);
    int status = 0;
    return waitpid(writer_, &status, WUNTRACED) == writer_ && WIFSTOPPED(status);
  }
  void Cut() {
    const std::string copy = Path("images/copy");
    std::filesystem::copy_file(Path("images/live"), copy,
                               std::filesystem::copy_options::overwrite_existing);
    const uint64_t acknowledged = shared_->acknowledged;
    const uint64_t durable = shared_->cut;
    Command({"mount", "-o", "loop", copy, Path("copy")});
    EXPECT_TRUE(Succeeds(Fork([&] {
      return RecoverAndCheck(GetParam(), Path("copy"), acknowledged, durable);
    }))) << "after "
         << acknowledged << " entries";
    Command({"umount", Path("copy")});
    kill(writer_, SIGCONT);
  }

  const base::testing::TempDir dir_;
  base::os::SystemSpawner spawner_;
  Shared* shared_ = nullptr;
  pid_t writer_ = 0;
};
INSTANTIATE_TEST_SUITE_P(Engines, PowerCut,
                         ::testing::Values(EngineKind::kRocksDb, EngineKind::kLevelDb), EngineName);

TEST_P(PowerCut, NothingAcknowledgedIsLost) {
  std::mt19937 random(2024);
  uint64_t entries = 0;
  uint64_t durable = 0;
  for (int cut = 0; cut < kCuts; ++cut) {
    if (cut % kCutsPerDisk == 0) {
      if (writer_ > 0) Kill();
      StartWriter(static_cast<uint64_t>(cut));
    }
    AwaitEntries(shared_->acknowledged + 1 + random() % 120);
    // Anywhere between two acknowledgements.
    const timespec moment = {.tv_nsec = static_cast<int64_t>(random() % 2'000'000)};
    nanosleep(&moment, nullptr);
    ASSERT_TRUE(Stop()) << "the writer has ended";
    Cut();
    if (HasFailure()) break;
    if (cut % kCutsPerDisk == kCutsPerDisk - 1) {
      entries += shared_->acknowledged;
      durable += shared_->cut;
    }
  }
  // The cuts came while something was at stake.
  EXPECT_GT(entries, 1500u);
  EXPECT_GT(durable, 100u);
  EXPECT_LT(durable, entries);
  RecordProperty("entries", absl::StrCat(entries));
  absl::FPrintF(stderr, "%d cuts, %d entries, %d of them durable in the engine\n", kCuts, entries,
                durable);
}

}  // namespace
}  // namespace slipway::eraft
