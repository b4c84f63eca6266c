// What is computed again and again takes no memory from the heap after its first time (spec 4.6).
#include <gtest/gtest.h>

#include <atomic>
#include <cstdlib>
#include <new>
#include <random>

#include "bls12_381/encoding.h"
#include "bls12_381/fixed_base_table.h"
#include "bls12_381/msm.h"
#include "bls12_381/pairing.h"
#include "bls12_381/test_points.h"

namespace {

std::atomic<int64_t> allocations{0};

}  // namespace

void* operator new(size_t size) {
  void* const memory = std::malloc(size);
  if (memory == nullptr) throw std::bad_alloc();
  allocations.fetch_add(1, std::memory_order_relaxed);
  return memory;
}
void* operator new(size_t size, std::align_val_t alignment) {
  const auto align = static_cast<size_t>(alignment);
  void* const memory = std::aligned_alloc(align, (size + align - 1) / align * align);
  if (memory == nullptr) throw std::bad_alloc();
  allocations.fetch_add(1, std::memory_order_relaxed);
  return memory;
}
void operator delete(void* memory) noexcept { std::free(memory); }
void operator delete(void* memory, size_t) noexcept { std::free(memory); }
void operator delete(void* memory, std::align_val_t) noexcept { std::free(memory); }
void operator delete(void* memory, size_t, std::align_val_t) noexcept { std::free(memory); }

namespace slipway::bls12_381 {
namespace {

// How often `work` takes memory, once it has run.
template <class Work>
int64_t AllocationsOf(Work work) {
  work();
  const int64_t before = allocations.load();
  work();
  return allocations.load() - before;
}

class Scratch : public ::testing::Test {
 protected:
  Scratch() {
    std::mt19937_64 random(30);
    G1 running = G1::FromAffine(testing::RandomG1(random));
    for (G1Affine& point : points_) {
      point = running.ToAffine();
      running = running.Double() + G1Affine::Generator();
    }
    for (Fr& scalar : scalars_) scalar = testing::RandomFr(random);
  }
  static constexpr size_t kCount = 192;
  std::array<G1Affine, kCount> points_;
  std::array<Fr, kCount> scalars_;
};

TEST_F(Scratch, IsCounted) {
  EXPECT_EQ(
      AllocationsOf([&] {
        return FixedBaseTable({1, 1, 8}, absl::MakeConstSpan(points_).first(1), CallerAlone());
      }),
      1);  // its entries
}

TEST_F(Scratch, OfSumsIsKept) {
  for (const size_t count : {size_t{1}, size_t{8}, size_t{9}, kCount}) {
    EXPECT_EQ(AllocationsOf([&] {
                return Msm(absl::MakeConstSpan(points_).first(count),
                           absl::MakeConstSpan(scalars_).first(count));
              }),
              0)
        << count;
  }
}

TEST_F(Scratch, OfTablesIsKept) {
  const FixedBaseTable table({1, kCount, 8}, points_, CallerAlone());
  EXPECT_EQ(AllocationsOf([&] { return table.Multiply(scalars_, CallerAlone()); }), 0);
  const FixedBaseTable rows({12, kCount / 12, 6}, points_, CallerAlone());
  std::array<G1Affine, 12> sums;
  EXPECT_EQ(
      AllocationsOf([&] { rows.MultiplyRows(scalars_, absl::MakeSpan(sums), CallerAlone()); }), 0);
}

TEST_F(Scratch, OfPairingsAndEncodingsIsKept) {
  const G2Prepared prepared(G2Affine::Generator());
  const std::array<const G2Prepared*, 2> lines = {&prepared, &prepared};
  EXPECT_EQ(AllocationsOf(
                [&] { return PairingProductIsOne(absl::MakeConstSpan(points_).first(2), lines); }),
            0);
  std::array<std::array<uint8_t, kG1Bytes>, kCount> bytes;
  std::array<absl::Span<const uint8_t>, kCount> views;
  for (size_t i = 0; i < kCount; ++i) {
    Compress(points_[i], absl::MakeSpan(bytes[i]));
    views[i] = bytes[i];
  }
  std::array<G1Affine, kCount> decoded;
  std::array<PointError, kCount> errors;
  EXPECT_EQ(AllocationsOf(
                [&] { DecompressG1List(views, absl::MakeSpan(decoded), absl::MakeSpan(errors)); }),
            0);
  EXPECT_EQ(decoded, points_);
}

}  // namespace
}  // namespace slipway::bls12_381
