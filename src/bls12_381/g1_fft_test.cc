// Transforms of points against their definition (spec 4.5).
#include "bls12_381/g1_fft.h"

#include <gtest/gtest.h>

#include "bls12_381/test_field.h"
#include "bls12_381/test_points.h"

namespace slipway::bls12_381 {
namespace {

using testing::RandomG1;
using testing::SlowMultiply;

class G1FftTest : public testing::EachBackend {
 protected:
  // The definition: sum of [w^(+-ij)] points[j].
  static std::vector<G1Affine> Slow(const std::vector<G1Affine>& points, bool inverse) {
    const size_t n = points.size();
    int log2_size = 0;
    while ((size_t{1} << log2_size) < n) ++log2_size;
    const Fr root = Fr::RootOfUnity(log2_size);
    std::vector<G1Affine> sums(n);
    for (size_t i = 0; i < n; ++i) {
      G1 sum = G1::Identity();
      for (size_t j = 0; j < n; ++j) {
        const size_t power = inverse ? (n - i * j % n) % n : i * j % n;
        const std::array<uint64_t, 1> exponent = {power};
        sum = sum + SlowMultiply(G1::FromAffine(points[j]), root.Pow(exponent));
      }
      sums[i] = sum.ToAffine();
    }
    return sums;
  }
  void ExpectAsDefined(const std::vector<G1Affine>& points) {
    int log2_size = 0;
    while ((size_t{1} << log2_size) < points.size()) ++log2_size;
    const G1Fft fft(log2_size);
    for (const bool inverse : {false, true}) {
      std::vector<G1Affine> fast = points;
      if (inverse) {
        fft.InverseUnscaled(absl::MakeSpan(fast), CallerAlone());
      } else {
        fft.Forward(absl::MakeSpan(fast), CallerAlone());
      }
      EXPECT_EQ(fast, Slow(points, inverse)) << points.size() << " points, inverse " << inverse;
    }
  }
  std::mt19937_64 random_{20};
};
SLIPWAY_EACH_BACKEND(G1FftTest);

TEST_P(G1FftTest, TransformsAreWhatTheirDefinitionSays) {
  for (const size_t n : {2, 4, 8, 16}) {
    std::vector<G1Affine> points(n);
    for (G1Affine& point : points) point = RandomG1(random_);
    ExpectAsDefined(points);
  }
}

TEST_P(G1FftTest, EqualOppositeAndInfinitePointsAreRight) {  // K69
  const G1Affine p = RandomG1(random_);
  const G1Affine o = G1Affine::Identity();
  ExpectAsDefined({o, o, o, o, o, o, o, o});
  ExpectAsDefined({p, p, p, p, p, p, p, p});
  ExpectAsDefined({p, -p, p, -p, o, p, -p, o});
  ExpectAsDefined({p, p, p, p, o, o, o, o});
}

TEST_P(G1FftTest, InverseTakesForwardBackTimesTheSize) {
  const G1Fft fft(7);
  std::vector<G1Affine> points(fft.size(), G1Affine::Identity());
  for (size_t i = 0; i < 64; ++i) points[i] = RandomG1(random_);
  std::vector<G1Affine> turned = points;
  const Workers two = {2, &RunSerially};
  fft.Forward(absl::MakeSpan(turned), two);
  fft.InverseUnscaled(absl::MakeSpan(turned), CallerAlone());
  for (size_t i = 0; i < points.size(); ++i) {
    EXPECT_EQ(turned[i], (points[i] * Fr::FromUint64(fft.size())).ToAffine()) << i;
  }
}

}  // namespace
}  // namespace slipway::bls12_381
