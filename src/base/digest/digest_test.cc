// SHA-256, CRC-32C, XXH3, both hashes at once, and the hash of a file.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <openssl/evp.h>

#include <algorithm>
#include <atomic>
#include <random>
#include <thread>
#include <utility>

#include "base/digest/blake3.h"
#include "base/digest/crc32c.h"
#include "base/digest/crc32c_kernel.h"
#include "base/digest/dual.h"
#include "base/digest/file.h"
#include "base/digest/sha256.h"
#include "base/digest/xxh3.h"
#include "base/run_steps.h"
#include "base/sync/test_pools.h"
#include "base/testing/status_matchers.h"

namespace slipway::base {
namespace {

using ::testing::HasSubstr;

Bytes RandomBytes(uint64_t seed, size_t size) {
  std::mt19937_64 random(seed);
  Bytes data(size);
  for (uint8_t& byte : data) byte = static_cast<uint8_t>(random());
  return data;
}

Bytes Filled(size_t size, uint8_t value) { return Bytes(size, value); }

// ---- SHA-256: FIPS 180-4, examples of NIST ----

struct Sha256Vector {
  std::string text;
  absl::string_view hex;
};

TEST(Sha256, HasThePublishedValues) {
  const Sha256Vector vectors[] = {
      {"", "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"},
      {"abc", "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"},
      {"abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq",
       "248d6a61d20638b8e5c026930c3e6039a33ce45964ff2167f6ecedd419db06c1"},
      {std::string(1000000, 'a'),
       "cdc76e5c9914fb9281a1c7e284d73e67f1809a48a497200e046d39ccc7112cd0"},
  };
  for (const Sha256Vector& vector : vectors) {
    EXPECT_EQ(ToHex(Sha256Of(AsBytes(vector.text))), vector.hex);
    Sha256 hash;
    hash.Update(AsBytes(vector.text));
    EXPECT_EQ(ToHex(hash.Finish()), vector.hex);
  }
}

TEST(Sha256, AgreesWithOpenSslHoweverItIsCut) {
  std::mt19937_64 random(1);
  Sha256 hash;  // the same for all: Finish begins a new message
  for (int i = 0; i < 200; ++i) {
    const Bytes data = RandomBytes(random(), random() % 2000);
    Sha256Digest expected;
    ASSERT_EQ(EVP_Digest(data.data(), data.size(), expected.data(), nullptr, EVP_sha256(), nullptr),
              1);
    const size_t cut = data.empty() ? 0 : random() % data.size();
    hash.Update(BytesView(data).subspan(0, cut));
    hash.Update(BytesView(data).subspan(cut));
    EXPECT_EQ(hash.Finish(), expected);
    EXPECT_EQ(Sha256Of(data), expected);
  }
}

TEST(Sha256, MovesWithItsMessage) {
  Sha256 hash;
  hash.Update(AsBytes("a"));
  Sha256 moved = std::move(hash);
  moved.Update(AsBytes("bc"));
  EXPECT_EQ(moved.Finish(), Sha256Of(AsBytes("abc")));
}

// ---- CRC-32C: RFC 3720, B.4 ----

uint32_t BitByBit(BytesView data, uint32_t crc) {
  crc = ~crc;
  for (const uint8_t byte : data) {
    crc ^= byte;
    for (int bit = 0; bit < 8; ++bit) crc = (crc >> 1) ^ ((crc & 1) != 0 ? 0x82f63b78u : 0);
  }
  return ~crc;
}

using CrcFunction = uint32_t (*)(BytesView, uint32_t);
std::vector<CrcFunction> CrcFunctions() {
  std::vector<CrcFunction> functions = {&Crc32c, &crc32c::ByTable};
  if (crc32c::HasInstruction()) functions.push_back(&crc32c::ByInstruction);
  return functions;
}

TEST(Crc32c, HasThePublishedValues) {
  Bytes rising(32);
  for (size_t i = 0; i < 32; ++i) rising[i] = static_cast<uint8_t>(i);
  const Bytes falling(rising.rbegin(), rising.rend());
  const Bytes iscsi = *FromHex(
      "01c00000000000000000000000000000140000000000040000000014000000182800000000000000"
      "0200000000000000");
  for (const CrcFunction crc : CrcFunctions()) {
    EXPECT_EQ(crc({}, 0), 0u);
    EXPECT_EQ(crc(Filled(32, 0x00), 0), 0x8a9136aau);
    EXPECT_EQ(crc(Filled(32, 0xff), 0), 0x62a8ab43u);
    EXPECT_EQ(crc(rising, 0), 0x46dd794eu);
    EXPECT_EQ(crc(falling, 0), 0x113fdb5cu);
    EXPECT_EQ(crc(iscsi, 0), 0xd9963a56u);
    EXPECT_EQ(crc(AsBytes("123456789"), 0), 0xe3069283u);
  }
}

TEST(Crc32c, AgreesWithOneBitAtATimeForAnyLengthAndAlignment) {
  const Bytes data = RandomBytes(5, 40000);
  std::vector<size_t> sizes = {255,   256,   767,   768,   769,   1535, 1536,
                               12287, 12288, 12289, 13056, 24576, 39000};
  for (size_t i = 0; i < 80; ++i) sizes.push_back(i);
  for (const CrcFunction crc : CrcFunctions()) {
    for (const size_t size : sizes) {
      const BytesView part = BytesView(data).subspan(size % 9, size);
      EXPECT_EQ(crc(part, 0), BitByBit(part, 0)) << size;
    }
  }
}

TEST(Crc32c, OfBothIsThatOfTheWhole) {
  std::mt19937 random(11);
  Bytes data(70'000);
  for (uint8_t& byte : data) byte = static_cast<uint8_t>(random());
  for (const size_t bytes : {size_t{0}, size_t{1}, size_t{255}, size_t{4096}, size_t{70'000}}) {
    const BytesView whole(data.data(), bytes);
    for (const size_t cut : {size_t{0}, bytes / 3, bytes}) {
      EXPECT_EQ(
          Crc32cOfBoth(Crc32c(whole.subspan(0, cut)), Crc32c(whole.subspan(cut)), bytes - cut),
          Crc32c(whole))
          << bytes << " cut at " << cut;
    }
  }
}

TEST(Crc32c, GoesOnFromTheFirstPart) {
  const Bytes data = RandomBytes(6, 20000);
  const uint32_t whole = BitByBit(data, 0);
  for (const CrcFunction crc : CrcFunctions()) {
    for (const size_t cut :
         {size_t{0}, size_t{1}, size_t{7}, size_t{1000}, size_t{13000}, size_t{20000}}) {
      const BytesView view(data);
      EXPECT_EQ(crc(view.subspan(cut), crc(view.subspan(0, cut), 0)), whole) << cut;
    }
  }
}

// ---- XXH3 ----

TEST(Xxh3, IsTheLowThenTheHighHalf) {
  // The value of the empty input in the xxHash specification, seed 0.
  EXPECT_EQ(Xxh3Of({}), (Xxh3Digest{0x6001c324468d497f, 0x99aa06d3014798d8}));
  EXPECT_NE(Xxh3Of(AsBytes("a")), Xxh3Of(AsBytes("b")));
}

// ---- Both in one pass. Z84 ----

TEST(DualHash, GivesWhatEachHashGives) {
  DualHash hash;
  for (const size_t size :
       {size_t{0}, size_t{100}, size_t{131072}, size_t{131073}, size_t{700001}}) {
    const Bytes data = RandomBytes(size, size);
    const size_t cut = size / 3;
    hash.Update(BytesView(data).subspan(0, cut));
    hash.Update(BytesView(data).subspan(cut));
    const DualDigest digest = hash.Finish();
    EXPECT_EQ(digest.blake3, Blake3Of(data)) << size;
    EXPECT_EQ(digest.sha256, Sha256Of(data)) << size;
  }
}

// ---- Steps shared with a pool. Z82 ----

TEST(ParallelFor, TakesEachStepOnce) {
  ThreadedPool pool(3, /*queue_max=*/100);
  for (const size_t count : {size_t{0}, size_t{1}, size_t{2}, size_t{500}}) {
    std::vector<std::atomic<int>> taken(count);
    RunSteps(pool, pool.threads() + 1, count, [&](size_t i) { ++taken[i]; });
    for (const std::atomic<int>& times : taken) EXPECT_EQ(times, 1);
  }
}

// The caller's step is over long before the other one, which takes tens of milliseconds: without
// the wake-up at the end the caller would sleep for ever.
TEST(ParallelFor, CallerSleepsUntilTheLastStepOfAnotherThreadHasEnded) {
  ThreadedPool pool(1, /*queue_max=*/100);
  const Bytes data(16 * kMiB);
  const std::thread::id caller = std::this_thread::get_id();
  std::atomic<bool> other_began = false;
  Sha256Digest digest = {};
  RunSteps(pool, pool.threads() + 1, 2, [&](size_t) {
    if (std::this_thread::get_id() == caller) {
      other_began.wait(false);  // so that each thread gets one step
    } else {
      other_began = true;
      other_began.notify_all();
      digest = Sha256Of(data);
    }
  });
  EXPECT_EQ(digest, Sha256Of(data));
}

// ---- Files. Z82 ----

// A file in memory that can only be read, and that counts what was dropped from the cache.
class ReadOnlyFile : public File {
 public:
  explicit ReadOnlyFile(Bytes content) : content_(std::move(content)) {}

  absl::StatusOr<size_t> ReadAt(uint64_t offset, absl::Span<uint8_t> out) override {
    if (offset >= fail_at) return absl::DataLossError("read: Input/output error");
    if (offset >= hole_begin && offset < hole_end) return size_t{0};
    if (offset >= content_.size()) return size_t{0};
    const size_t size = std::min<size_t>(out.size(), content_.size() - offset);
    std::copy_n(content_.begin() + static_cast<ptrdiff_t>(offset), size, out.begin());
    return size;
  }
  absl::StatusOr<Meta> Stat() override {
    if (!stat_status.ok()) return stat_status;
    Meta meta;
    meta.size_bytes = stat_size_bytes.value_or(content_.size());
    return meta;
  }
  void DropCache(uint64_t offset, uint64_t size) override {
    EXPECT_EQ(offset, dropped_bytes);  // in order and without gaps
    dropped_bytes += size;
  }
  absl::Status WriteAt(uint64_t, BytesView) override { return Refused(); }
  absl::Status Truncate(uint64_t) override { return Refused(); }
  absl::Status CopyFrom(File&, uint64_t, uint64_t, uint64_t) override { return Refused(); }
  absl::StatusOr<std::pair<uint64_t, uint64_t>> NextData(uint64_t) override { return Refused(); }
  absl::StatusOr<Xattrs> GetXattrs() override { return Refused(); }
  absl::Status SetMeta(const MetaChange&) override { return Refused(); }
  absl::Status Sync() override { return Refused(); }
  absl::Status TryLock() override { return Refused(); }

  uint64_t fail_at = UINT64_MAX;
  uint64_t hole_begin = 0;  // reads that begin in here find the end of the file
  uint64_t hole_end = 0;
  absl::Status stat_status;
  std::optional<uint64_t> stat_size_bytes;
  uint64_t dropped_bytes = 0;

 private:
  static absl::Status Refused() { return absl::UnimplementedError("read only"); }
  const Bytes content_;
};

TEST(Blake3OfFile, IsTheHashOfTheContent) {
  ThreadedPool pool(2, /*queue_max=*/100);
  for (const uint64_t size : {uint64_t{0}, uint64_t{1}, kMiB - 1, kMiB, kMiB + 1, 8 * kMiB - 1,
                              8 * kMiB, 17 * kMiB + 5}) {
    const Bytes content = RandomBytes(size, size);
    ReadOnlyFile file(content);
    const auto digest = Blake3OfFile(file, pool, /*drop_cache=*/false);
    ASSERT_OK(digest);
    EXPECT_EQ(*digest, Blake3Of(content)) << size;
    EXPECT_EQ(file.dropped_bytes, 0u);
  }
}

TEST(Blake3OfFile, FollowsAFileThatHasGrownOrShrunkSinceItsSizeWasTaken) {
  ManualPool pool;
  const Bytes content = RandomBytes(1, 300000);
  for (const uint64_t size : {uint64_t{0}, uint64_t{1000}, uint64_t{299999}, uint64_t{400000}}) {
    ReadOnlyFile file(content);
    file.stat_size_bytes = size;
    EXPECT_THAT(Blake3OfFile(file, pool, false), testing::IsOkAndHolds(Blake3Of(content))) << size;
  }
}

TEST(Blake3OfFile, DropsThePagesBehindItWhenAskedToOrWhenTheFileIsHuge) {
  ManualPool pool;
  const Bytes content = RandomBytes(2, 9 * kMiB + 3);
  ReadOnlyFile asked(content);
  ASSERT_OK(Blake3OfFile(asked, pool, /*drop_cache=*/true));
  EXPECT_EQ(asked.dropped_bytes, content.size());
  ReadOnlyFile huge(content);
  huge.stat_size_bytes = kKeepCachedFileBytesMax + 1;
  ASSERT_OK(Blake3OfFile(huge, pool, /*drop_cache=*/false));
  EXPECT_EQ(huge.dropped_bytes, content.size());
}

TEST(Blake3OfFile, PassesErrorsOn) {
  ManualPool pool;
  ReadOnlyFile no_stat(RandomBytes(3, 100));
  no_stat.stat_status = absl::UnavailableError("machine is off");
  EXPECT_THAT(Blake3OfFile(no_stat, pool, false),
              testing::StatusIs(absl::StatusCode::kUnavailable, HasSubstr("machine is off")));
  for (const uint64_t at : {uint64_t{0}, 3 * kMiB, 8 * kMiB}) {
    ReadOnlyFile bad(RandomBytes(3, 10 * kMiB));
    bad.fail_at = at;
    EXPECT_THAT(Blake3OfFile(bad, pool, false),
                testing::StatusIs(absl::StatusCode::kDataLoss, HasSubstr("Input/output error")))
        << at;
  }
}

TEST(Blake3OfFile, RefusesAFileThatChangesSizeUnderIt) {
  ManualPool pool;
  ReadOnlyFile file(RandomBytes(4, 6 * kMiB));
  file.hole_begin = 2 * kMiB;
  file.hole_end = 3 * kMiB;
  EXPECT_THAT(Blake3OfFile(file, pool, false),
              testing::StatusIs(absl::StatusCode::kAborted, HasSubstr("changed in size")));
}

}  // namespace
}  // namespace slipway::base
