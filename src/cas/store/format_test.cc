#include "cas/store/format.h"

#include <fstream>
#include <sstream>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "base/testing/status_matchers.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace slipway::cas {
namespace {

using absl::StatusCode;
using base::testing::IsOkAndHolds;
using base::testing::StatusIs;

// The example of docs/formats/cas-store.md.
base::Bytes Example() {
  std::ifstream in(SLIPWAY_TEST_SOURCE_DIR "/../../../docs/formats/cas-store.md");
  std::stringstream page;
  page << in.rdbuf();
  const std::string text = page.str();
  const size_t from = text.find("```hex\n") + 7;
  std::string hex;
  for (const absl::string_view line :
       absl::StrSplit(text.substr(from, text.find("```", from) - from), '\n')) {
    for (const char c : line.substr(0, line.find('#'))) {
      if (c != ' ') hex.push_back(c);
    }
  }
  return base::FromHex(hex).value();
}

IndexRecord ExampleRecord() {
  IndexRecord record;
  record.size_bytes = 5;
  record.stored_bytes = 5;
  record.created_s = 1'705'744'800;
  record.accessed_s = 1'705'744'860;
  record.inode = 1234;
  record.mtime_ns = 1'705'744'800'000'000'000;
  return record;
}

TEST(Format, TheExampleOfTheDocumentIsWhatTheCodeReadsAndWrites) {  // S12
  const base::Bytes example = Example();
  ASSERT_EQ(example.size(), kRecordBytes);
  EXPECT_THAT(DecodeRecord(example), IsOkAndHolds(ExampleRecord()));
  const RecordBytes encoded = EncodeRecord(ExampleRecord());
  EXPECT_EQ(base::ToHex(encoded), base::ToHex(example));
}

TEST(Format, RecordsOfAnotherShapeAreRefused) {
  const RecordBytes good = EncodeRecord(ExampleRecord());
  for (size_t size = 0; size < kRecordBytes; ++size) {
    EXPECT_THAT(DecodeRecord(base::BytesView(good).first(size)), StatusIs(StatusCode::kDataLoss));
  }
  base::Bytes longer(good.begin(), good.end());
  longer.push_back(0);
  EXPECT_THAT(DecodeRecord(longer), StatusIs(StatusCode::kDataLoss));
  for (const size_t at : {0u, 1u}) {
    RecordBytes bad = good;
    bad[at] = 9;
    EXPECT_THAT(DecodeRecord(bad), StatusIs(StatusCode::kDataLoss));
  }
}

TEST(Format, NamesOfObjectsAreTheirHashes) {  // Z71
  const Hash hash = DigestOf(base::AsBytes("x")).blake3;
  const std::string hex = base::ToHex(hash);
  EXPECT_EQ(ObjectPath(hash), absl::StrCat(hex.substr(0, 2), "/", hex.substr(2)));
  EXPECT_EQ(ObjectName(hash), hex.substr(2));
  EXPECT_EQ(HashOfObject(hex.substr(0, 2), hex.substr(2)), hash);
  EXPECT_EQ(HashOfObject(hex.substr(0, 2), hex.substr(2) + ".zst"), std::nullopt);
  EXPECT_EQ(HashOfObject(hex.substr(0, 3), hex.substr(3)), std::nullopt);
  EXPECT_EQ(HashOfObject("", hex), std::nullopt);
  EXPECT_EQ(FanOutName(0), "00");
  EXPECT_EQ(FanOutName(255), "ff");
}

TEST(Format, AMarkIsReadBackAndEveryDamageIsSeen) {
  const CleanMark mark{7, 4096, DigestOf(base::AsBytes("index")).blake3};
  const std::string good = EncodeMark(mark);
  ASSERT_EQ(good.size(), kMarkBytes);
  EXPECT_THAT(DecodeMark(base::AsBytes(good)), IsOkAndHolds(mark));
  for (size_t i = 0; i < good.size(); ++i) {
    std::string bad = good;
    bad[i] = static_cast<char>(bad[i] ^ 0x10);
    EXPECT_THAT(DecodeMark(base::AsBytes(bad)), StatusIs(StatusCode::kDataLoss));
    EXPECT_THAT(DecodeMark(base::AsBytes(good.substr(0, i))), StatusIs(StatusCode::kDataLoss));
  }
}

}  // namespace
}  // namespace slipway::cas
