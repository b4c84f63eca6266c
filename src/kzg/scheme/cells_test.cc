// EIP-7594 against definitions: cells by Lagrange interpolation, proofs by the direct quotient,
// recovery from random choices of cells.
#include "kzg/scheme/cells.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <numeric>

#include "base/os/pool.h"
#include "base/testing/status_matchers.h"
#include "kzg/scheme/errors.h"
#include "kzg/scheme/fk20.h"
#include "kzg/scheme/input.h"
#include "kzg/scheme/kzg.h"
#include "kzg/scheme/test_setup.h"

namespace slipway::kzg {
namespace {

using base::testing::IsOk;
using base::testing::IsOkAndHolds;
using ::testing::HasSubstr;
using testing::PlainSetup;
using testing::RandomFr;
using testing::SomeBlob;
using testing::TabledSetup;

std::string ReasonOf(const absl::Status& status) { return base::GetErrorInfo(status).code; }

struct Extended {
  base::Bytes blob;
  Commitment commitment{};
  std::vector<Cell> cells = std::vector<Cell>(kCellsPerExtBlob);
  std::vector<Proof> proofs = std::vector<Proof>(kCellsPerExtBlob);
};

class CellsTest : public ::testing::Test {
 protected:
  Extended Extend(int kind) {
    Extended extended;
    extended.blob = SomeBlob(random_, kind);
    EXPECT_THAT(ComputeCellsAndProofs(extended.blob, absl::MakeSpan(extended.cells),
                                      absl::MakeSpan(extended.proofs), TabledSetup()),
                IsOk());
    extended.commitment = *BlobToCommitment(extended.blob, TabledSetup());
    return extended;
  }
  // `count` different indices, ascending.
  std::vector<uint64_t> RandomIndices(size_t count) {
    std::vector<uint64_t> all(kCellsPerExtBlob);
    std::iota(all.begin(), all.end(), 0);
    std::shuffle(all.begin(), all.end(), random_);
    all.resize(count);
    std::sort(all.begin(), all.end());
    return all;
  }
  static std::vector<BytesView> Pick(const std::vector<Cell>& cells,
                                     const std::vector<uint64_t>& indices) {
    std::vector<BytesView> picked;
    for (const uint64_t index : indices) picked.emplace_back(cells[index]);
    return picked;
  }
  std::mt19937_64 random_{7594};
};

TEST_F(CellsTest, CellsAreTheValuesAtTheirCosets) {  // spec 2.4
  const Extended extended = Extend(4);
  const Domain& domain = PlainSetup().domain();
  const Fr root = Fr::RootOfUnity(kCellLog2);
  for (const size_t k : {0, 1, 63, 64, 65, 100, 127}) {
    for (const size_t j : {0, 1, 2, 31, 63}) {
      const std::array<uint64_t, 1> power = {BitReverseIndex(j, kCellLog2)};
      const Fr x = domain.CosetShift(k) * root.Pow(power);
      const Bytes32 expected =
          k < kCellsPerBlob
              ? WriteScalar(testing::ElementsOf(extended.blob)[k * kFieldElementsPerCell + j])
              : WriteScalar(testing::LagrangeValue(extended.blob, x, domain));
      EXPECT_TRUE(std::equal(expected.begin(), expected.end(),
                             extended.cells[k].begin() + j * kBytesPerFieldElement))
          << k << ", " << j;
    }
  }
}

TEST_F(CellsTest, ProofsAreTheQuotientsWithTablesAndWithout) {  // spec 2.4, K70
  for (const int kind : {0, 2, 4}) {
    const Extended extended = Extend(kind);
    const Coefficients coefficients =
        PlainSetup().domain().Interpolate({testing::ElementsOf(extended.blob)});
    std::vector<Proof> direct(kCellsPerExtBlob);
    ComputeAllProofs(coefficients, absl::MakeSpan(direct), PlainSetup(), nullptr);
    EXPECT_EQ(direct, extended.proofs) << kind;
    for (const size_t k : {0, 1, 64, 127}) {
      EXPECT_EQ(ComputeOneProof(coefficients, k, PlainSetup(), nullptr), extended.proofs[k]);
    }
  }
}

TEST_F(CellsTest, SomeCellsAreThoseOfAll) {  // K81
  const Extended extended = Extend(4);
  const std::vector<uint64_t> indices = {127, 0, 64, 64, 5};
  std::vector<Cell> cells(indices.size());
  std::vector<Proof> proofs(indices.size());
  ASSERT_THAT(ComputeSomeCells(extended.blob, indices, absl::MakeSpan(cells),
                               absl::MakeSpan(proofs), TabledSetup()),
              IsOk());
  for (size_t i = 0; i < indices.size(); ++i) {
    EXPECT_EQ(cells[i], extended.cells[indices[i]]) << i;
    EXPECT_EQ(proofs[i], extended.proofs[indices[i]]) << i;
  }
  const std::vector<uint64_t> one = {99};
  ASSERT_THAT(ComputeSomeCells(extended.blob, one, absl::MakeSpan(cells).subspan(0, 1),
                               absl::MakeSpan(proofs).subspan(0, 1), PlainSetup()),
              IsOk());
  EXPECT_EQ(proofs[0], extended.proofs[99]);
  const std::vector<uint64_t> beyond = {3, 128};
  EXPECT_EQ(ReasonOf(ComputeSomeCells(extended.blob, beyond, absl::MakeSpan(cells).subspan(0, 2),
                                      {}, PlainSetup())),
            kInvalidCellIndex);
}

TEST_F(CellsTest, AnyHalfOfTheCellsGivesAll) {  // spec 2.4, K74
  for (int kind = 0; kind < testing::kBlobKinds; ++kind) {
    const Extended extended = Extend(kind);
    for (const size_t count : {64, 65, 90, 127, 128}) {
      const std::vector<uint64_t> indices = RandomIndices(count);
      std::vector<Cell> cells(kCellsPerExtBlob);
      ASSERT_THAT(RecoverCells(indices, Pick(extended.cells, indices), {}, absl::MakeSpan(cells),
                               {}, PlainSetup()),
                  IsOk());
      EXPECT_EQ(cells, extended.cells) << kind << ", " << count;
    }
  }
  const Extended extended = Extend(4);
  const std::vector<uint64_t> indices = RandomIndices(64);
  std::vector<Cell> cells(kCellsPerExtBlob);
  std::vector<Proof> proofs(kCellsPerExtBlob);
  ASSERT_THAT(RecoverCells(indices, Pick(extended.cells, indices), {}, absl::MakeSpan(cells),
                           absl::MakeSpan(proofs), TabledSetup()),
              IsOk());
  EXPECT_EQ(proofs, extended.proofs);
}

TEST_F(CellsTest, CellsOfTwoBlobsAreRefusedWhereItShows) {  // spec 2.4, strict
  const Extended extended = Extend(4);
  const Extended other = Extend(3);
  const std::vector<uint64_t> indices = RandomIndices(65);
  std::vector<BytesView> given = Pick(extended.cells, indices);
  given[40] = other.cells[indices[40]];
  std::vector<Cell> cells(kCellsPerExtBlob);
  const absl::Status status =
      RecoverCells(indices, given, {}, absl::MakeSpan(cells), {}, PlainSetup());
  EXPECT_EQ(ReasonOf(status), kInconsistentCells);
  EXPECT_THAT(status.message(), HasSubstr("cells are not from one blob"));
  EXPECT_THAT(
      RecoverCells(indices, given, {.strict = false}, absl::MakeSpan(cells), {}, PlainSetup()),
      IsOk());
}

TEST_F(CellsTest, WhatCannotBeRecoveredIsNamed) {  // spec 2.4, K71
  const Extended extended = Extend(4);
  std::vector<Cell> cells(kCellsPerExtBlob);
  const auto reason = [&](const std::vector<uint64_t>& indices, std::vector<BytesView> given) {
    return ReasonOf(RecoverCells(indices, given, {}, absl::MakeSpan(cells), {}, PlainSetup()));
  };
  std::vector<uint64_t> indices = RandomIndices(63);
  EXPECT_EQ(reason(indices, Pick(extended.cells, indices)), kNotEnoughCells);
  EXPECT_EQ(reason({}, {}), kNotEnoughCells);
  indices = RandomIndices(70);
  std::vector<BytesView> given = Pick(extended.cells, indices);
  std::swap(indices[3], indices[4]);
  EXPECT_EQ(reason(indices, given), kUnsortedIndices);
  indices = RandomIndices(70);
  indices[5] = indices[4];
  EXPECT_EQ(reason(indices, given), kUnsortedIndices);
  indices = RandomIndices(70);
  indices.back() = 128;
  EXPECT_EQ(reason(indices, given), kInvalidCellIndex);
  indices = RandomIndices(70);
  given.pop_back();
  EXPECT_EQ(reason(indices, given), kLengthMismatch);
  given = Pick(extended.cells, indices);
  given[7] = given[7].subspan(1);
  EXPECT_EQ(reason(indices, given), kInvalidLength);
  Cell large;
  large.fill(0xff);
  given[7] = large;
  EXPECT_EQ(reason(indices, given), kNonCanonicalFieldElement);
}

// Cells of several blobs to verify together.
struct CellBatchLists {
  std::vector<BytesView> commitments, cells, proofs;
  std::vector<uint64_t> indices;

  void Add(const Extended& extended, uint64_t index) {
    commitments.emplace_back(extended.commitment);
    indices.push_back(index);
    cells.emplace_back(extended.cells[index]);
    proofs.emplace_back(extended.proofs[index]);
  }
  absl::StatusOr<bool> Verify(const kzg::Setup& setup, Executor* executor = nullptr) const {
    return VerifyCellBatch({commitments, indices, cells, proofs}, setup, executor);
  }
};

TEST_F(CellsTest, RightCellsVerifyTogetherAndOneWrongOneShows) {  // spec 2.4
  const Extended a = Extend(4);
  const Extended b = Extend(3);
  const Extended zero = Extend(0);
  CellBatchLists lists;
  EXPECT_THAT(lists.Verify(PlainSetup()), IsOkAndHolds(true));
  for (int i = 0; i < 24; ++i) {
    const uint64_t index = random_() % kCellsPerExtBlob;
    lists.Add(i % 3 == 0 ? a : i % 3 == 1 ? b : zero, i % 4 == 0 ? 5 : index);
  }
  lists.Add(a, 5);  // a cell may come twice
  EXPECT_THAT(lists.Verify(PlainSetup()), IsOkAndHolds(true));
  EXPECT_THAT(lists.Verify(TabledSetup()), IsOkAndHolds(true));
  for (const size_t at : {size_t{0}, size_t{7}, lists.cells.size() - 1}) {
    CellBatchLists wrong = lists;
    wrong.proofs[at] = lists.proofs[(at + 3) % 24];
    EXPECT_THAT(wrong.Verify(TabledSetup()), IsOkAndHolds(false)) << at;
    wrong = lists;
    wrong.indices[at] = (wrong.indices[at] + 1) % kCellsPerExtBlob;
    EXPECT_THAT(wrong.Verify(PlainSetup()), IsOkAndHolds(false)) << at;
    wrong = lists;
    Cell changed = a.cells[9];
    changed[2047] ^= 1;
    wrong.cells[at] = changed;
    EXPECT_THAT(wrong.Verify(PlainSetup()), IsOkAndHolds(false)) << at;
  }
}

TEST_F(CellsTest, MalformedCellBatchesAreNamed) {  // K71, K84
  const Extended a = Extend(4);
  CellBatchLists lists;
  for (uint64_t i = 0; i < 4; ++i) lists.Add(a, i);
  CellBatchLists wrong = lists;
  wrong.proofs.pop_back();
  EXPECT_EQ(ReasonOf(wrong.Verify(PlainSetup()).status()), kLengthMismatch);
  wrong = lists;
  wrong.indices[2] = 128;
  EXPECT_EQ(ReasonOf(wrong.Verify(PlainSetup()).status()), kInvalidCellIndex);
  wrong = lists;
  Cell large;
  large.fill(0xff);
  wrong.cells[3] = large;
  const absl::Status status = wrong.Verify(PlainSetup()).status();
  EXPECT_EQ(ReasonOf(status), kNonCanonicalFieldElement);
  EXPECT_THAT(status.message(), HasSubstr("cell 3: element 0"));
  Bytes48 off_subgroup{};
  off_subgroup[0] = 0x80;
  wrong = lists;
  wrong.proofs[1] = off_subgroup;
  EXPECT_EQ(ReasonOf(wrong.Verify(PlainSetup()).status()), kNotInSubgroup);
  wrong = lists;
  wrong.commitments[3] = off_subgroup;  // the second without repetitions
  const absl::Status not_in_group = wrong.Verify(PlainSetup()).status();
  EXPECT_EQ(ReasonOf(not_in_group), kNotInSubgroup);
  EXPECT_THAT(not_in_group.message(), HasSubstr("commitment 3"));  // K84
  wrong = lists;
  wrong.cells[0] = wrong.cells[0].subspan(1);
  EXPECT_EQ(ReasonOf(wrong.Verify(PlainSetup()).status()), kInvalidLength);
}

TEST_F(CellsTest, ResultsAreTheSameForAnyNumberOfThreads) {  // spec 4.6
  const Extended serial = Extend(4);
  base::os::ThreadPool pool("cpu", /*threads=*/3, /*queue_max=*/2);
  for (const int width : {2, 4}) {
    PoolExecutor executor(pool, width);
    Extended parallel;
    ASSERT_THAT(ComputeCellsAndProofs(serial.blob, absl::MakeSpan(parallel.cells),
                                      absl::MakeSpan(parallel.proofs), TabledSetup(), &executor),
                IsOk());
    EXPECT_EQ(parallel.cells, serial.cells);
    EXPECT_EQ(parallel.proofs, serial.proofs);
    EXPECT_THAT(BlobToCommitment(serial.blob, TabledSetup(), &executor),
                IsOkAndHolds(serial.commitment));
    EXPECT_THAT(BlobToCommitment(serial.blob, PlainSetup(), &executor),
                IsOkAndHolds(serial.commitment));
    CellBatchLists lists;
    for (uint64_t i = 0; i < 40; ++i) lists.Add(serial, i);
    EXPECT_THAT(lists.Verify(TabledSetup(), &executor), IsOkAndHolds(true));
  }
}

TEST(Executor, NestedWorkOnAFullPoolEnds) {  // spec 4.6
  base::os::ThreadPool pool("cpu", /*threads=*/2, /*queue_max=*/1);
  PoolExecutor executor(pool, 4);
  std::atomic<int> calls = 0;
  executor.Run(8, [&](size_t) {
    executor.Run(8, [&](size_t) { executor.Run(4, [&](size_t) { ++calls; }); });
  });
  EXPECT_EQ(calls, 8 * 8 * 4);
}

}  // namespace
}  // namespace slipway::kzg
