#include "base/recordlog/recordlog.h"

#include <algorithm>
#include <cerrno>
#include <fstream>
#include <iterator>
#include <sstream>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "base/sim/files.h"
#include "base/testing/forwarding_files.h"
#include "base/testing/status_matchers.h"

namespace slipway::base {
namespace {

using ::slipway::base::testing::StatusIs;
using ::testing::ElementsAre;
using ::testing::HasSubstr;

std::vector<std::string> Payloads() {
  // Of many sectors, of a few bytes, of zeros, and one that looks like a header.
  return {"first", std::string(3000, 'x'), std::string(700, '\0'), std::string("\1\0\0\0", 4),
          "last one"};
}

std::string LogOf(const std::vector<std::string>& payloads) {
  std::string bytes;
  for (const std::string& payload : payloads) bytes += EncodeRecord(payload);
  return bytes;
}

bool IsPrefix(const std::vector<std::string>& prefix, const std::vector<std::string>& whole) {
  return prefix.size() <= whole.size() && std::equal(prefix.begin(), prefix.end(), whole.begin());
}

TEST(RecordLogFormat, DecodesWhatItEncodes) {
  const std::string bytes = LogOf(Payloads());
  ASSERT_OK_AND_ASSIGN(const RecordLogContents contents, DecodeRecordLog(AsBytes(bytes)));
  EXPECT_EQ(contents.records, Payloads());
  EXPECT_EQ(contents.valid_bytes, bytes.size());
  EXPECT_FALSE(contents.torn);
  ASSERT_OK_AND_ASSIGN(const RecordLogContents empty, DecodeRecordLog(BytesView()));
  EXPECT_TRUE(empty.records.empty());
  EXPECT_FALSE(empty.torn);
}

TEST(RecordLogFormat, EveryTruncationKeepsTheWholeRecordsBeforeIt) {
  const std::string bytes = LogOf(Payloads());
  for (size_t size = 0; size < bytes.size(); ++size) {
    const absl::StatusOr<RecordLogContents> contents =
        DecodeRecordLog(AsBytes(bytes).subspan(0, size));
    ASSERT_OK(contents) << size;
    std::vector<std::string> whole;
    size_t end = 0;
    for (const std::string& payload : Payloads()) {
      if (end + kRecordHeaderBytes + payload.size() > size) break;
      end += kRecordHeaderBytes + payload.size();
      whole.push_back(payload);
    }
    ASSERT_EQ(contents->records, whole) << size;
    ASSERT_EQ(contents->valid_bytes, end) << size;
    ASSERT_EQ(contents->torn, end != size) << size;
  }
}

TEST(RecordLogFormat, EveryFlippedByteIsFound) {
  const std::string bytes = LogOf(Payloads());
  const size_t last = bytes.size() - kRecordHeaderBytes - Payloads().back().size();
  std::vector<std::string> before = Payloads();
  before.pop_back();
  for (size_t at = 0; at < bytes.size(); ++at) {
    for (const int flip : {0x01, 0x80, 0xff}) {
      std::string damaged = bytes;
      damaged[at] = static_cast<char>(damaged[at] ^ flip);
      const absl::StatusOr<RecordLogContents> contents = DecodeRecordLog(AsBytes(damaged));
      if (at < last) {
        ASSERT_THAT(contents, StatusIs(absl::StatusCode::kDataLoss)) << at;
      } else {  // as after a crash while the last record was written
        ASSERT_OK(contents) << at;
        ASSERT_EQ(contents->records, before) << at;
        ASSERT_TRUE(contents->torn) << at;
      }
    }
  }
}

TEST(RecordLogFormat, ZerosAreATornTailAndNoRecords) {
  const std::string bytes = EncodeRecord("one") + std::string(4096, '\0');
  ASSERT_OK_AND_ASSIGN(const RecordLogContents contents, DecodeRecordLog(AsBytes(bytes)));
  EXPECT_THAT(contents.records, ElementsAre("one"));
  EXPECT_TRUE(contents.torn);
}

TEST(RecordLogFormat, ClaimsBeyondTheLimitAreRefused) {
  std::string bytes(kRecordHeaderBytes + kRecordBytesMax + 1, 'x');
  StoreLittle<uint32_t>(reinterpret_cast<uint8_t*>(bytes.data()), kRecordBytesMax + 1);
  EXPECT_THAT(DecodeRecordLog(AsBytes(bytes)),
              StatusIs(absl::StatusCode::kResourceExhausted, HasSubstr("16777217")));
  bytes[3] = '\x7f';  // claims more than there is: but no Append leaves so much
  EXPECT_THAT(DecodeRecordLog(AsBytes(bytes)), StatusIs(absl::StatusCode::kDataLoss));
  bytes.pop_back();
  EXPECT_OK(DecodeRecordLog(AsBytes(bytes)));
}

TEST(RecordLogFormat, TinyRecordsHaveALimitOfTheirNumber) {
  std::string bytes;
  const std::string record = EncodeRecord("x");
  bytes.reserve((kRecordLogRecordsMax + 1) * record.size());
  for (uint64_t i = 0; i < kRecordLogRecordsMax; ++i) bytes += record;
  sim::Files files(1);
  ASSERT_OK_AND_ASSIGN(const std::unique_ptr<Dir> dir, files.OpenRoot("/"));
  ASSERT_OK(WriteFileDurably(*dir, "log", bytes));
  RecordLogContents contents;
  ASSERT_OK_AND_ASSIGN(const std::unique_ptr<RecordLog> log,
                       RecordLog::Open(*dir, "log", contents));
  EXPECT_EQ(contents.records.size(), kRecordLogRecordsMax);
  EXPECT_THAT(log->Append("y"),
              StatusIs(absl::StatusCode::kResourceExhausted, HasSubstr("4194304 records")));
  EXPECT_EQ(log->size_bytes(), bytes.size());
  bytes += record;
  EXPECT_THAT(DecodeRecordLog(AsBytes(bytes)),
              StatusIs(absl::StatusCode::kResourceExhausted, HasSubstr("4194304 records")));
}

TEST(RecordLogFormat, SearchBehindDamageIsBounded) {
  std::string bytes(kRecordHeaderBytes + kRecordBytesMax, '\0');
  for (size_t at = 1; at < bytes.size(); at += 4) bytes[at] = '\x7f';  // many claims of 32 KiB
  EXPECT_THAT(DecodeRecordLog(AsBytes(bytes)), StatusIs(absl::StatusCode::kDataLoss));
}

// The example of docs/formats/recordlog.md is what the code reads and writes (S12).
TEST(RecordLogFormat, ThePageShowsTheFormat) {
  std::ifstream in(SLIPWAY_TEST_SOURCE_DIR "/../../../docs/formats/recordlog.md");
  std::stringstream page;
  page << in.rdbuf();
  const std::string text = page.str();
  const size_t begin = text.find("```hex\n"), end = text.find("```", begin + 7);
  ASSERT_NE(begin, std::string::npos);
  ASSERT_NE(end, std::string::npos);
  std::string digits;
  for (const absl::string_view line :
       absl::StrSplit(text.substr(begin + 7, end - begin - 7), '\n')) {
    for (const char c : line.substr(0, line.find('#'))) {
      if (c != ' ') digits += c;
    }
  }
  ASSERT_OK_AND_ASSIGN(const Bytes bytes, FromHex(digits));
  ASSERT_OK_AND_ASSIGN(const RecordLogContents contents, DecodeRecordLog(bytes));
  EXPECT_THAT(contents.records, ElementsAre("123456789", "slipway"));
  EXPECT_EQ(contents.valid_bytes, bytes.size());
  EXPECT_EQ(AsText(bytes), LogOf(contents.records));
}

// Makes a log and appends all payloads; how many Appends said OK, -1 when Create did not.
int Fill(sim::Files& files) {
  const Owned<Dir> dir = files.OpenRoot("/");
  if (!dir.ok()) return -1;
  const Owned<RecordLog> log = RecordLog::Create(**dir, "log");
  if (!log.ok()) return -1;
  int acknowledged = 0;
  for (const std::string& payload : Payloads()) {
    if (!(*log)->Append(payload).ok()) return acknowledged;
    ++acknowledged;
  }
  return acknowledged;
}

// What is in the log now, which must open and take another record that stays.
std::vector<std::string> Reopen(sim::Files& files) {
  const Owned<Dir> dir = files.OpenRoot("/");
  EXPECT_OK(dir);
  RecordLogContents contents;
  Owned<RecordLog> log = RecordLog::Open(**dir, "log", contents);
  EXPECT_OK(log);
  if (!log.ok()) return {};
  EXPECT_OK((*log)->Append("after"));
  sim::Files later = files.AfterReboot(sim::Loss::kLoseAllUnsynced);
  RecordLogContents again;
  const Owned<Dir> later_dir = later.OpenRoot("/");
  EXPECT_OK(RecordLog::Open(**later_dir, "log", again));
  std::vector<std::string> expected = contents.records;
  expected.push_back("after");
  EXPECT_EQ(again.records, expected);
  return contents.records;
}

TEST(RecordLog, AcknowledgedRecordsSurvivePowerLossAtEveryOperation) {
  int losses = 0;
  for (int n = 1;; ++n) {
    sim::Files files(static_cast<uint64_t>(n));
    files.PowerLossAt(n);
    const int acknowledged = Fill(files);
    for (const sim::Loss loss : {sim::Loss::kSeeded, sim::Loss::kOrdered,
                                 sim::Loss::kLoseAllUnsynced, sim::Loss::kKeepAll}) {
      for (uint64_t attempt = 0; attempt < 10; ++attempt) {
        sim::Files after = files.AfterReboot(loss, attempt);
        if (!after.Exists("log")) {
          ASSERT_EQ(acknowledged, -1);
          continue;
        }
        const std::vector<std::string> records = Reopen(after);
        ASSERT_TRUE(IsPrefix(records, Payloads())) << n;
        ASSERT_GE(static_cast<int>(records.size()), acknowledged) << n;
        ASSERT_LE(static_cast<int>(records.size()), acknowledged + 1) << n;
        ++losses;
      }
    }
    if (!files.off()) break;
  }
  EXPECT_GT(losses, 100);
}

TEST(RecordLog, OpenedRecordsSurvivePowerLossAlsoWhenTheirWriterDied) {
  for (uint64_t seed = 0; seed < 20; ++seed) {
    sim::Files files(seed);
    files.PowerLossAt(7);  // the sync of the second Append
    EXPECT_EQ(Fill(files), 1);
    files.Reboot(sim::Loss::kKeepAll);  // the process was killed, the machine was not
    RecordLogContents seen;
    {
      ASSERT_OK_AND_ASSIGN(const std::unique_ptr<Dir> dir, files.OpenRoot("/"));
      ASSERT_OK(RecordLog::Open(*dir, "log", seen));
    }
    EXPECT_EQ(seen.records.size(), 2u);
    files.Reboot(sim::Loss::kLoseAllUnsynced);
    EXPECT_EQ(Reopen(files), seen.records);
  }
}

TEST(RecordLog, AfterAFailedAppendItTakesNoMore) {
  for (const bool sync_fails : {false, true}) {
    sim::Files files(1);
    ASSERT_OK_AND_ASSIGN(const std::unique_ptr<Dir> dir, files.OpenRoot("/"));
    ASSERT_OK_AND_ASSIGN(const std::unique_ptr<RecordLog> log, RecordLog::Create(*dir, "log"));
    ASSERT_OK(log->Append("one"));
    files.FailAt(sync_fails ? 2 : 1, ErrnoError(EIO, "disk"));
    EXPECT_THAT(log->Append("two"), StatusIs(absl::StatusCode::kDataLoss));
    EXPECT_THAT(log->Append("three"), StatusIs(absl::StatusCode::kFailedPrecondition));
    RecordLogContents contents;
    ASSERT_OK_AND_ASSIGN(const std::unique_ptr<RecordLog> anew,
                         RecordLog::Open(*dir, "log", contents));
    ASSERT_FALSE(contents.records.empty());
    EXPECT_EQ(contents.records[0], "one");
    EXPECT_OK(anew->Append("three"));
  }
}

// A directory whose files take everything and keep nothing.
class BottomlessDir : public testing::ForwardingDir {
 public:
  using ForwardingDir::ForwardingDir;
  Owned<File> Open(absl::string_view path, OpenOptions options) override {
    SLIPWAY_ASSIGN_OR_RETURN(std::unique_ptr<File> file, ForwardingDir::Open(path, options));
    return std::make_unique<Bottomless>(std::move(file));
  }

 private:
  class Bottomless : public testing::ForwardingFile {
   public:
    using ForwardingFile::ForwardingFile;
    absl::Status WriteAt(uint64_t, BytesView) override { return absl::OkStatus(); }
  };
};

TEST(RecordLog, DoesNotGrowBeyondWhatItWouldReadBack) {
  sim::Files files(1);
  BottomlessDir dir(files.OpenRoot("/").value());
  ASSERT_OK_AND_ASSIGN(const std::unique_ptr<RecordLog> log, RecordLog::Create(dir, "log"));
  const std::string payload(kRecordBytesMax, 'x');
  const uint64_t fitting = kRecordLogBytesMax / (kRecordBytesMax + kRecordHeaderBytes);
  for (uint64_t i = 0; i < fitting; ++i) ASSERT_OK(log->Append(payload));
  const uint64_t before = log->size_bytes();
  EXPECT_THAT(log->Append(payload),
              StatusIs(absl::StatusCode::kResourceExhausted, HasSubstr("1073741824 bytes")));
  EXPECT_EQ(log->size_bytes(), before);
  EXPECT_OK(log->Append(payload.substr(0, kRecordLogBytesMax - before - kRecordHeaderBytes)));
  EXPECT_EQ(log->size_bytes(), kRecordLogBytesMax);
  EXPECT_THAT(log->Append("x"), StatusIs(absl::StatusCode::kResourceExhausted));
}

TEST(RecordLog, RefusesWhatIsNoRecordAndGoesOn) {
  sim::Files files(1);
  ASSERT_OK_AND_ASSIGN(const std::unique_ptr<Dir> dir, files.OpenRoot("/"));
  ASSERT_OK_AND_ASSIGN(const std::unique_ptr<RecordLog> log, RecordLog::Create(*dir, "log"));
  EXPECT_THAT(log->Append(""), StatusIs(absl::StatusCode::kInvalidArgument));
  EXPECT_THAT(log->Append(std::string(kRecordBytesMax + 1, 'x')),
              StatusIs(absl::StatusCode::kInvalidArgument, HasSubstr("16777216")));
  EXPECT_OK(log->Append("x"));
  EXPECT_THAT(RecordLog::Create(*dir, "log"), StatusIs(absl::StatusCode::kAlreadyExists));
  RecordLogContents contents;
  EXPECT_THAT(RecordLog::Open(*dir, "none", contents), StatusIs(absl::StatusCode::kNotFound));
}

TEST(RecordLog, DamageIsReportedWithItsPlaceAndLeftAlone) {
  sim::Files files(1);
  EXPECT_EQ(Fill(files), 5);
  ASSERT_OK_AND_ASSIGN(const std::unique_ptr<Dir> dir, files.OpenRoot("/"));
  {
    ASSERT_OK_AND_ASSIGN(const std::unique_ptr<File> file, dir->Open("log", {.write = true}));
    ASSERT_OK(file->WriteAt(20, AsBytes("?")));
  }
  const absl::StatusOr<std::string> before = files.Read("log");
  RecordLogContents contents;
  EXPECT_THAT(RecordLog::Open(*dir, "log", contents),
              StatusIs(absl::StatusCode::kDataLoss, HasSubstr("byte 13")));
  EXPECT_EQ(files.Read("log"), before);
}

}  // namespace
}  // namespace slipway::base
