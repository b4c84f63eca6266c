// What the tests of both fields share: their moduli as plain integers, awkward and random operands,
// and a test fixture that runs once under each back end of the machine. For tests only.
#pragma once

#include <gtest/gtest.h>

#include <random>
#include <string>
#include <vector>

#include "bls12_381/backend.h"
#include "bls12_381/fp.h"
#include "bls12_381/fr.h"
#include "bls12_381/test_bigint.h"

namespace slipway::bls12_381::testing {

inline const BigInt& P() {
  static const BigInt p = BigInt::FromHex(
      "1a0111ea397fe69a4b1ba7b6434bacd764774b84f38512bf6730d2a0f6b0f6241eabfffeb153ffffb9feffffffff"
      "aaa"
      "b");
  return p;
}
inline const BigInt& R() {
  static const BigInt r =
      BigInt::FromHex("73eda753299d7d483339d80809a1d80553bda402fffe5bfeffffffff00000001");
  return r;
}

// The stored limbs as an integer, not taken out of Montgomery form.
inline BigInt Stored(const Fp& a) { return BigInt::FromLimbs(a.limb, 6); }
inline BigInt Stored(const Fr& a) { return BigInt::FromLimbs(a.limb, 4); }
inline Fp StoredFp(const BigInt& value) {
  Fp a;
  EXPECT_TRUE(value.ToLimbs(a.limb, 6));
  return a;
}
inline Fr StoredFr(const BigInt& value) {
  Fr a;
  EXPECT_TRUE(value.ToLimbs(a.limb, 4));
  return a;
}

// The value that the element stands for, by its bytes.
template <class Field>
BigInt ValueOf(const Field& a) {
  uint8_t bytes[Field::kBytes];
  a.ToBytes(absl::MakeSpan(bytes));
  BigInt value;
  for (const uint8_t byte : bytes) value = value * BigInt(256) + BigInt(byte);
  return value;
}

// `value` as big-endian bytes that fill `bytes`.
inline void WriteBytes(BigInt value, absl::Span<uint8_t> bytes) {
  for (size_t i = 0; i < bytes.size(); ++i) {
    uint8_t byte = 0;
    for (size_t bit = 0; bit < 8; ++bit)
      byte |= static_cast<uint8_t>(value.Bit(8 * i + bit) << bit);
    bytes[bytes.size() - 1 - i] = byte;
  }
}

// A random integer below 2^bits with, often, long runs of zeros or ones.
inline BigInt RandomInteger(std::mt19937_64& random, size_t bits) {
  uint64_t limbs[16] = {};  // 1024 bits at most
  const bool runs = random() % 4 == 0;
  for (size_t i = 0; i < (bits + 63) / 64; ++i) {
    limbs[i] = runs ? (random() % 2 == 0 ? 0 : ~uint64_t{0}) : random();
    if (runs && random() % 4 == 0) limbs[i] = random();
  }
  return BigInt::FromLimbs(limbs, 16) % BigInt::PowerOfTwo(bits);
}

// 0, 1, 2, the ends of the modulus, powers of two, Montgomery's constants: all below `modulus`.
inline std::vector<BigInt> Edges(const BigInt& modulus, size_t montgomery_bits) {
  const BigInt one(1);
  const BigInt r = BigInt::PowerOfTwo(montgomery_bits) % modulus;
  std::vector<BigInt> edges = {BigInt(),
                               one,
                               BigInt(2),
                               BigInt(~uint64_t{0}),
                               modulus - one,
                               modulus - BigInt(2),
                               (modulus - one) / BigInt(2),
                               (modulus + one) / BigInt(2),
                               r,
                               modulus - r,
                               r * r % modulus,
                               r * r % modulus * r % modulus};
  for (size_t bit = 63; bit < modulus.BitCount() - 1; bit += 32) {
    edges.push_back(BigInt::PowerOfTwo(bit));
    edges.push_back(BigInt::PowerOfTwo(bit) - one);
  }
  return edges;
}

// Runs each test under one back end and puts the former one back.
class EachBackend : public ::testing::TestWithParam<CpuBackend> {
 protected:
  EachBackend() { EXPECT_TRUE(ForceBackend(GetParam())); }
  ~EachBackend() override { EXPECT_TRUE(ForceBackend(before_)); }

 private:
  const CpuBackend before_ = ActiveBackend();
};

inline std::vector<CpuBackend> AllBackends() {
  return {CpuBackends().begin(), CpuBackends().end()};
}
inline std::string BackendTestName(const ::testing::TestParamInfo<CpuBackend>& info) {
  return std::string(CpuBackendName(info.param));
}

#define SLIPWAY_EACH_BACKEND(fixture)                                                 \
  INSTANTIATE_TEST_SUITE_P(Cpu, fixture, ::testing::ValuesIn(testing::AllBackends()), \
                           testing::BackendTestName)

}  // namespace slipway::bls12_381::testing
