// Digests of whole streams. A package made again from the same input must have the same bytes
// (D141), on any CPU, for ever: a digest that changes here is a broken format. With another version
// of libdeflate or libzstd it may be the library; then the format has a new version.
#include <gtest/gtest.h>

#include <filesystem>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "base/codec/codec.h"
#include "base/codec/format.h"
#include "base/codec/test_corpus.h"
#include "base/codec/test_streams.h"
#include "base/digest/sha256.h"
#include "base/os/spawner.h"
#include "base/sim/pool.h"
#include "base/testing/status_matchers.h"

namespace slipway::base::codec {
namespace {

using ::testing::HasSubstr;

std::string Digest(BytesView data, const EncoderOptions& options) {
  sim::Pool pool(1);
  return ToHex(Sha256Of(Encode(data, options, pool).value()));
}

struct Row {
  int level;
  const char* digest;
};

TEST(Golden, Corpus) {
  EXPECT_EQ(ToHex(Sha256Of(Mixed(1'300'000))),
            "90d1279ae543632ff0dd8b1d0aa72608bb0e203457ee028ef671d99715a1463f");
  EXPECT_EQ(ToHex(Sha256Of(Mixed(400'000, 9))),
            "1b492254d2dbfa8324b725847af66f0e7feac5df20c0f75011b813fd3ed95533");
}

TEST(Golden, Gzip) {
  const Row rows[] = {
      {1, "e4d3ec615583934e2fc7e297f331c35c0a4c8c100b944d386a3e04124bb308c9"},
      {2, "204d471bbd653af80c41002a623d9f2f5fc4accebe83a367edb5d85e8884cc1a"},
      {3, "35aaf1503545d05c517818c72e2051c57e4119c7b46c648c5931847f5e2bcbc4"},
      {4, "4a31f1e903d881e4108fd62decd337b77a2869f9b97abb690269cf62396c7b1d"},
      {5, "a50d15e566c78776947709f04835172475352243c35b17dbe163c956da2d1a1c"},
      {6, "754b6c405e4471095fdbe7b284489479c07c30331f671806cdab61e67671f035"},
      {7, "d6178a919b3fefc0cb38c7d9cde2c58cfd3870b7f1685d4346eb5db441d896bf"},
      {8, "c1c1eb9cb074b0e2b9836b631d420b0ddb12639a9cebf6cc5481a7543d7b2a95"},
      {9, "901da324561788489c53f6330d9078968cbb5422ba7622fd4f6cc188d01ebf4e"},
  };
  const Bytes data = Mixed(1'300'000);
  for (const Row& row : rows) {
    EXPECT_EQ(Digest(data, {.codec = Codec::kGzip, .level = row.level}), row.digest) << row.level;
  }
}

TEST(Golden, GzipOfEachCoding) {
  struct CodingRow {
    const char* name;
    Bytes data;
    bool compress_all;
    const char* digest;
  };
  const CodingRow rows[] = {
      {"stored", RandomBytes(kMemberInputBytes), false,
       "5f27677dd729198d1f3cf65e2f283ace4f59cd55fc15ff1a8575c4c1817e9861"},
      {"order-0", Weights32(kMemberInputBytes), false,
       "292ad7703846a92a00a97a9f0ad4dc8507ece229d2b11cd494ed89c1f20acb7b"},
      {"order-0 of much", Weights16(kMemberInputBytes), false,
       "234aa4b1bb34c1f984b7f2b2a7ba930d11151b43554a9b77a63903f061ec2a71"},
      {"full by choice", Text(kMemberInputBytes), false,
       "c743a9dc59205f5775ae8d24862b1f5bbf108c6caa1b5aff8b13ad05b2cf81ce"},
      {"full by order", Weights32(kMemberInputBytes), true,
       "192e6ac93080013fe55854f75e0c7ed5c5aac6ee65da3546f29a4e41764c3bea"},
      {"small", Text(100), false,
       "408d8bc1c67f3ce06d3a23a6288fb081dfd97c69dd497cfac9b2dbcd1f9022c1"},
      {"empty", {}, false, "18acf32260b3d55afbad74725e4a828bb731fa88be77216abfed4772804a9e0f"},
  };
  for (const CodingRow& row : rows) {
    EXPECT_EQ(Digest(row.data, {.codec = Codec::kGzip, .compress_all = row.compress_all}),
              row.digest)
        << row.name;
  }
}

TEST(Golden, Zstd) {
  const Row rows[] = {
      {1, "f5a65eea2ccfa7b3857e14da525581e013e2ca40fdeb686138eb0c9389004ae5"},
      {2, "6091904cdcaeb14106b0c5cf8c43238b1970c42f52241840dcf52b348e84c9f0"},
      {3, "0bfd983d9bc7e1aef60adc7c5122e943d804fab402b2ed5d6e2b473c21a46b76"},
      {4, "b4426985b8ac4d41b626850529eadf0dc4b820800188c9722bf152f1533b0d5e"},
      {5, "7c992a6ca0af7497236c80c9bd195a8fa417497d4cdcb3c55a1feb0b97de1f87"},
      {6, "40d8f788377fa6a0fad0662836850cabe047b8a41c87177e75d6cba01dc1c63c"},
      {7, "9dd22e4bff76739485807aa4eb29f01ed05f7d3a9c7d97919576d0f046becaf1"},
      {8, "0ecce26a634fcceb8292ff89a567b5a823cf3aa458c42c88cc967da599e44a74"},
      {9, "0ecce26a634fcceb8292ff89a567b5a823cf3aa458c42c88cc967da599e44a74"},
      {10, "06a739034f58c1b3704be34db662b866f95b0e43351a1a6ebc24d760f91fb73b"},
      {11, "3a7f9ab2ba241c5c2a8123ba18ccd46ce799debba1d02f4b20c68c39821a16b4"},
      {12, "3a7f9ab2ba241c5c2a8123ba18ccd46ce799debba1d02f4b20c68c39821a16b4"},
      {13, "673d0ec9a79e264b2d92b4ee7369318efebf89da6873563e03f04420d578da65"},
      {14, "38518d78f1b62689ec3048a2bd87cb39fdeed5f98d5e041340a6864381787318"},
      {15, "b57c864689091c0636b16489b43aec8088c8432db7a59d9cb0c0b67be1b791cb"},
      {16, "fcb7ccbe3b0cacd801e0d21676ddcb2e37820ceee755ef845c3e27a3afa1bb25"},
      {17, "72afddf940c61c0836c31604945b3cd365cad7e274384b00597a77581fc85366"},
      {18, "79f8d47c94acdcca8af1fe04fc4c664f102f5efc3b36a03de75b45365564e9b9"},
      {19, "bbfce48861fe8ed2d448252629e74fb2a1f3cbb3c780032c8019d8bc69d73326"},
  };
  const Bytes data = Mixed(400'000, 9);
  for (const Row& row : rows) {
    EXPECT_EQ(Digest(data, {.codec = Codec::kZstd, .level = row.level}), row.digest) << row.level;
  }
}

TEST(Golden, ZstdOfManyFrames) {
  const Bytes data = Repeating(kFrameInputBytes + 1);
  EXPECT_EQ(Digest(data, {.codec = Codec::kZstd, .level = 3}),
            "cfdf3081070419a21d414f03866b29e721837ff71710451cc0a159ad8169b4ab");
  EXPECT_EQ(Digest({}, {.codec = Codec::kZstd, .level = 3}),
            "b7d15a5ad22abefd4349ba83924d40cef26eb64f2895259cd6d4fe6957539b6c");
}

TEST(Golden, OneBuffer) {
  EXPECT_EQ(ToHex(Sha256Of(CompressZstd(Text(10'000), 3).value())),
            "e6633c50753c486cdb0919bbb95d041a4e63c631b02b289bbfba6465d0efe527");
}

#if !defined(__SANITIZE_ADDRESS__) && !defined(__SANITIZE_THREAD__)
// D141: the same digests on a processor of 2008, without AVX, BMI and carry-less multiplication, as
// on the one that runs this.
TEST(CpuTypes, GiveTheSameBytes) {
  os::SystemSpawner spawner;
  const std::string self = std::filesystem::read_symlink("/proc/self/exe");
  ASSERT_OK_AND_ASSIGN(const auto child,
                       spawner.Spawn({.argv = {"qemu-x86_64", "-cpu", "Nehalem", self,
                                               "--gtest_filter=Golden.*", "--gtest_output="}}));
  ASSERT_OK_AND_ASSIGN(const ExitStatus exit, child->Wait(absl::Minutes(2)));
  EXPECT_EQ(exit.code, 0) << exit.out << exit.err;
  EXPECT_THAT(exit.out, HasSubstr("[  PASSED  ] 6 tests"));
}
#endif

}  // namespace
}  // namespace slipway::base::codec
