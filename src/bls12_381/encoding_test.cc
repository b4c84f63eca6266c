// Compressed points (K54): each rule, in its order, and that what decodes encodes to the same
// bytes.
#include "bls12_381/encoding.h"

#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "base/bytes.h"
#include "bls12_381/test_field.h"
#include "bls12_381/test_points.h"

namespace slipway::bls12_381 {
namespace {

using base::Bytes;

class EncodingTest : public testing::EachBackend {
 protected:
  std::mt19937_64 random_{24};
};
SLIPWAY_EACH_BACKEND(EncodingTest);

Bytes FromHex(const std::string& hex) { return base::FromHex(hex).value(); }

template <class Point>
Bytes Compressed(const Point& point) {
  Bytes bytes(sizeof(point.x) == sizeof(Fp) ? kG1Bytes : kG2Bytes);
  Compress(point, absl::MakeSpan(bytes));
  return bytes;
}
PointError Decode1(const Bytes& bytes) {
  G1Affine point;
  return DecompressG1(bytes, &point);
}
PointError Decode2(const Bytes& bytes) {
  G2Affine point;
  return DecompressG2(bytes, &point);
}

const char kG1Generator[] =
    "97f1d3a73197d7942695638c4fa9ac0fc3688c4f9774b905a14e3a3f171bac586c55e83ff97a1aeffb3af00adb22c6"
    "bb";
const char kModulus[] =
    "1a0111ea397fe69a4b1ba7b6434bacd764774b84f38512bf6730d2a0f6b0f6241eabfffeb153ffffb9feffffffffaa"
    "ab";

TEST_P(EncodingTest, TheGeneratorsAreThoseOfTheStandard) {
  EXPECT_EQ(base::ToHex(Compressed(G1Affine::Generator())), kG1Generator);
  EXPECT_EQ(
      base::ToHex(Compressed(G2Affine::Generator())),
      "93e02b6052719f607dacd3a088274f65596bd0d09920b61ab5da61bbdc7f5049334cf11213945d57e5ac7d055d04"
      "2b7e024aa2b2f08f0a91260805272dc51051c6e47ad4fa403b02b4510b647ae3d1770bac0326a805bbefd48056c8"
      "c121bdb8");
}

TEST_P(EncodingTest, APointComesBackFromItsBytes) {
  for (int i = 0; i < 200; ++i) {
    G1Affine p = testing::RandomG1(random_);
    if (i % 2 == 0) p = -p;
    G1Affine decoded;
    ASSERT_EQ(DecompressG1(Compressed(p), &decoded), PointError::kOk);
    ASSERT_EQ(decoded, p);
  }
  for (int i = 0; i < 20; ++i) {
    G2Affine q = testing::RandomG2(random_);
    if (i % 2 == 0) q = -q;
    G2Affine decoded;
    ASSERT_EQ(DecompressG2(Compressed(q), &decoded), PointError::kOk);
    ASSERT_EQ(decoded, q);
  }
}

TEST_P(EncodingTest, InfinityIsOneFlag) {
  G1Affine p = G1Affine::Generator();
  EXPECT_EQ(DecompressG1(FromHex("c0" + std::string(94, '0')), &p), PointError::kOk);
  EXPECT_EQ(p, G1Affine::Identity());
  EXPECT_EQ(base::ToHex(Compressed(p)), "c0" + std::string(94, '0'));
  G2Affine q = G2Affine::Generator();
  EXPECT_EQ(DecompressG2(FromHex("c0" + std::string(190, '0')), &q), PointError::kOk);
  EXPECT_EQ(q, G2Affine::Identity());
  EXPECT_EQ(base::ToHex(Compressed(q)), "c0" + std::string(190, '0'));
}

TEST_P(EncodingTest, EachRuleHasItsError) {
  const std::string zeros(94, '0');
  EXPECT_EQ(Decode1({}), PointError::kWrongLength);
  EXPECT_EQ(Decode1(Bytes(47)), PointError::kWrongLength);
  EXPECT_EQ(Decode1(Bytes(49)), PointError::kWrongLength);
  EXPECT_EQ(Decode2(Bytes(48)), PointError::kWrongLength);
  for (const char* first : {"00", "20", "40", "60", "17"}) {
    EXPECT_EQ(Decode1(FromHex(first + zeros)), PointError::kNotCompressed) << first;
    EXPECT_EQ(Decode2(FromHex(first + zeros + zeros + "00")), PointError::kNotCompressed);
  }
  EXPECT_EQ(Decode1(FromHex("e0" + zeros)), PointError::kBadInfinity);
  EXPECT_EQ(Decode2(FromHex("e0" + zeros + zeros + "00")), PointError::kBadInfinity);
  for (size_t bit = 0; bit < 381; ++bit) {
    Bytes bytes = FromHex("c0" + zeros);
    bytes[47 - bit / 8] = static_cast<uint8_t>(bytes[47 - bit / 8] | 1 << bit % 8);
    EXPECT_EQ(Decode1(bytes), PointError::kBadInfinity);
  }
  EXPECT_EQ(Decode2(FromHex("c0" + zeros + zeros + "01")), PointError::kBadInfinity);
  for (const char* sign : {"9a", "ba"}) {
    EXPECT_EQ(Decode1(FromHex(sign + std::string(kModulus + 2))), PointError::kXTooLarge);
    EXPECT_EQ(Decode1(FromHex(sign + std::string(94, 'f'))), PointError::kXTooLarge);
  }
  EXPECT_EQ(Decode1(FromHex("9f" + std::string(94, 'f'))), PointError::kXTooLarge);
  EXPECT_EQ(Decode2(FromHex("9a" + std::string(kModulus + 2) + "00" + zeros)),
            PointError::kXTooLarge);
  EXPECT_EQ(Decode2(FromHex("80" + zeros + kModulus)), PointError::kXTooLarge);
  EXPECT_EQ(Decode2(FromHex("80" + zeros + "9a" + std::string(kModulus + 2))),
            PointError::kXTooLarge);  // flags belong to the first coordinate alone
  EXPECT_EQ(Decode1(FromHex("80" + zeros.substr(1) + "1")), PointError::kNotOnCurve);  // x = 1
  EXPECT_EQ(Decode1(FromHex("a0" + zeros.substr(1) + "1")), PointError::kNotOnCurve);
  EXPECT_EQ(Decode1(FromHex("80" + zeros)), PointError::kNotInSubgroup);  // (0, 2), of order 3
  EXPECT_EQ(Decode1(FromHex("a0" + zeros)), PointError::kNotInSubgroup);
}

TEST_P(EncodingTest, AnErrorLeavesThePointAlone) {
  G1Affine p = G1Affine::Generator();
  EXPECT_EQ(DecompressG1(FromHex("80" + std::string(94, '0')), &p), PointError::kNotInSubgroup);
  EXPECT_EQ(p, G1Affine::Generator());
  EXPECT_EQ(DecompressG1Unchecked(FromHex("80" + std::string(94, '0')), &p), PointError::kOk);
  EXPECT_EQ(p, testing::OrderThree());
}

TEST_P(EncodingTest, TheModulusLessOneIsStillACoordinate) {
  // The largest x for which there is a point: what is refused above p is not refused below.
  Bytes bytes = FromHex("9" + std::string(kModulus + 1));
  for (int i = 0; i < 20; ++i) {
    --bytes[47];
    const PointError error = Decode1(bytes);
    EXPECT_TRUE(error == PointError::kNotOnCurve || error == PointError::kNotInSubgroup);
  }
}

TEST_P(EncodingTest, TheSignChoosesBetweenTheTwoRoots) {
  const G1Affine p = testing::RandomG1(random_);
  Bytes bytes = Compressed(p);
  bytes[0] ^= 0x20;
  G1Affine decoded;
  ASSERT_EQ(DecompressG1(bytes, &decoded), PointError::kOk);
  EXPECT_EQ(decoded, -p);
}

TEST_P(EncodingTest, RandomBytesDecodeToWhatEncodesToThem) {
  int decoded_points = 0;
  for (int i = 0; i < 500; ++i) {
    Bytes bytes(kG1Bytes);
    for (uint8_t& byte : bytes) byte = static_cast<uint8_t>(random_());
    bytes[0] = static_cast<uint8_t>((bytes[0] & 0x2f) | 0x80);
    G1Affine point;
    if (DecompressG1Unchecked(bytes, &point) != PointError::kOk) continue;
    ++decoded_points;
    ASSERT_TRUE(point.IsOnCurve());
    ASSERT_EQ(Compressed(point), bytes);
    ASSERT_EQ(Decode1(bytes), PointError::kNotInSubgroup);
  }
  EXPECT_GT(decoded_points, 100);
}

TEST_P(EncodingTest, AListIsDecodedAsItsPointsAre) {
  // All kinds of bytes in lists around the lengths where the way of working changes.
  std::vector<Bytes> kinds = {{},
                              Bytes(47),
                              Bytes(48),
                              FromHex("c0" + std::string(94, '0')),
                              FromHex("e0" + std::string(94, '0')),
                              FromHex("80" + std::string(94, '0')),
                              FromHex("a0" + std::string(94, '0')),
                              FromHex("80" + std::string(93, '0') + "1"),
                              FromHex("9a" + std::string(kModulus + 2)),
                              FromHex(kG1Generator)};
  for (int i = 0; i < 3; ++i) kinds.push_back(Compressed(testing::RandomCurvePoint1(random_)));
  for (int i = 0; i < 12; ++i) kinds.push_back(Compressed(testing::RandomG1(random_)));
  for (const size_t count : {0, 1, 2, 3, 5, 8, 17, 47, 48, 63, 255, 256, 257, 304, 330}) {
    std::vector<Bytes> list(count);
    std::vector<absl::Span<const uint8_t>> views;
    for (Bytes& bytes : list) {
      bytes = kinds[random_() % kinds.size()];
      views.emplace_back(bytes);
    }
    const G1Affine untouched = testing::OrderThree();
    std::vector<G1Affine> points(count, untouched);
    std::vector<PointError> errors(count);
    DecompressG1List(views, absl::MakeSpan(points), absl::MakeSpan(errors));
    for (size_t i = 0; i < count; ++i) {
      G1Affine point = untouched;
      ASSERT_EQ(errors[i], DecompressG1(list[i], &point)) << base::ToHex(list[i]);
      ASSERT_EQ(points[i], point);
    }
  }
  // Nothing in the list has an x.
  const std::vector<absl::Span<const uint8_t>> views(20, kinds[3]);
  std::vector<G1Affine> points(20);
  std::vector<PointError> errors(20);
  DecompressG1List(views, absl::MakeSpan(points), absl::MakeSpan(errors));
  EXPECT_EQ(errors[19], PointError::kOk);
  EXPECT_EQ(points[19], G1Affine::Identity());
}

TEST_P(EncodingTest, EachErrorHasAText) {
  for (int i = 0; i <= static_cast<int>(PointError::kNotInSubgroup); ++i) {
    EXPECT_NE(PointErrorText(static_cast<PointError>(i)), "is malformed");
  }
}

}  // namespace
}  // namespace slipway::bls12_381
