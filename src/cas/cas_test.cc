// Digests, ranges, errors and the helpers over a store.
#include <limits>
#include <map>

#include "absl/strings/str_cat.h"
#include "base/testing/status_matchers.h"
#include "cas/blob_store.h"
#include "cas/digest.h"
#include "cas/errors.h"
#include "cas/range.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace slipway::cas {
namespace {

using absl::StatusCode;
using base::testing::HasErrorCode;
using base::testing::IsOkAndHolds;
using base::testing::StatusIs;
using ::testing::HasSubstr;
using ::testing::Not;

// The published vector of the empty input.
constexpr char kEmptyHex[] = "af1349b9f5f9a1a6a0404dea36dcc9499bcb25c9adc112b7cc9a93cae41f3262";

TEST(Digest, TextIsHashAndSize) {  // Z2
  const Digest empty = DigestOf({});
  EXPECT_EQ(empty.ToString(), absl::StrCat("blake3:", kEmptyHex, "/0"));
  EXPECT_EQ(empty.Hex(), kEmptyHex);
  const Digest huge{empty.blake3, std::numeric_limits<uint64_t>::max()};
  EXPECT_EQ(huge.ToString(), absl::StrCat("blake3:", kEmptyHex, "/18446744073709551615"));
  for (const Digest& digest : {empty, huge, DigestOf(base::AsBytes("abc"))}) {
    EXPECT_THAT(ParseDigest(digest.ToString()), IsOkAndHolds(digest));
  }
}

TEST(Digest, OneDigestHasOneText) {
  const std::string hex = kEmptyHex;
  std::string upper = hex;
  upper[0] = 'A';
  for (const std::string& text : {std::string(),
                                  hex,
                                  absl::StrCat(hex, "/0"),
                                  absl::StrCat("sha256:", hex, "/0"),
                                  absl::StrCat("BLAKE3:", hex, "/0"),
                                  absl::StrCat("blake3:", hex),
                                  absl::StrCat("blake3:", hex, "/"),
                                  absl::StrCat("blake3:", hex, "/00"),
                                  absl::StrCat("blake3:", hex, "/01"),
                                  absl::StrCat("blake3:", hex, "/+1"),
                                  absl::StrCat("blake3:", hex, "/-1"),
                                  absl::StrCat("blake3:", hex, "/ 1"),
                                  absl::StrCat("blake3:", hex, "/1 "),
                                  absl::StrCat("blake3:", hex, "/1/"),
                                  absl::StrCat("blake3:", hex, "/0x1"),
                                  absl::StrCat("blake3:", hex, "/18446744073709551616"),
                                  absl::StrCat(" blake3:", hex, "/0"),
                                  absl::StrCat("blake3:", upper, "/0"),
                                  absl::StrCat("blake3:", hex.substr(1), "/0"),
                                  absl::StrCat("blake3:", hex, "0/0"),
                                  absl::StrCat("blake3:", hex.substr(1), "g/0")}) {
    EXPECT_THAT(ParseDigest(text), StatusIs(StatusCode::kInvalidArgument)) << text;
  }
}

TEST(Digest, AnErrorShowsABoundedPartOfTheText) {
  const auto parsed = ParseDigest(absl::StrCat("blake3:\n", std::string(100'000, 'x')));
  EXPECT_LT(parsed.status().message().size(), 500u);
  EXPECT_THAT(parsed, StatusIs(StatusCode::kInvalidArgument, Not(HasSubstr("\n"))));
}

TEST(Digest, HashesHave32Bytes) {  // Z5
  const Digest digest = DigestOf(base::AsBytes("abc"));
  EXPECT_THAT(MakeDigest(digest.blake3, 3), IsOkAndHolds(digest));
  for (const size_t size : {0u, 31u, 33u}) {
    EXPECT_THAT(MakeDigest(base::Bytes(size), 3), StatusIs(StatusCode::kInvalidArgument));
  }
  EXPECT_THAT(ParseHash(digest.Hex()), IsOkAndHolds(digest.blake3));
  EXPECT_THAT(ParseHash(digest.Hex() + "0"), StatusIs(StatusCode::kInvalidArgument));
}

TEST(Digest, OrderIsHashThenSize) {
  Digest a{{}, 5};
  Digest b{{}, 6};
  EXPECT_LT(a, b);
  a.blake3[0] = 1;
  EXPECT_LT(b, a);
  EXPECT_FALSE(a == b);
}

TEST(Range, ResolveIsTheRuleOfTheSpecification) {  // Z3, against the rule written out
  const uint64_t max = std::numeric_limits<uint64_t>::max();
  for (const uint64_t size : {uint64_t{0}, uint64_t{1}, uint64_t{2}, uint64_t{10}, max}) {
    const Digest digest{{}, size};
    for (const uint64_t start :
         {uint64_t{0}, uint64_t{1}, uint64_t{9}, uint64_t{10}, max - 1, max}) {
      for (const uint64_t length : {uint64_t{0}, uint64_t{1}, uint64_t{2}, uint64_t{10}, max}) {
        const auto got = Resolve({start, length}, digest);
        const auto end = static_cast<unsigned __int128>(start) + length;
        if (length == 0 || end > max) {
          EXPECT_THAT(got, StatusIs(StatusCode::kInvalidArgument));
          EXPECT_THAT(CheckRange({start, length}), StatusIs(StatusCode::kInvalidArgument));
        } else if (start >= size || end > size) {
          EXPECT_THAT(got, StatusIs(StatusCode::kOutOfRange, HasSubstr(absl::StrCat(size))));
        } else {
          ASSERT_OK(got);
          EXPECT_EQ(got->offset_bytes, start);
          EXPECT_EQ(got->size_bytes, length);
        }
      }
      const auto rest = Resolve({start, {}}, digest);
      if (start < size || (size == 0 && start == 0)) {
        ASSERT_OK(rest);
        EXPECT_EQ(rest->offset_bytes, start);
        EXPECT_EQ(rest->size_bytes, size - start);
      } else {
        EXPECT_THAT(rest, StatusIs(StatusCode::kOutOfRange));
      }
    }
  }
}

TEST(Errors, EachHasItsCodeAndNamesTheDigest) {  // Z2
  const Digest digest = DigestOf(base::AsBytes("abc"));
  const absl::Status eio = base::ErrnoError(EIO, "read /srv/store/objects/ab/cd");
  const std::tuple<absl::Status, StatusCode, CasError> cases[] = {
      {NotFoundError(digest), StatusCode::kNotFound, CasError::kNotFound},
      {AlreadyExistsError(digest), StatusCode::kAlreadyExists, CasError::kAlreadyExists},
      {OutOfRangeError(digest, {7, 1}), StatusCode::kOutOfRange, CasError::kOutOfRange},
      {DigestMismatchError(digest, DigestOf({})), StatusCode::kInvalidArgument,
       CasError::kDigestMismatch},
      {SizeMismatchError(digest, 2), StatusCode::kInvalidArgument, CasError::kSizeMismatch},
      {CorruptError(digest), StatusCode::kDataLoss, CasError::kCorrupt},
      {IoError(digest, "read", eio), StatusCode::kDataLoss, CasError::kIo},
      {IoError(digest, "read", base::ErrnoError(EACCES, "open /srv/store/objects/ab/cd")),
       StatusCode::kInternal, CasError::kIo},
      {IoError(digest, "store", base::ErrnoError(ENOSPC, "write /srv/store/tmp/x")),
       StatusCode::kResourceExhausted, CasError::kNoSpace},
  };
  for (const auto& [status, code, expected] : cases) {
    EXPECT_THAT(status, StatusIs(code, HasSubstr(digest.ToString())));
    EXPECT_THAT(status, StatusIs(code, Not(HasSubstr("/srv"))));
    CasError kind = CasError::kInternal;
    EXPECT_TRUE(IsCasError(status, &kind));
    EXPECT_EQ(kind, expected) << status;
  }
  EXPECT_OK(IoError(digest, "read", absl::OkStatus()));
  EXPECT_THAT(CorruptError(digest), HasErrorCode("ZK4005"));
  EXPECT_THAT(IoError(digest, "store", absl::ResourceExhaustedError("")), HasErrorCode("ZK4002"));
  EXPECT_THAT(DigestMismatchError(digest, DigestOf({})),
              StatusIs(StatusCode::kInvalidArgument, HasSubstr(DigestOf({}).ToString())));
}

TEST(Errors, TheCodeTellsTheKindWhereTheWireLostIt) {
  CasError kind = CasError::kInternal;
  EXPECT_TRUE(IsCasError(absl::NotFoundError("x"), &kind));
  EXPECT_EQ(kind, CasError::kNotFound);
  EXPECT_TRUE(IsCasError(absl::DataLossError("x"), nullptr));
  for (const absl::Status& status : {absl::OkStatus(), absl::CancelledError(),
                                     absl::UnavailableError(""), absl::DeadlineExceededError("")}) {
    EXPECT_FALSE(IsCasError(status, &kind)) << status;
  }
}

// A store of the bytes it was told, right or wrong.
class FakeStore : public BlobStore {
 public:
  std::map<Digest, std::string> blobs;

  absl::StatusOr<std::optional<uint64_t>> Check(const Digest& digest) override {
    const auto it = blobs.find(digest);
    if (it == blobs.end()) return std::optional<uint64_t>();
    return std::optional<uint64_t>(digest.size_bytes);
  }
  absl::StatusOr<bool> Contains(const Digest& digest) override { return blobs.contains(digest); }
  base::Owned<BlobWriter> Store(const Digest& digest) override {
    if (blobs.contains(digest)) return AlreadyExistsError(digest);
    return std::make_unique<Writer>(blobs[digest]);
  }
  base::Owned<BlobReader> Fetch(const Digest& digest, BlobRange) override {
    if (!blobs.contains(digest)) return NotFoundError(digest);
    return std::make_unique<Reader>(blobs[digest]);
  }
  std::optional<std::string> GetLocalPath(const Digest&) override { return std::nullopt; }

 private:
  struct Writer : BlobWriter {
    explicit Writer(std::string& t) : text(t) {}
    absl::Status Append(base::BytesView data) override {
      absl::StrAppend(&text, base::AsText(data));
      return absl::OkStatus();
    }
    absl::Status Commit() override { return absl::OkStatus(); }
    std::string& text;
  };
  struct Reader : BlobReader {
    explicit Reader(std::string t) : text(std::move(t)) {}
    absl::StatusOr<size_t> Read(absl::Span<uint8_t> out) override {
      const size_t size = std::min({out.size(), text.size() - at, size_t{3}});
      std::copy_n(text.data() + at, size, out.data());
      at += size;
      return size;
    }
    std::string text;
    size_t at = 0;
  };
};

TEST(Helpers, PutAndGetAreInverse) {
  FakeStore store;
  const Digest digest = DigestOf(base::AsBytes("hello world"));
  EXPECT_THAT(GetBytes(store, digest, 100), StatusIs(StatusCode::kNotFound));
  EXPECT_OK(PutBytes(store, digest, base::AsBytes("hello world")));
  EXPECT_OK(PutBytes(store, digest, base::AsBytes("hello world")));
  const auto got = GetBytes(store, digest, 11);
  ASSERT_OK(got);
  EXPECT_EQ(base::AsText(*got), "hello world");
  EXPECT_THAT(GetBytes(store, digest, 10), StatusIs(StatusCode::kResourceExhausted));
}

TEST(Helpers, GetRefusesABlobOfAnotherLength) {
  FakeStore store;
  const Digest digest = DigestOf(base::AsBytes("hello"));
  for (const char* wrong : {"hell", "hello!"}) {
    store.blobs[digest] = wrong;
    EXPECT_THAT(GetBytes(store, digest, 100), StatusIs(StatusCode::kDataLoss));
  }
}

}  // namespace
}  // namespace slipway::cas
