#include "base/digest/blake3.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <fstream>
#include <functional>
#include <random>

#include "base/digest/blake3_kernel.h"
#include "base/digest/test_b3sum.h"
#include "base/digest/test_blake3_oracle.h"
#include "base/sync/test_pools.h"
#include "base/testing/status_matchers.h"
#include "base/testing/temp_dir.h"

namespace slipway::base {
namespace {

constexpr absl::string_view kKey = "whats the Elvish word for friend";
constexpr absl::string_view kContext = "BLAKE3 2019-12-27 16:29:52 test vectors context";
constexpr size_t kOutputBytes = 131;
// The lengths of the official vectors. Z83.
constexpr size_t kLengths[] = {0,    1,    2,    3,    4,    5,     6,     7,     8,
                               63,   64,   65,   127,  128,  129,   1023,  1024,  1025,
                               2048, 2049, 3072, 3073, 4096, 4097,  5120,  5121,  6144,
                               6145, 7168, 7169, 8192, 8193, 16384, 31744, 102400};

Bytes Pattern(size_t size) {
  Bytes data(size);
  for (size_t i = 0; i < size; ++i) data[i] = static_cast<uint8_t>(i % 251);
  return data;
}

Bytes RandomBytes(std::mt19937_64& random, size_t size) {
  Bytes data(size);
  for (uint8_t& byte : data) byte = static_cast<uint8_t>(random());
  return data;
}

std::array<uint8_t, 32> KeyBytes() {
  std::array<uint8_t, 32> key;
  std::copy(kKey.begin(), kKey.end(), key.begin());
  return key;
}

void WriteFile(const std::string& path, BytesView data) {
  std::ofstream out(path, std::ios::binary);
  out.write(reinterpret_cast<const char*>(data.data()), static_cast<std::streamsize>(data.size()));
  ASSERT_TRUE(out.flush().good()) << path;
}

Bytes Extended(const Blake3& hash, uint64_t seek, size_t size) {
  Bytes out(size);
  hash.FinishXof(seek, absl::MakeSpan(out));
  return out;
}

// Updates `hash` with `data` in parts of random sizes, small and large ones.
void UpdateInParts(Blake3& hash, BytesView data, std::mt19937_64& random) {
  constexpr size_t kParts[] = {1, 63, 64, 65, 1000, 1024, 1025, 5000, 70000};
  while (!data.empty()) {
    const size_t most = kParts[random() % std::size(kParts)];
    const size_t size = std::min<size_t>(data.size(), 1 + random() % most);
    hash.Update(data.subspan(0, size));
    if (random() % 8 == 0) hash.Update({});
    data.remove_prefix(size);
  }
}

// Every test below runs once a kernel of this processor.
class Blake3Test : public ::testing::TestWithParam<Blake3Kernel> {
 protected:
  void SetUp() override { ForceBlake3Kernel(GetParam()); }
  void TearDown() override { ForceBlake3Kernel(Blake3Kernels().back()); }
};
std::string KernelTestName(const ::testing::TestParamInfo<Blake3Kernel>& kernel) {
  std::string name(Blake3KernelName(kernel.param));
  name.erase(std::remove(name.begin(), name.end(), '.'), name.end());
  return name;
}
INSTANTIATE_TEST_SUITE_P(Kernels, Blake3Test, ::testing::ValuesIn(Blake3Kernels()),
                         &KernelTestName);

TEST_P(Blake3Test, EmptyInputHasThePublishedHash) {
  EXPECT_EQ(ToHex(Blake3Of({})),
            "af1349b9f5f9a1a6a0404dea36dcc9499bcb25c9adc112b7cc9a93cae41f3262");
  EXPECT_EQ(ToHex(Blake3().Finish()),
            "af1349b9f5f9a1a6a0404dea36dcc9499bcb25c9adc112b7cc9a93cae41f3262");
}

// Z83: the official lengths, all three modes, long outputs.
TEST_P(Blake3Test, AgreesWithB3sumAtTheOfficialLengths) {
  testing::TempDir dir;
  WriteFile(dir.Join("key"), AsBytes(kKey));
  std::vector<std::string> files;
  for (const size_t length : kLengths) {
    files.push_back(dir.Join(absl::StrCat(length)));
    WriteFile(files.back(), Pattern(length));
  }
  struct Mode {
    std::vector<std::string> flags;
    std::function<Blake3()> hasher;
  };
  const Mode modes[] = {
      {{}, [] { return Blake3(); }},
      {{"--keyed"}, [] { return Blake3::Keyed(KeyBytes()); }},
      {{"--derive-key", std::string(kContext)}, [] { return Blake3::DeriveKey(kContext); }},
  };
  for (const Mode& mode : modes) {
    std::vector<std::string> arguments = mode.flags;
    arguments.insert(arguments.end(), {"--length", absl::StrCat(kOutputBytes)});
    arguments.insert(arguments.end(), files.begin(), files.end());
    const auto lines = RunB3sum(arguments, dir.Join("key"));
    ASSERT_OK(lines);
    ASSERT_EQ(lines->size(), std::size(kLengths));
    for (size_t i = 0; i < lines->size(); ++i) {
      Blake3 hash = mode.hasher();
      hash.Update(Pattern(kLengths[i]));
      EXPECT_EQ(ToHex(Extended(hash, 0, kOutputBytes)), (*lines)[i]) << kLengths[i];
    }
  }
}

// Z83: random lengths and update splits.
TEST_P(Blake3Test, AgreesWithB3sumForRandomLengthsAndSplits) {
  std::mt19937_64 random(20240 + static_cast<int>(GetParam()));
  testing::TempDir dir;
  std::vector<std::string> files;
  std::vector<Bytes> inputs;
  for (int i = 0; i < 60; ++i) {
    inputs.push_back(RandomBytes(random, random() % (uint64_t{1} << (random() % 20))));
    files.push_back(dir.Join(absl::StrCat(i)));
    WriteFile(files.back(), inputs.back());
  }
  const auto lines = RunB3sum(files, "/dev/null");
  ASSERT_OK(lines);
  ASSERT_EQ(lines->size(), inputs.size());
  for (size_t i = 0; i < inputs.size(); ++i) {
    EXPECT_EQ(ToHex(Blake3Of(inputs[i])), (*lines)[i]) << inputs[i].size();
    Blake3 hash;
    UpdateInParts(hash, inputs[i], random);
    EXPECT_EQ(ToHex(hash.Finish()), (*lines)[i]) << inputs[i].size();
  }
}

// Z83: the slow version written from the paper.
TEST_P(Blake3Test, AgreesWithTheOracleInEveryMode) {
  std::mt19937_64 random(7);
  for (int i = 0; i < 60; ++i) {
    const Bytes data = RandomBytes(random, random() % 40000);
    const uint64_t seek = random() % 300;
    const size_t size = random() % 200;
    Blake3 plain;
    UpdateInParts(plain, data, random);
    EXPECT_EQ(Extended(plain, seek, size), blake3_oracle::Plain(data, seek, size)) << data.size();
    Blake3 keyed = Blake3::Keyed(KeyBytes());
    UpdateInParts(keyed, data, random);
    EXPECT_EQ(Extended(keyed, seek, size), blake3_oracle::Keyed(AsBytes(kKey), data, seek, size));
    const Bytes context = RandomBytes(random, random() % 3000);
    Blake3 derived = Blake3::DeriveKey(AsText(context));
    UpdateInParts(derived, data, random);
    EXPECT_EQ(Extended(derived, seek, size), blake3_oracle::DerivedKey(context, data, seek, size));
  }
}

TEST_P(Blake3Test, EveryChunkCountUpToThreeFullVectorsIsRight) {
  const Bytes data = Pattern(50 * 1024 + 1);
  for (size_t chunks = 1; chunks <= 50; ++chunks) {
    for (const size_t size : {chunks * 1024 - 1, chunks * 1024, chunks * 1024 + 1}) {
      const BytesView part(data.data(), size);
      EXPECT_EQ(ToHex(Blake3Of(part)), ToHex(blake3_oracle::Plain(part, 0, 32))) << size;
    }
  }
}

// No test can hash 4 TiB to get there.
TEST_P(Blake3Test, ChunkCountersPassThirtyTwoBits) {
  std::mt19937_64 random(3);
  const Bytes data = RandomBytes(random, 33 * blake3::kChunkBytes);
  for (const uint64_t first : {uint64_t{0}, (uint64_t{1} << 32) - 5, (uint64_t{1} << 54) - 33}) {
    for (size_t count = 1; count <= 33; ++count) {
      const blake3::Batch batch = {
          data.data(), count, blake3::kChunkBlocks, blake3::kIv,      first,
          1,           0,     blake3::kChunkStart,  blake3::kChunkEnd};
      Bytes expected(count * blake3::kCvBytes);
      Bytes actual(count * blake3::kCvBytes);
      blake3::kPortableKernel.hash_many(batch, expected.data());
      blake3::ActiveKernel().hash_many(batch, actual.data());
      ASSERT_EQ(actual, expected) << first << " " << count;
    }
  }
  const BytesView chunk(data.data(), blake3::kChunkBytes);
  const blake3_oracle::Key oracle = blake3_oracle::Chaining(
      blake3_oracle::Chunk(chunk, blake3_oracle::kInitial, (uint64_t{1} << 32) + 9, 0));
  const blake3::Batch one = {
      data.data(), 1, blake3::kChunkBlocks, blake3::kIv,      (uint64_t{1} << 32) + 9,
      1,           0, blake3::kChunkStart,  blake3::kChunkEnd};
  blake3_oracle::Key ours;
  blake3::ActiveKernel().hash_many(one, reinterpret_cast<uint8_t*>(ours.data()));
  EXPECT_EQ(ours, oracle);
}

TEST_P(Blake3Test, ParentsMayBeJoinedInPlace) {
  std::mt19937_64 random(4);
  for (size_t count = 1; count <= 40; ++count) {
    Bytes cvs = RandomBytes(random, count * blake3::kBlockBytes);
    Bytes expected(count * blake3::kCvBytes);
    const blake3::Batch batch = {cvs.data(), count, 1, blake3::kIv, 0, 0, blake3::kParent, 0, 0};
    blake3::kPortableKernel.hash_many(batch, expected.data());
    blake3::ActiveKernel().hash_many(batch, cvs.data());
    cvs.resize(expected.size());
    EXPECT_EQ(cvs, expected) << count;
  }
}

TEST_P(Blake3Test, UnalignedInputIsReadCorrectly) {
  const Bytes data = Pattern(40000);
  for (size_t offset = 0; offset < 70; offset += 3) {
    const BytesView part = BytesView(data).subspan(offset, 33000);
    EXPECT_EQ(ToHex(Blake3Of(part)), ToHex(blake3_oracle::Plain(part, 0, 32))) << offset;
  }
}

TEST(Blake3, OutputMayBeReadFromAnywhere) {
  Blake3 hash;
  hash.Update(Pattern(3000));
  const Bytes whole = Extended(hash, 0, 1000);
  for (uint64_t seek = 0; seek < 200; ++seek) {
    for (const size_t size :
         {size_t{0}, size_t{1}, size_t{63}, size_t{64}, size_t{65}, size_t{500}}) {
      const auto from = whole.begin() + static_cast<ptrdiff_t>(seek);
      EXPECT_EQ(Extended(hash, seek, size), Bytes(from, from + static_cast<ptrdiff_t>(size)));
    }
  }
  const uint64_t far = (uint64_t{1} << 40) + 17;
  EXPECT_EQ(Extended(hash, far, 100), blake3_oracle::Plain(Pattern(3000), far, 100));
}

TEST(Blake3, FinishLeavesTheStateAsItWas) {
  const Bytes data = Pattern(20000);
  for (const size_t cut : {size_t{0}, size_t{10}, size_t{1024}, size_t{2048}, size_t{4096},
                           size_t{9000}, size_t{16384}}) {
    Blake3 hash;
    hash.Update(BytesView(data).subspan(0, cut));
    EXPECT_EQ(hash.Finish(), Blake3Of(BytesView(data).subspan(0, cut))) << cut;
    EXPECT_EQ(hash.Finish(), hash.Finish());
    hash.Update(BytesView(data).subspan(cut));
    EXPECT_EQ(hash.Finish(), Blake3Of(data)) << cut;
  }
}

TEST(Blake3, CopiesGoTheirOwnWay) {
  Blake3 hash;
  hash.Update(Pattern(5000));
  Blake3 copy = hash;
  copy.Update(AsBytes("more"));
  EXPECT_EQ(hash.Finish(), Blake3Of(Pattern(5000)));
  EXPECT_NE(copy.Finish(), hash.Finish());
  copy = hash;
  EXPECT_EQ(copy.Finish(), hash.Finish());
  const Blake3 moved = std::move(copy);
  EXPECT_EQ(moved.Finish(), hash.Finish());
}

TEST(Blake3, ModesDoNotMeet) {
  const Bytes data = Pattern(100);
  Blake3 keyed = Blake3::Keyed(KeyBytes());
  Blake3 derived = Blake3::DeriveKey(kKey);
  keyed.Update(data);
  derived.Update(data);
  EXPECT_NE(keyed.Finish(), Blake3Of(data));
  EXPECT_NE(derived.Finish(), Blake3Of(data));
  EXPECT_NE(derived.Finish(), keyed.Finish());
}

// Z82: cuts around the size of a leaf and of a batch, whole and after a prefix of odd length.
void ExpectParallelEqualsSerial(Pool& pool) {
  static const Bytes data = [] {
    std::mt19937_64 random(9);
    return RandomBytes(random, 3 * 1024 * 1024 + 777);
  }();
  constexpr size_t kLeaf = 128 * 1024;
  for (const size_t size : {size_t{0}, size_t{1024}, size_t{1025}, kLeaf, 2 * kLeaf - 1, 2 * kLeaf,
                            2 * kLeaf + 1, 5 * kLeaf + 1000, 16 * kLeaf, data.size() - 2000}) {
    const BytesView part(data.data(), size);
    EXPECT_EQ(ToHex(Blake3Of(part, pool)), ToHex(Blake3Of(part))) << size;
    for (const size_t prefix : {size_t{1}, size_t{1024}, size_t{2000}}) {
      const BytesView whole(data.data(), prefix + size);
      Blake3 hash;
      hash.Update(whole.subspan(0, prefix));
      hash.UpdateParallel(whole.subspan(prefix), pool);
      EXPECT_EQ(ToHex(hash.Finish()), ToHex(Blake3Of(whole))) << prefix << " + " << size;
    }
  }
}

TEST(Blake3Parallel, ResultIsThatOfOneThreadForAnyThreadCount) {
  for (const int threads : {1, 2, 3, 8}) {
    SCOPED_TRACE(threads);
    ThreadedPool pool(threads, /*queue_max=*/100);
    ExpectParallelEqualsSerial(pool);
  }
}

TEST(Blake3Parallel, NeedsNoThreadOfThePool) {
  ManualPool pool;
  ExpectParallelEqualsSerial(pool);
  ASSERT_GT(pool.queued(), 0u);
  while (pool.RunOne()) {  // too late: the data is gone, and they must not look for it
  }
}

TEST(Blake3Parallel, AFullQueueOnlyMeansLessHelp) {
  ManualPool pool(/*queue_max=*/1);
  ExpectParallelEqualsSerial(pool);
  EXPECT_EQ(pool.queued(), 1u);
}

TEST(Blake3Kernels, BeginWithThePortableOneAndHaveNames) {
  ASSERT_FALSE(Blake3Kernels().empty());
  EXPECT_EQ(Blake3Kernels().front(), Blake3Kernel::kPortable);
  for (const Blake3Kernel kernel : Blake3Kernels()) {
    ForceBlake3Kernel(kernel);
    EXPECT_EQ(blake3::ActiveKernel().id, kernel);
    EXPECT_NE(Blake3KernelName(kernel), "unknown");
  }
}

}  // namespace
}  // namespace slipway::base
