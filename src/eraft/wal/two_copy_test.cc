#include "eraft/wal/two_copy.h"

#include <cerrno>

#include "base/sim/files.h"
#include "base/testing/status_matchers.h"
#include "eraft/wal/limits.h"
#include "eraft/wal/node_files.h"

namespace slipway::eraft::wal {
namespace {

using absl::StatusCode;
using base::AsBytes;
using base::AsText;
using base::sim::Loss;
using ::slipway::base::testing::StatusIs;
using ::testing::AnyOf;
using ::testing::Eq;
using ::testing::HasSubstr;

std::unique_ptr<base::Dir> Root(base::sim::Files& files) {
  base::Owned<base::Dir> root = files.OpenRoot("/");
  EXPECT_OK(root);
  return *std::move(root);
}

std::string Reopened(base::sim::Files& files) {
  const auto root = Root(files);
  const absl::StatusOr<TwoCopyFile> file = TwoCopyFile::Open(*root, "F");
  return file.ok() ? std::string(AsText(file->payload())) : file.status().ToString();
}

TEST(TwoCopy, WritesInTurnAndReadsTheNewest) {  // E163
  base::sim::Files files(1);
  const auto root = Root(files);
  EXPECT_THAT(TwoCopyFile::Open(*root, "F"), StatusIs(StatusCode::kNotFound));
  ASSERT_OK_AND_ASSIGN(TwoCopyFile file, TwoCopyFile::Create(*root, "F", AsBytes("one")));
  EXPECT_EQ(file.generation(), 2u);
  EXPECT_THAT(TwoCopyFile::Create(*root, "F", {}), StatusIs(StatusCode::kAlreadyExists));
  ASSERT_OK_AND_ASSIGN(const std::string second, files.Read("F.2"));
  ASSERT_OK(file.Write(AsBytes("two, longer")));
  EXPECT_EQ(*files.Read("F.2"), second);
  ASSERT_OK(file.Write(AsBytes("3")));
  EXPECT_NE(*files.Read("F.2"), second);
  files.Reboot(Loss::kLoseAllUnsynced);
  EXPECT_EQ(Reopened(files), "3");
}

// What stands behind a copy does not count, and does not stand in the way of the other one.
TEST(TwoCopy, ACopyThatGrewIsNoHindrance) {
  base::sim::Files files(1);
  const auto root = Root(files);
  ASSERT_OK(TwoCopyFile::Create(*root, "F", AsBytes("one")).status());
  for (const char* name : {"F", "F.2"}) {
    ASSERT_OK_AND_ASSIGN(const auto file, root->Open(name, {.write = true}));
    ASSERT_OK(file->Truncate(kTwoCopyHeaderBytes + kTwoCopyBytesMax + 1));
    EXPECT_EQ(Reopened(files), "one") << name;
  }
}

TEST(TwoCopy, PowerLossLeavesTheOldOrTheNew) {  // S24
  for (int n = 1; n < 100; ++n) {
    bool off = false;
    for (uint64_t attempt = 0; attempt < 10; ++attempt) {
      base::sim::Files files(attempt);
      const auto root = Root(files);
      ASSERT_OK_AND_ASSIGN(TwoCopyFile file,
                           TwoCopyFile::Create(*root, "F", AsBytes(std::string(700, 'a'))));
      files.Settle();
      files.PowerLossAt(n);
      std::string acked = std::string(700, 'a');
      std::string next;
      for (const char c : {'b', 'c', 'd'}) {
        next = std::string(600 + static_cast<size_t>(c), c);
        if (!file.Write(AsBytes(next)).ok()) break;
        acked = next;
      }
      off = files.off();
      files.Reboot(Loss::kSeeded, attempt);
      EXPECT_THAT(Reopened(files), AnyOf(Eq(acked), Eq(next))) << n << " " << attempt;
    }
    if (!off) return;
  }
  FAIL() << "it never came to an end";
}

TEST(TwoCopy, CreationIsNothingOrWhole) {
  for (int n = 1; n < 100; ++n) {
    base::sim::Files files(static_cast<uint64_t>(n));
    const auto root = Root(files);
    files.PowerLossAt(n);
    const bool created = TwoCopyFile::Create(*root, "F", AsBytes("x")).ok();
    const bool off = files.off();
    files.Reboot();
    if (created) {
      EXPECT_EQ(Reopened(files), "x");
      if (!off) return;
    } else {
      // What nobody was told of may be there, whole; or it may be read as never made.
      const auto again = Root(files);
      const auto state = ReadTwoCopy(*again, "F");
      ASSERT_OK(state);
      EXPECT_TRUE(!state->newest.has_value() || AsText(state->newest->payload) == "x");
    }
  }
}

// What a failed sync left in the cache is not durable, whatever later syncs say.
TEST(TwoCopy, WhatOpenReturnsIsDurableEvenAfterAFailedSync) {  // E114
  for (int n = 1; n <= 2; ++n) {                               // the write, the sync
    base::sim::Files files(3);
    const auto root = Root(files);
    ASSERT_OK_AND_ASSIGN(TwoCopyFile file, TwoCopyFile::Create(*root, "F", AsBytes("old")));
    files.Settle();
    files.FailAt(n, base::ErrnoError(EIO, "disk"));
    EXPECT_FALSE(file.Write(AsBytes("new")).ok());
    EXPECT_THAT(file.Write(AsBytes("newer")), StatusIs(StatusCode::kDataLoss));
    files.Reboot(Loss::kKeepAll);  // the process ended, the machine did not
    const std::string seen = Reopened(files);
    files.Reboot(Loss::kLoseAllUnsynced);
    EXPECT_EQ(Reopened(files), seen) << n;
  }
}

TEST(TwoCopy, EachFlippedByteOfACopyIsFoundOrHarmless) {  // E406
  base::sim::Files files(1);
  const auto root = Root(files);
  ASSERT_OK_AND_ASSIGN(TwoCopyFile file, TwoCopyFile::Create(*root, "F", AsBytes("the older")));
  ASSERT_OK(file.Write(AsBytes("the newest")));  // in F
  files.Settle();
  for (const std::string name : {"F", "F.2"}) {
    ASSERT_OK_AND_ASSIGN(const std::string bytes, files.Read(name));
    for (size_t i = 0; i < bytes.size(); ++i) {
      base::sim::Files flipped = files;
      const auto dir = Root(flipped);
      ASSERT_OK_AND_ASSIGN(const auto target, dir->Open(name, {.write = true}));
      const std::string other(1, static_cast<char>(bytes[i] ^ 0x20));
      ASSERT_OK(target->WriteAt(i, AsBytes(other)));
      ASSERT_OK_AND_ASSIGN(const TwoCopyFile found, TwoCopyFile::Open(*dir, "F"));
      EXPECT_EQ(AsText(found.payload()), name == "F" ? "the older" : "the newest") << name << i;
      EXPECT_EQ(found.damaged_copies(), 1);
    }
  }
}

TEST(TwoCopy, TwoDamagedCopiesAreDataLoss) {
  base::sim::Files files(1);
  const auto root = Root(files);
  ASSERT_OK(TwoCopyFile::Create(*root, "F", AsBytes("text")));
  for (const char* name : {"F", "F.2"}) {
    ASSERT_OK_AND_ASSIGN(const auto file, root->Open(name, {.write = true}));
    ASSERT_OK(file->WriteAt(25, AsBytes("X")));
  }
  EXPECT_THAT(TwoCopyFile::Open(*root, "F"), StatusIs(StatusCode::kDataLoss, HasSubstr("2 dama")));
}

TEST(TwoCopy, AnotherVersionIsNamed) {
  base::Bytes bytes = EncodeTwoCopy({7, {1, 2, 3}});
  ASSERT_OK(DecodeTwoCopy(bytes));
  EXPECT_THAT(DecodeTwoCopy(base::BytesView(bytes).subspan(0, 26)),
              StatusIs(StatusCode::kDataLoss));
  EXPECT_THAT(DecodeTwoCopy({}), StatusIs(StatusCode::kDataLoss));
}

TEST(NodeFiles, IdentityAndHardComeBack) {  // spec 6.5
  Identity identity;
  identity.cluster.fill(9);
  identity.node = 3;
  identity.incarnation = 77;
  identity.engine = "rocksdb";
  identity.created = absl::FromUnixSeconds(1'700'000'000);
  base::Bytes bytes = EncodeIdentity(identity);
  ASSERT_OK_AND_ASSIGN(const Identity back, DecodeIdentity(bytes));
  EXPECT_EQ(back, identity);
  for (size_t size = 0; size < bytes.size(); ++size) {
    EXPECT_THAT(DecodeIdentity(base::BytesView(bytes).subspan(0, size)),
                StatusIs(StatusCode::kDataLoss));
  }
  bytes[0] = 2;
  EXPECT_THAT(DecodeIdentity(bytes), StatusIs(StatusCode::kFailedPrecondition, HasSubstr("2")));

  HardCopies hard{.durable_sequence = 5, .groups = {{1, {4, 2, 9}}, {900, {1, 0, 0}}}};
  const base::Bytes encoded = EncodeHard(hard);
  ASSERT_OK_AND_ASSIGN(const HardCopies again, DecodeHard(encoded));
  EXPECT_EQ(again.groups, hard.groups);
  EXPECT_EQ(again.durable_sequence, 5u);
  for (size_t size = 0; size < encoded.size(); ++size) {
    EXPECT_THAT(DecodeHard(base::BytesView(encoded).subspan(0, size)),
                StatusIs(StatusCode::kDataLoss));
  }
}

}  // namespace
}  // namespace slipway::eraft::wal
