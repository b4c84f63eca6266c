#include "cas/blob_store_contract.h"

#include <gmock/gmock.h>

#include <algorithm>
#include <limits>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "base/testing/status_matchers.h"
#include "cas/errors.h"

namespace slipway::cas {

using absl::StatusCode;
using base::testing::IsOkAndHolds;
using base::testing::StatusIs;
using ::testing::HasSubstr;
using ::testing::Optional;

BlobStoreFactory BlobStoreContractOf(BlobStoreFactory factory) { return factory; }

std::string BlobText(uint64_t seed, size_t size_bytes) {
  std::string text(size_bytes, '\0');
  uint64_t state = seed * 0x9e3779b97f4a7c15 + size_bytes;
  for (char& c : text) {
    state = state * 6364136223846793005 + 1442695040888963407;
    c = static_cast<char>(state >> 56);
  }
  return text;
}

Digest BlobStoreContract::Put(absl::string_view text) {
  const Digest digest = DigestOf(base::AsBytes(text));
  EXPECT_OK(PutBytes(store(), digest, base::AsBytes(text)));
  return digest;
}

absl::StatusOr<std::string> BlobStoreContract::Read(const Digest& digest, BlobRange range,
                                                    size_t piece_bytes) {
  SLIPWAY_ASSIGN_OR_RETURN(const auto reader, store().Fetch(digest, range));
  std::string text;
  base::Bytes piece(piece_bytes);
  for (;;) {
    SLIPWAY_ASSIGN_OR_RETURN(const size_t got, reader->Read(absl::MakeSpan(piece)));
    absl::StrAppend(&text, base::AsText(base::BytesView(piece.data(), got)));
    if (got < piece.size()) break;
  }
  SLIPWAY_ASSIGN_OR_RETURN(const size_t past, reader->Read(absl::MakeSpan(piece)));
  EXPECT_EQ(past, 0u) << "bytes after the end";
  return text;
}

void BlobStoreContract::ExpectAbsent(const Digest& digest) {
  EXPECT_THAT(store().Check(digest), IsOkAndHolds(std::nullopt));
  EXPECT_THAT(store().Contains(digest), IsOkAndHolds(false));
  EXPECT_THAT(store().Fetch(digest, {}),
              StatusIs(StatusCode::kNotFound, HasSubstr(digest.ToString())));
  EXPECT_EQ(store().GetLocalPath(digest), std::nullopt);
}

void BlobStoreContract::ExpectThere(const Digest& digest, absl::string_view text) {
  EXPECT_THAT(store().Check(digest), IsOkAndHolds(Optional(text.size())));
  EXPECT_THAT(store().Contains(digest), IsOkAndHolds(true));
  const auto read = Read(digest, {}, 100'000);
  ASSERT_OK(read);
  EXPECT_TRUE(*read == text) << "other bytes than were stored";
}

// The linker may bring these tests into a binary that only uses something else of this library.
GTEST_ALLOW_UNINSTANTIATED_PARAMETERIZED_TEST(BlobStoreContract);

namespace {

void ExpectKind(const absl::Status& status, CasError expected) {
  CasError kind = CasError::kInternal;
  EXPECT_TRUE(IsCasError(status, &kind)) << status;
  EXPECT_EQ(kind, expected) << status;
}

// Sizes around what implementations have borders at: nothing, a page, a block, a chunk of a stream.
constexpr size_t kSizes[] = {0,    1,    2,    1023,  1024,  1025,
                             4095, 4096, 4097, 65536, 65537, (1 << 20) + 1};

TEST_P(BlobStoreContract, AnAbsentBlobIsAbsentInEveryCall) {  // Z1
  ExpectAbsent(DigestOf(base::AsBytes("never stored")));
  ExpectAbsent(DigestOf({}));
  ExpectKind(store().Fetch(DigestOf({}), {}).status(), CasError::kNotFound);
}

TEST_P(BlobStoreContract, BlobsOfEverySizeComeBack) {  // Z1
  std::vector<Digest> digests;
  for (const size_t size : kSizes) digests.push_back(Put(BlobText(1, size)));
  for (size_t i = 0; i < digests.size(); ++i) {
    SCOPED_TRACE(kSizes[i]);
    ExpectThere(digests[i], BlobText(1, kSizes[i]));
  }
}

TEST_P(BlobStoreContract, PiecesOfAnyLengthMakeTheBlob) {
  const std::string text = BlobText(2, 70'000);
  const Digest digest = DigestOf(base::AsBytes(text));
  auto writer = store().Store(digest);
  ASSERT_OK(writer);
  size_t piece = 0;
  for (size_t at = 0; at < text.size(); at += piece) {
    piece = std::min(text.size() - at, at % 977);  // none, few, many
    ASSERT_OK((*writer)->Append(base::AsBytes(absl::string_view(text).substr(at, piece))));
    if (piece == 0) {
      piece = 1;
      ASSERT_OK((*writer)->Append(base::AsBytes(absl::string_view(text).substr(at, piece))));
    }
  }
  ASSERT_OK((*writer)->Commit());
  for (const size_t read_bytes : {1u, 7u, 4096u, 69'999u, 70'000u, 70'001u}) {
    SCOPED_TRACE(read_bytes);
    const auto read = Read(digest, {}, read_bytes);
    ASSERT_OK(read);
    EXPECT_TRUE(*read == text);
  }
}

TEST_P(BlobStoreContract, NothingIsVisibleBeforeCommitOrWithoutIt) {  // Z14, ZR8
  const std::string text = BlobText(3, 10'000);
  const Digest digest = DigestOf(base::AsBytes(text));
  {
    auto writer = store().Store(digest);
    ASSERT_OK(writer);
    ASSERT_OK((*writer)->Append(base::AsBytes(text)));
    ExpectAbsent(digest);
  }
  ExpectAbsent(digest);
  Put(text);
  ExpectThere(digest, text);
}

TEST_P(BlobStoreContract, TooManyBytesFailAtOnce) {  // Z14
  const std::string text = BlobText(4, 5000);
  const Digest digest = DigestOf(base::AsBytes(text));
  auto writer = store().Store(digest);
  ASSERT_OK(writer);
  ASSERT_OK((*writer)->Append(base::AsBytes(text)));
  const absl::Status status = (*writer)->Append(base::AsBytes("x"));
  EXPECT_THAT(status, StatusIs(StatusCode::kInvalidArgument, HasSubstr(digest.ToString())));
  ExpectKind(status, CasError::kSizeMismatch);
  writer->reset();
  ExpectAbsent(digest);
}

TEST_P(BlobStoreContract, TooFewBytesAreRefused) {  // Z14
  const std::string text = BlobText(5, 5000);
  const Digest digest = DigestOf(base::AsBytes(text));
  for (const size_t size : {0u, 1u, 4999u}) {
    auto writer = store().Store(digest);
    ASSERT_OK(writer);
    ASSERT_OK((*writer)->Append(base::AsBytes(absl::string_view(text).substr(0, size))));
    EXPECT_THAT((*writer)->Commit(),
                StatusIs(StatusCode::kInvalidArgument, HasSubstr(digest.ToString())));
    writer->reset();
    ExpectAbsent(digest);
  }
}

TEST_P(BlobStoreContract, OtherBytesAreRefused) {  // Z14, Z70
  std::string text = BlobText(6, 5000);
  const Digest digest = DigestOf(base::AsBytes(text));
  text[2500] ^= 1;
  const Digest other = DigestOf(base::AsBytes(text));
  EXPECT_THAT(PutBytes(store(), digest, base::AsBytes(text)),
              StatusIs(StatusCode::kInvalidArgument, HasSubstr(digest.ToString())));
  ExpectAbsent(digest);
  ExpectAbsent(other);
}

TEST_P(BlobStoreContract, ARightHashWithAWrongSizeIsAbsent) {  // Z5
  const std::string text = BlobText(7, 5000);
  const Digest digest = Put(text);
  for (const uint64_t size : {uint64_t{4999}, uint64_t{5001}, uint64_t{0}}) {
    const Digest wrong{digest.blake3, size};
    ExpectAbsent(wrong);
    EXPECT_THAT(
        PutBytes(store(), wrong, base::AsBytes(text).subspan(0, std::min<size_t>(size, 5000))),
        StatusIs(StatusCode::kInvalidArgument));
    ExpectAbsent(wrong);
  }
  ExpectThere(digest, text);
}

TEST_P(BlobStoreContract, WhatIsThereNeedsNotBeSent) {
  const std::string text = BlobText(8, 5000);
  const Digest digest = Put(text);
  auto again = store().Store(digest);
  if (world().tells_existing_at_once()) {
    EXPECT_THAT(again, StatusIs(StatusCode::kAlreadyExists, HasSubstr(digest.ToString())));
    ExpectKind(again.status(), CasError::kAlreadyExists);
  } else if (again.ok()) {
    EXPECT_OK((*again)->Append(base::AsBytes(text)));
    EXPECT_OK((*again)->Commit());
  }
  EXPECT_OK(PutBytes(store(), digest, base::AsBytes(text)));
  ExpectThere(digest, text);
}

TEST_P(BlobStoreContract, SeveralWritersOfOneBlobAllSucceed) {  // ZR9
  const std::string text = BlobText(9, 50'000);
  const Digest digest = DigestOf(base::AsBytes(text));
  std::vector<std::unique_ptr<BlobWriter>> writers;
  for (int i = 0; i < 4; ++i) {
    auto writer = store().Store(digest);
    ASSERT_OK(writer);
    ASSERT_OK((*writer)->Append(base::AsBytes(text)));
    writers.push_back(*std::move(writer));
  }
  for (const auto& writer : writers) EXPECT_OK(writer->Commit());
  ExpectThere(digest, text);
}

TEST_P(BlobStoreContract, AWriterThatFailsDoesNotHarmAnother) {
  const std::string text = BlobText(10, 5000);
  const Digest digest = DigestOf(base::AsBytes(text));
  auto good = store().Store(digest);
  auto bad = store().Store(digest);
  ASSERT_OK(good);
  ASSERT_OK(bad);
  ASSERT_OK((*good)->Append(base::AsBytes(text)));
  ASSERT_OK((*bad)->Append(base::AsBytes(BlobText(11, 5000))));
  EXPECT_OK((*good)->Commit());
  EXPECT_FALSE((*bad)->Commit().ok());
  ExpectThere(digest, text);
}

TEST_P(BlobStoreContract, RangesReadWhatTheyName) {  // Z3, Z16
  const std::string text = BlobText(12, 200'000);
  const Digest digest = Put(text);
  const BlobRange ranges[] = {
      {0, {}},      {0, 1},           {0, 200'000}, {1, 199'999},  {199'999, {}},
      {199'999, 1}, {65'536, 65'536}, {65'535, 2},  {100'000, {}}, {4095, 4098},
  };
  for (const BlobRange& range : ranges) {
    SCOPED_TRACE(absl::StrCat(range.start, " ", range.length.value_or(0)));
    const auto read = Read(digest, range, 30'000);
    ASSERT_OK(read);
    EXPECT_TRUE(*read == text.substr(range.start, range.length.value_or(std::string::npos)));
  }
}

TEST_P(BlobStoreContract, RangesOutsideAreRefused) {  // Z3
  const Digest digest = Put(BlobText(13, 1000));
  const uint64_t huge = std::numeric_limits<uint64_t>::max();
  for (const BlobRange& range : {BlobRange{1000, {}}, BlobRange{1001, 1}, BlobRange{999, 2},
                                 BlobRange{0, 1001}, BlobRange{huge, {}}, BlobRange{0, huge}}) {
    const absl::Status status = store().Fetch(digest, range).status();
    EXPECT_THAT(status, StatusIs(StatusCode::kOutOfRange, HasSubstr(digest.ToString())));
    EXPECT_THAT(status, StatusIs(StatusCode::kOutOfRange, HasSubstr("1000 bytes")));
    ExpectKind(status, CasError::kOutOfRange);
  }
  for (const BlobRange& range : {BlobRange{0, 0}, BlobRange{5, 0}, BlobRange{huge, 1}}) {
    EXPECT_THAT(store().Fetch(digest, range), StatusIs(StatusCode::kInvalidArgument));
  }
}

TEST_P(BlobStoreContract, TheEmptyBlobIsReadFromItsStart) {  // Z3, Z73
  const Digest digest = Put("");
  ExpectThere(digest, "");
  EXPECT_THAT(Read(digest, {}, 10), IsOkAndHolds(std::string()));
  for (const BlobRange& range : {BlobRange{0, 1}, BlobRange{1, {}}}) {
    EXPECT_THAT(store().Fetch(digest, range), StatusIs(StatusCode::kOutOfRange));
  }
  EXPECT_THAT(store().Fetch(digest, {0, 0}), StatusIs(StatusCode::kInvalidArgument));
}

TEST_P(BlobStoreContract, SeveralReadersOfOneBlobDoNotDisturbEachOther) {
  const std::string text = BlobText(14, 9000);
  const Digest digest = Put(text);
  auto front = store().Fetch(digest, {});
  auto back = store().Fetch(digest, {4500, {}});
  ASSERT_OK(front);
  ASSERT_OK(back);
  std::string left;
  std::string right;
  base::Bytes piece(900);
  for (int i = 0; i < 5; ++i) {
    ASSERT_THAT((*front)->Read(absl::MakeSpan(piece)), IsOkAndHolds(900u));
    absl::StrAppend(&left, base::AsText(piece));
    ASSERT_THAT((*back)->Read(absl::MakeSpan(piece)), IsOkAndHolds(900u));
    absl::StrAppend(&right, base::AsText(piece));
  }
  EXPECT_TRUE(left + right == text);
}

TEST_P(BlobStoreContract, ALocalPathHoldsExactlyTheBlob) {  // Z1
  const std::string text = BlobText(15, 12'345);
  const Digest digest = Put(text);
  const std::optional<std::string> path = store().GetLocalPath(digest);
  if (!path) return;
  const auto content = world().ReadLocal(*path);
  ASSERT_OK(content);
  EXPECT_TRUE(*content == text);
}

}  // namespace
}  // namespace slipway::cas
