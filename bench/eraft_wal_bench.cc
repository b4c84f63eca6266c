// The write-ahead log against the bare disk, in one run (E313).
//
//   eraft_wal_bench DIR [ROUNDS]
//
// Each round measures, in turn: batches of 64 KiB, 256 KiB and 1 MiB through the log, and writes of
// as many bytes with fdatasync into a preallocated file; then single records of 256 bytes both
// ways. Prints a line for each pair: rates or median latencies, and their ratio; medians over the
// rounds.
#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <condition_variable>
#include <cstdio>
#include <cstdlib>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "base/check.h"
#include "base/digest/crc32c.h"
#include "base/metrics/metrics.h"
#include "base/os/pool.h"
#include "base/os/world.h"
#include "eraft/wal/wal.h"

namespace {

using namespace slipway;  // NOLINT: a main

constexpr uint64_t kFileBytes = 64 << 20;
constexpr int kSmallRecords = 400;
constexpr size_t kSmallBytes = 256;
constexpr int kRoundsDefault = 5;

double Now() {
  return std::chrono::duration<double>(std::chrono::steady_clock::now().time_since_epoch()).count();
}

double Median(std::vector<double> values) {
  std::sort(values.begin(), values.end());
  return values[values.size() / 2];
}

raft::Entry EntryOf(raft::Index index, const raft::Slice& payload, uint32_t crc) {
  raft::Entry entry;
  entry.index = index;
  entry.term = 1;
  entry.payload = payload;
  entry.payload_crc = crc;
  return entry;
}

// The log, one batch at a time: the next is given when the one before is answered.
class LogUnderTest {
 public:
  LogUnderTest(base::World& world, const std::string& path)
      : writer_("wal", 1, 4), background_("wal-files", 1, 4) {
    dir_ = *world.files.MakeRoot(path);
    auto opened =
        eraft::wal::Wal::Open({}, {*dir_, writer_, background_, world.clock, metrics_}, nullptr);
    SLIPWAY_CHECK(opened.ok());
    wal_ = *std::move(opened);
  }

  // Seconds until it is durable, as the log says on its own thread.
  double Append(const raft::Slice& payload, uint32_t crc) {
    double durable = 0;
    {
      const std::lock_guard<std::mutex> lock(mutex_);
      answered_ = false;
    }
    const double begun = Now();
    const absl::Status accepted = wal_->Append(1, {.entries = {EntryOf(next_++, payload, crc)}},
                                               [this, &durable](const absl::Status& status) {
                                                 durable = Now();
                                                 SLIPWAY_CHECK(status.ok());
                                                 const std::lock_guard<std::mutex> lock(mutex_);
                                                 answered_ = true;
                                                 changed_.notify_one();
                                               });
    SLIPWAY_CHECK(accepted.ok());
    std::unique_lock<std::mutex> lock(mutex_);
    changed_.wait(lock, [this] { return answered_; });
    return durable - begun;
  }
  // Lets segments be used again, as in a node that takes snapshots.
  void Forget() {
    SLIPWAY_CHECK(
        wal_->Append(1, {.truncate_prefix = raft::SnapshotMark{next_ - 1, 1, {}}}, nullptr).ok());
  }

 private:
  base::Metrics metrics_;
  base::os::ThreadPool writer_, background_;
  std::unique_ptr<base::Dir> dir_;
  std::unique_ptr<eraft::wal::Wal> wal_;
  raft::Index next_ = 1;
  std::mutex mutex_;
  std::condition_variable changed_;
  bool answered_ = false;
};

// A preallocated file, written from front to back and again.
class RawFile {
 public:
  explicit RawFile(const std::string& path) : fd_(open(path.c_str(), O_RDWR | O_CREAT, 0600)) {
    SLIPWAY_CHECK(fd_ >= 0);
    const std::string zeros(1 << 20, '\0');
    for (uint64_t at = 0; at < kFileBytes; at += zeros.size()) {
      SLIPWAY_CHECK(pwrite(fd_, zeros.data(), zeros.size(), static_cast<off_t>(at)) ==
                    static_cast<ssize_t>(zeros.size()));
    }
    SLIPWAY_CHECK(fsync(fd_) == 0);
  }
  ~RawFile() { close(fd_); }
  RawFile(const RawFile&) = delete;
  RawFile& operator=(const RawFile&) = delete;

  void Append(const std::string& bytes) {
    if (at_ + bytes.size() > kFileBytes) at_ = 0;
    SLIPWAY_CHECK(pwrite(fd_, bytes.data(), bytes.size(), static_cast<off_t>(at_)) ==
                  static_cast<ssize_t>(bytes.size()));
    SLIPWAY_CHECK(fdatasync(fd_) == 0);
    at_ += bytes.size();
  }

 private:
  int fd_;
  uint64_t at_ = 0;
};

// Seconds of each call, ours and the raw one in turn, so that what else the machine does is shared.
struct Times {
  std::vector<double> log, raw;
};

Times Measure(LogUnderTest& log, RawFile& raw, size_t bytes, int count) {
  const std::string text(bytes, 'x');
  const raft::Slice payload(base::Bytes(text.begin(), text.end()));
  const uint32_t crc = base::Crc32c(payload.view());
  Times times;
  for (int i = 0; i < count; ++i) {
    times.log.push_back(log.Append(payload, crc));
    const double begun = Now();
    raw.Append(text);
    times.raw.push_back(Now() - begun);
    if (i % 16 == 15) log.Forget();
  }
  return times;
}

double Sum(const std::vector<double>& values) {
  double sum = 0;
  for (const double value : values) sum += value;
  return sum;
}

}  // namespace

int main(int argc, char** argv) {
  if (argc < 2) {
    std::fprintf(stderr, "usage: eraft_wal_bench DIR [ROUNDS]\n");
    return 2;
  }
  base::os::World world;
  const std::string dir = argv[1];
  const int rounds = argc > 2 ? std::atoi(argv[2]) : kRoundsDefault;
  LogUnderTest log(world.world(), dir + "/log");
  RawFile raw(dir + "/raw");
  Measure(log, raw, kSmallBytes, kSmallRecords);  // warm-up
  for (const size_t bytes : {size_t{64} << 10, size_t{256} << 10, size_t{1} << 20}) {
    std::vector<double> ours, theirs, ratios;
    const int count = static_cast<int>((size_t{64} << 20) / bytes);
    for (int round = 0; round < rounds; ++round) {
      const Times times = Measure(log, raw, bytes, count);
      ours.push_back(64 / Sum(times.log));
      theirs.push_back(64 / Sum(times.raw));
      ratios.push_back(ours.back() / theirs.back());
    }
    std::printf("batches of %zu KiB: log %.0f MiB/s, raw %.0f MiB/s, ratio %.2f\n", bytes >> 10,
                Median(ours), Median(theirs), Median(ratios));
  }
  std::vector<double> ours, theirs, ratios;
  for (int round = 0; round < rounds; ++round) {
    const Times times = Measure(log, raw, kSmallBytes, kSmallRecords);
    ours.push_back(Median(times.log) * 1e6);
    theirs.push_back(Median(times.raw) * 1e6);
    ratios.push_back(ours.back() / theirs.back());
  }
  std::printf("record of %zu bytes: log %.0f us, raw %.0f us, ratio %.2f\n", kSmallBytes,
              Median(ours), Median(theirs), Median(ratios));
  return 0;
}
