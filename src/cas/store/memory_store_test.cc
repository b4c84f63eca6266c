#include "base/testing/status_matchers.h"
#include "cas/blob_store_contract.h"
#include "cas/errors.h"
#include "cas/store/stores.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace slipway::cas {
namespace {

using base::testing::IsOkAndHolds;
using base::testing::StatusIs;
using ::testing::HasSubstr;

class MemoryWorld : public BlobStoreWorld {
 public:
  BlobStore& store() override { return *store_; }

 private:
  std::unique_ptr<BlobStore> store_ = MakeMemoryStore(64 << 20);
};

INSTANTIATE_TEST_SUITE_P(Memory, BlobStoreContract, ::testing::Values(BlobStoreContractOf([] {
                           return std::make_unique<MemoryWorld>();
                         })));

TEST(MemoryStore, TheQuotaHoldsForBlobsAndForUploads) {
  const auto store = MakeMemoryStore(10'000);
  const std::string text = BlobText(1, 6000);
  const Digest digest = DigestOf(base::AsBytes(text));
  ASSERT_OK(PutBytes(*store, digest, base::AsBytes(text)));
  const std::string more = BlobText(2, 5000);
  const Digest more_digest = DigestOf(base::AsBytes(more));
  const absl::Status status = PutBytes(*store, more_digest, base::AsBytes(more));
  EXPECT_THAT(status, StatusIs(absl::StatusCode::kResourceExhausted, HasSubstr("10000")));
  CasError kind = CasError::kInternal;
  EXPECT_TRUE(IsCasError(status, &kind));
  EXPECT_EQ(kind, CasError::kNoSpace);
  EXPECT_THAT(store->Contains(more_digest), IsOkAndHolds(false));

  // What failed and what was given up holds no space.
  const std::string fits = BlobText(3, 4000);
  const Digest fits_digest = DigestOf(base::AsBytes(fits));
  {
    auto given_up = store->Store(fits_digest);
    ASSERT_OK(given_up);
    ASSERT_OK((*given_up)->Append(base::AsBytes(fits)));
    EXPECT_THAT(PutBytes(*store, fits_digest, base::AsBytes(fits)),
                StatusIs(absl::StatusCode::kResourceExhausted));
  }
  EXPECT_OK(PutBytes(*store, fits_digest, base::AsBytes(fits)));
  EXPECT_THAT(store->Store({{}, 10'001}), StatusIs(absl::StatusCode::kResourceExhausted));
}

TEST(MemoryStore, ABlobStoredTwiceAtOnceTakesItsSpaceOnce) {
  const auto store = MakeMemoryStore(10'000);
  const std::string text = BlobText(1, 4000);
  const Digest digest = DigestOf(base::AsBytes(text));
  {
    auto first = store->Store(digest);
    auto second = store->Store(digest);
    ASSERT_OK((*first)->Append(base::AsBytes(text)));
    ASSERT_OK((*second)->Append(base::AsBytes(text)));
    ASSERT_OK((*first)->Commit());
    ASSERT_OK((*second)->Commit());
  }
  const std::string rest = BlobText(2, 6000);
  EXPECT_OK(PutBytes(*store, DigestOf(base::AsBytes(rest)), base::AsBytes(rest)));
}

}  // namespace
}  // namespace slipway::cas
