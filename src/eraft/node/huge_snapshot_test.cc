// Snapshots larger than memory, by the sender and the receiver that carry all of them (E414): what
// is held at a time, places beyond 4 GiB, and what goes on after a cut.
#include <gtest/gtest.h>
#include <malloc.h>

#include <algorithm>
#include <atomic>
#include <cstdlib>
#include <memory>
#include <new>
#include <optional>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "base/bytes.h"
#include "base/testing/status_matchers.h"
#include "eraft/node/codec.h"
#include "eraft/node/huge_files.h"
#include "eraft/node/limits.h"
#include "eraft/node/test_cluster.h"
#include "eraft/store/install.h"
#include "eraft/store/limits.h"

namespace {

// What the process holds of its heap, and the most that it held since somebody asked.
std::atomic<int64_t> live_bytes{0};
std::atomic<int64_t> peak_bytes{0};

void Count(int64_t change) {
  const int64_t now = live_bytes.fetch_add(change, std::memory_order_relaxed) + change;
  if (now > peak_bytes.load(std::memory_order_relaxed)) {
    peak_bytes.store(now, std::memory_order_relaxed);
  }
}

}  // namespace

void* operator new(size_t size) {
  void* const memory = std::malloc(size);
  if (memory == nullptr) throw std::bad_alloc();
  Count(static_cast<int64_t>(malloc_usable_size(memory)));
  return memory;
}
void operator delete(void* memory) noexcept {
  if (memory != nullptr) Count(-static_cast<int64_t>(malloc_usable_size(memory)));
  std::free(memory);
}
void operator delete(void* memory, size_t) noexcept { operator delete(memory); }

namespace slipway::eraft {
namespace {

constexpr uint64_t kMiB = uint64_t{1} << 20;
// A window of parts on its way, each as chunk and as frame, and as much that is read or written.
constexpr int64_t kHeldBytesMax = 32 << 20;

// Where a part of a snapshot belongs, looked at without a copy.
struct Place {
  uint32_t file = 0;
  uint64_t offset_bytes = 0;
  friend auto operator<=>(const Place&, const Place&) = default;
};
std::optional<Place> PlaceIn(base::BytesView frame) {
  constexpr size_t kChunkAt = kFrameHeaderBytes + 16;  // behind transfer and number
  if (frame.size() < kChunkAt + 16 || frame[1] != 3) return std::nullopt;
  return Place{.file = base::LoadLittle<uint32_t>(frame.data() + kChunkAt),
               .offset_bytes = base::LoadLittle<uint64_t>(frame.data() + kChunkAt + 4)};
}

// Three nodes, the last of which lacks what the log does not have any more. The snapshot that it
// needs has two huge files, a small one and a large one, and that of the memory engine.
class HugeSnapshot : public ::testing::Test {
 protected:
  struct Seen {  // parts that were sent
    Place first = {.file = 99};
    Place last;
    uint64_t parts = 0;
  };

  void Begin(uint64_t first_bytes, uint64_t second_bytes) {
    sizes_ = {first_bytes, second_bytes};
    TestCluster::Options options;
    options.node.snapshot_bytes_per_second = 0;
    options.wrap_disk = HugeDisk;
    options.make_home = [this](base::Dir& root) { return HugeHome(root, sizes_); };
    cluster_ = std::make_unique<TestCluster>(std::move(options));
    ASSERT_TRUE(cluster_->MakeLeader(1));
    cluster_->Isolate(3, true);
    for (int i = 0; i < 20; ++i) ASSERT_OK(cluster_->Run(1, PutOf(absl::StrCat(i), "value")));
    ASSERT_OK(cluster_->node(1).TakeSnapshot(kTestGroup));
    ASSERT_TRUE(cluster_->RunUntil(
        [&] { return cluster_->node(1).GetStatus(kTestGroup)->log_start.index > 10; }));
    cluster_->filter = [this](raft::NodeId, raft::NodeId to, base::BytesView frame) {
      const auto place = to == 3 ? PlaceIn(frame) : std::nullopt;
      if (!place.has_value()) return true;
      ++seen_.parts;
      seen_.first = std::min(seen_.first, *place);
      seen_.last = std::max(seen_.last, *place);
      return true;
    };
    held_before_ = live_bytes.load();
    peak_bytes.store(held_before_);
  }

  // Until a part of the second file at or beyond this place was sent. Says what was seen since the
  // last call.
  Seen RunTo(uint64_t offset_bytes) {
    const Place wanted = {.file = 1, .offset_bytes = offset_bytes};
    EXPECT_TRUE(cluster_->RunUntil([&] { return seen_.last >= wanted; }, absl::Minutes(30)));
    return std::exchange(seen_, {});
  }

  void ExpectArrived() {
    ASSERT_TRUE(cluster_->AwaitApplied(absl::Minutes(30)));
    EXPECT_EQ(cluster_->LogicalState(3), cluster_->LogicalState(1));
    const auto disk = HugeDisk(cluster_->files(3).OpenRoot("/data").value());
    for (size_t i = 0; i < sizes_.size(); ++i) {
      const auto meta = disk->Stat(absl::StrCat(kEngineDir, "/", HugeName(i)));
      ASSERT_OK(meta);
      EXPECT_EQ(meta->size_bytes, sizes_[i]);
    }
    EXPECT_LE(peak_bytes.load() - held_before_, kHeldBytesMax);
  }

  // Cut once by a kill of the receiver and once by the network, at these places of the second file.
  void CarryWithCuts(uint64_t kill_at, uint64_t network_at) {
    cluster_->Isolate(3, false);
    RunTo(kill_at);
    cluster_->Crash(3, base::sim::Loss::kKeepAll);  // the process is killed
    ASSERT_NO_FATAL_FAILURE(cluster_->Start(3));
    seen_ = {};
    const Seen resumed = RunTo(network_at);
    // The first file was whole.
    EXPECT_EQ(resumed.first, (Place{.file = 1, .offset_bytes = 0}));
    cluster_->Isolate(3, true);
    cluster_->RunFor(absl::Seconds(5));
    seen_ = {};
    cluster_->Isolate(3, false);
    ASSERT_NO_FATAL_FAILURE(ExpectArrived());
    // Nothing but what was on its way came twice.
    EXPECT_EQ(seen_.first.file, 1u);
    EXPECT_GT(seen_.first.offset_bytes + kSnapshotWindow * kSnapshotChunkBytes,
              resumed.last.offset_bytes);
    EXPECT_EQ(seen_.last.file, 2u);
  }

  std::vector<uint64_t> sizes_;
  std::unique_ptr<TestCluster> cluster_;
  Seen seen_;
  int64_t held_before_ = 0;
};

TEST_F(HugeSnapshot, IsNeverHeldAndGoesOnAfterCuts) {
  ASSERT_NO_FATAL_FAILURE(Begin(8 * kMiB, 72 * kMiB + 5));
  CarryWithCuts(20 * kMiB, 50 * kMiB);
}

// The same at full size takes a minute: tests/soak --only eraft-e414.
TEST_F(HugeSnapshot, DISABLED_OfFiveGiBIsNeverHeldAndGoesOnAfterCuts) {
  ASSERT_NO_FATAL_FAILURE(Begin(64 * kMiB, 5120 * kMiB + 5));
  CarryWithCuts(256 * kMiB, 4608 * kMiB);
}

// It is not begun where it cannot end, and comes when there is room.
TEST_F(HugeSnapshot, WaitsForRoom) {
  ASSERT_NO_FATAL_FAILURE(Begin(8 * kMiB, 72 * kMiB));
  cluster_->files(3).SetCapacity(32 * kMiB);
  cluster_->Isolate(3, false);
  cluster_->RunFor(absl::Minutes(2));
  EXPECT_EQ(seen_.parts, 0u);
  EXPECT_OK(cluster_->fatal(3));
  EXPECT_EQ(cluster_->Leader(), 1u);
  cluster_->files(3).SetCapacity(0);
  ExpectArrived();
  EXPECT_EQ(seen_.parts, 8 + 72 + 1u);  // each once
}

}  // namespace
}  // namespace slipway::eraft
