#include "eraft/transport/link/incarnations.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <map>
#include <memory>
#include <string>

#include "base/sim/files.h"
#include "base/testing/status_matchers.h"

namespace slipway::eraft {
namespace {

using ::slipway::base::testing::StatusIs;
using ::testing::HasSubstr;
using ::testing::Optional;

std::unique_ptr<base::Dir> OpenDir(base::Files& files) { return files.MakeRoot("/node").value(); }

TEST(Peers, TheExampleOfTheFormatIsRead) {
  const std::map<raft::NodeId, uint64_t> known = {{2, 0x0123456789abcdef}, {10, 1}};
  const std::string text =
      "eraft peers 1\n"
      "2 0123456789abcdef\n"
      "10 0000000000000001\n"
      "crc 5dd46fa0\n";
  EXPECT_EQ(EncodePeers(known), text);
  EXPECT_THAT(DecodePeers(EncodePeers(known)), base::testing::IsOkAndHolds(known));
}

TEST(Peers, NoByteCanChangeUnseen) {  // E163
  const std::string text = EncodePeers({{2, 0x0123456789abcdef}, {10, 1}});
  for (size_t at = 0; at < text.size(); ++at) {
    for (const int flip : {1, 0x10, 0x20}) {
      std::string bad = text;
      bad[at] = static_cast<char>(bad[at] ^ flip);
      EXPECT_FALSE(DecodePeers(bad).ok()) << bad;
    }
    EXPECT_FALSE(DecodePeers(text.substr(0, at)).ok());
  }
  EXPECT_THAT(DecodePeers("eraft peers 2\n"), StatusIs(absl::StatusCode::kFailedPrecondition));
}

TEST(Peers, WhatIsRememberedStaysUntilItIsForgotten) {  // E123
  base::sim::Files files(1);
  const auto dir = OpenDir(files);
  {
    ASSERT_OK_AND_ASSIGN(const auto peers, PeersFile::Open(*dir));
    EXPECT_EQ(peers->Get(2), std::nullopt);
    ASSERT_OK(peers->Remember(2, 20));
    ASSERT_OK(peers->Remember(3, 30));
    EXPECT_OK(peers->Remember(2, 20)) << "twice is once";
    EXPECT_THAT(peers->Remember(2, 21), StatusIs(absl::StatusCode::kFailedPrecondition));
  }
  ASSERT_OK_AND_ASSIGN(const auto peers, PeersFile::Open(*dir));
  EXPECT_THAT(peers->Get(2), Optional(20u));
  EXPECT_THAT(peers->Get(3), Optional(30u));
  ASSERT_OK(peers->Forget(2));
  ASSERT_OK(peers->Forget(7));
  ASSERT_OK(peers->Remember(2, 21));
  ASSERT_OK_AND_ASSIGN(const auto again, PeersFile::Open(*dir));
  EXPECT_THAT(again->Get(2), Optional(21u));
}

TEST(Peers, WhatTheGroupDecidesReplacesWhatWasMet) {  // E416
  base::sim::Files files(1);
  const auto dir = OpenDir(files);
  {
    ASSERT_OK_AND_ASSIGN(const auto peers, PeersFile::Open(*dir));
    ASSERT_OK(peers->Remember(2, 20));
    ASSERT_OK(peers->Replace(2, 21));
    ASSERT_OK(peers->Replace(3, 31)) << "nor need it have been met";
    EXPECT_THAT(peers->Remember(2, 20), StatusIs(absl::StatusCode::kFailedPrecondition));
  }
  ASSERT_OK_AND_ASSIGN(const auto peers, PeersFile::Open(*dir));
  EXPECT_THAT(peers->Get(2), Optional(21u));
  EXPECT_THAT(peers->Get(3), Optional(31u));
}

TEST(Peers, ADamagedFileIsToldAndKept) {
  base::sim::Files files(1);
  const auto dir = OpenDir(files);
  ASSERT_OK(base::WriteFileDurably(*dir, PeersFile::kName, "eraft peers 1\ncrc 00000000\n"));
  EXPECT_THAT(PeersFile::Open(*dir), StatusIs(absl::StatusCode::kDataLoss, HasSubstr("PEERS")));
  EXPECT_OK(dir->Stat(PeersFile::kName));
}

TEST(Peers, APowerLossLeavesTheOldOrTheNewFile) {  // E123
  base::sim::Files before(7);
  {
    const auto dir = OpenDir(before);
    ASSERT_OK_AND_ASSIGN(const auto peers, PeersFile::Open(*dir));
    ASSERT_OK(peers->Remember(2, 20));
    ASSERT_OK(dir->SyncFilesystem());
  }
  for (int n = 1;; ++n) {
    ASSERT_LT(n, 100);
    base::sim::Files files = before;
    absl::Status status;
    bool done = false;
    {
      const auto dir = OpenDir(files);
      ASSERT_OK_AND_ASSIGN(const auto peers, PeersFile::Open(*dir));
      files.PowerLossAt(n);
      status = peers->Remember(3, 30);
      done = !files.off();
    }
    base::sim::Files after = files.AfterReboot();
    const auto dir = OpenDir(after);
    ASSERT_OK_AND_ASSIGN(const auto peers, PeersFile::Open(*dir));
    EXPECT_THAT(peers->Get(2), Optional(20u));
    if (status.ok()) {
      EXPECT_THAT(peers->Get(3), Optional(30u));
    }
    if (done) break;
  }
}

}  // namespace
}  // namespace slipway::eraft
