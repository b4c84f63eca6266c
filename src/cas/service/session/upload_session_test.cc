#include "cas/service/session/upload_session.h"

#include "base/testing/status_matchers.h"
#include "cas/service/session/download_session.h"
#include "cas/service/session/test_store.h"

namespace slipway::cas {
namespace {

using absl::StatusCode;
using base::testing::IsOkAndHolds;
using base::testing::StatusIs;
using ::testing::AllOf;
using ::testing::HasSubstr;
using ::testing::Not;

WireResource ResourceOf(const Digest& digest, bool range = true) {
  WireResource resource;
  resource.has_digest = true;
  resource.size_bytes = digest.size_bytes;
  resource.blake3 = std::string(digest.blake3.begin(), digest.blake3.end());
  resource.has_range = range;
  return resource;
}

UploadMessage Metadata(const WireResource& resource) {
  UploadMessage message;
  message.kind = UploadMessage::Kind::kMetadata;
  message.metadata = resource;
  return message;
}

UploadMessage Chunk(absl::string_view text) {
  UploadMessage message;
  message.kind = UploadMessage::Kind::kChunk;
  message.chunk = {base::AsBytes(text)};
  message.chunk_bytes = text.size();
  return message;
}

Digest Of(absl::string_view text) { return DigestOf(base::AsBytes(text)); }

TEST(UploadSession, StoresWhatCameInPieces) {  // Z13
  TestStore store;
  UploadSession session(store);
  EXPECT_OK(session.OnMessage(Metadata(ResourceOf(Of("hello world")))));
  EXPECT_OK(session.OnMessage(Chunk("hello ")));
  EXPECT_OK(session.OnMessage(Chunk("")));
  EXPECT_OK(session.OnMessage(Chunk("world")));
  EXPECT_FALSE(store.Has(Of("hello world")));  // not before the end
  EXPECT_THAT(session.OnEnd(), IsOkAndHolds(11u));
  EXPECT_TRUE(store.Has(Of("hello world")));
}

TEST(UploadSession, StoresTheEmptyBlobWithoutAChunk) {  // Z13
  TestStore store;
  UploadSession session(store);
  EXPECT_OK(session.OnMessage(Metadata(ResourceOf(Of(""), /*range=*/false))));
  EXPECT_THAT(session.OnEnd(), IsOkAndHolds(0u));
  EXPECT_TRUE(store.Has(Of("")));
}

TEST(UploadSession, RefusesAFirstMessageThatIsNoMetadata) {  // Z13, Z47
  TestStore store;
  EXPECT_THAT(UploadSession(store).OnMessage(Chunk("x")),
              StatusIs(StatusCode::kFailedPrecondition, "first message must be metadata"));
  EXPECT_THAT(UploadSession(store).OnMessage(UploadMessage()),
              StatusIs(StatusCode::kFailedPrecondition, "first message must be metadata"));
  EXPECT_THAT(UploadSession(store).OnEnd(),
              StatusIs(StatusCode::kFailedPrecondition, "first message must be metadata"));
}

TEST(UploadSession, RefusesMetadataAgainAndEmptyMessages) {  // Z13
  TestStore store;
  UploadSession session(store);
  const UploadMessage metadata = Metadata(ResourceOf(Of("hello")));
  EXPECT_OK(session.OnMessage(metadata));
  EXPECT_THAT(session.OnMessage(metadata),
              StatusIs(StatusCode::kInvalidArgument, HasSubstr("metadata came again")));
  UploadSession other(store);
  EXPECT_OK(other.OnMessage(metadata));
  EXPECT_THAT(other.OnMessage(UploadMessage()), StatusIs(StatusCode::kInvalidArgument));
}

TEST(UploadSession, SaysAtOnceThatTheBlobIsThere) {  // Z13
  TestStore store;
  store.Add("hello");
  UploadSession session(store);
  EXPECT_THAT(session.OnMessage(Metadata(ResourceOf(Of("hello")))),
              StatusIs(StatusCode::kAlreadyExists, HasSubstr(Of("hello").ToString())));
}

TEST(UploadSession, RefusesAMalformedDigestOrRange) {  // Z13, Z47
  TestStore store;
  WireResource no_digest;
  EXPECT_THAT(UploadSession(store).OnMessage(Metadata(no_digest)),
              StatusIs(StatusCode::kInvalidArgument, HasSubstr("digest is missing")));
  WireResource short_hash = ResourceOf(Of("hello"));
  short_hash.blake3.pop_back();
  EXPECT_THAT(UploadSession(store).OnMessage(Metadata(short_hash)),
              StatusIs(StatusCode::kInvalidArgument, HasSubstr("31")));
  WireResource no_length = ResourceOf(Of("hello"));
  no_length.length = 0;
  EXPECT_THAT(UploadSession(store).OnMessage(Metadata(no_length)),
              StatusIs(StatusCode::kInvalidArgument));
  WireResource part = ResourceOf(Of("hello"));
  part.length = 3;
  EXPECT_THAT(UploadSession(store).OnMessage(Metadata(part)),
              StatusIs(StatusCode::kInvalidArgument, HasSubstr("whole blob")));
  WireResource resume = ResourceOf(Of("hello"));
  resume.start = 3;
  EXPECT_THAT(UploadSession(store).OnMessage(Metadata(resume)),
              StatusIs(StatusCode::kFailedPrecondition, HasSubstr("begin at 0")));
  EXPECT_EQ(store.size(), 0u);
  EXPECT_EQ(store.writers(), 0);
}

TEST(UploadSession, LeavesNothingOfWrongBytes) {  // Z14
  TestStore store;
  {
    UploadSession longer(store);
    EXPECT_OK(longer.OnMessage(Metadata(ResourceOf(Of("hello")))));
    EXPECT_THAT(longer.OnMessage(Chunk("hello!")), StatusIs(StatusCode::kInvalidArgument));
    UploadSession shorter(store);
    EXPECT_OK(shorter.OnMessage(Metadata(ResourceOf(Of("hello")))));
    EXPECT_OK(shorter.OnMessage(Chunk("hell")));
    EXPECT_THAT(shorter.OnEnd(),
                StatusIs(StatusCode::kInvalidArgument, AllOf(HasSubstr("5"), HasSubstr("4"))));
    UploadSession other(store);
    EXPECT_OK(other.OnMessage(Metadata(ResourceOf(Of("hello")))));
    EXPECT_OK(other.OnMessage(Chunk("HELLO")));
    EXPECT_THAT(other.OnEnd(),
                StatusIs(StatusCode::kInvalidArgument,
                         AllOf(HasSubstr(Of("hello").Hex()), HasSubstr(Of("HELLO").Hex()))));
    UploadSession vanished(store);
    EXPECT_OK(vanished.OnMessage(Metadata(ResourceOf(Of("hello")))));
    EXPECT_OK(vanished.OnMessage(Chunk("hello")));
    vanished.Abort();
  }
  EXPECT_EQ(store.size(), 0u);
  EXPECT_EQ(store.writers(), 0);
}

TEST(UploadSession, TellsAFullDiskButNoPathOfTheServer) {  // Z2; column CAS of 7.2
  TestStore store;
  const Digest digest = Of("hello");
  store.Fail(IoError(digest, "write", absl::ResourceExhaustedError("write /var/lib/x: no space")));
  EXPECT_THAT(UploadSession(store).OnMessage(Metadata(ResourceOf(digest))),
              StatusIs(StatusCode::kResourceExhausted,
                       AllOf(HasSubstr(digest.ToString()), Not(HasSubstr("/var")))));
  for (const absl::Status& failure :
       {IoError(digest, "write", absl::DataLossError("write /var/lib/x: input/output error")),
        absl::PermissionDeniedError("open /var/lib/x"), absl::NotFoundError("open /var/lib/x"),
        absl::UnknownError("/var/lib/x"), CorruptError(digest)}) {
    store.Fail(failure);
    EXPECT_THAT(UploadSession(store).OnMessage(Metadata(ResourceOf(digest))),
                StatusIs(StatusCode::kInternal, Not(HasSubstr("/var"))))
        << failure;
  }
  store.Fail(absl::UnavailableError("upstream at /var/run/x"));
  EXPECT_THAT(UploadSession(store).OnMessage(Metadata(ResourceOf(digest))),
              StatusIs(StatusCode::kUnavailable, Not(HasSubstr("/var"))));
}

absl::StatusOr<std::string> ReadAll(DownloadSession& session, size_t step) {
  std::string text;
  std::vector<uint8_t> buffer(step);
  while (true) {
    SLIPWAY_ASSIGN_OR_RETURN(const size_t size, session.Next(absl::MakeSpan(buffer)));
    if (size == 0) return text;
    text.append(buffer.begin(), buffer.begin() + static_cast<ptrdiff_t>(size));
  }
}

TEST(DownloadSession, ReadsTheRangeInSteps) {  // Z12, Z16
  TestStore store;
  const Digest digest = store.Add("hello world");
  const auto read = [&](uint64_t start, std::optional<uint64_t> length) {
    DownloadSession session(store);
    WireResource resource = ResourceOf(digest);
    resource.start = start;
    resource.length = length;
    const absl::Status status = session.Open(resource);
    return status.ok() ? ReadAll(session, 3) : absl::StatusOr<std::string>(status);
  };
  EXPECT_THAT(read(0, std::nullopt), IsOkAndHolds("hello world"));
  EXPECT_THAT(read(6, std::nullopt), IsOkAndHolds("world"));
  EXPECT_THAT(read(4, 3), IsOkAndHolds("o w"));
  EXPECT_THAT(read(11, std::nullopt), StatusIs(StatusCode::kInvalidArgument, HasSubstr("11")));
  EXPECT_THAT(read(4, 8), StatusIs(StatusCode::kInvalidArgument, HasSubstr("11")));
  EXPECT_THAT(read(0, 0), StatusIs(StatusCode::kInvalidArgument));
  EXPECT_THAT(read(2, UINT64_MAX), StatusIs(StatusCode::kInvalidArgument));
}

TEST(DownloadSession, TheEmptyBlobHasNoBytes) {  // Z3
  TestStore store;
  const Digest digest = store.Add("");
  DownloadSession session(store);
  ASSERT_OK(session.Open(ResourceOf(digest)));
  EXPECT_THAT(ReadAll(session, 3), IsOkAndHolds(""));
}

TEST(DownloadSession, SaysWhatIsMissing) {  // Z12
  TestStore store;
  const Digest digest = store.Add("hello");
  EXPECT_THAT(DownloadSession(store).Open(std::nullopt),
              StatusIs(StatusCode::kInvalidArgument, HasSubstr("metadata is missing")));
  EXPECT_THAT(DownloadSession(store).Open(WireResource()),
              StatusIs(StatusCode::kInvalidArgument, HasSubstr("digest is missing")));
  EXPECT_THAT(DownloadSession(store).Open(ResourceOf(digest, /*range=*/false)),
              StatusIs(StatusCode::kInvalidArgument, HasSubstr("range is missing")));
  EXPECT_THAT(DownloadSession(store).Open(ResourceOf(Of("absent"))),
              StatusIs(StatusCode::kNotFound, HasSubstr(Of("absent").ToString())));
}

TEST(DownloadSession, ABlobThatEndsTooEarlyIsNoSuccess) {
  TestStore store;
  const Digest digest = store.Add("hello world");
  store.Damage(digest, "hello");
  DownloadSession session(store);
  ASSERT_OK(session.Open(ResourceOf(digest)));
  EXPECT_THAT(ReadAll(session, 3), StatusIs(StatusCode::kInternal));
}

TEST(DownloadSession, AFailingDiskIsAnInternalErrorWithoutAPath) {  // Z12
  TestStore store;
  const Digest digest = store.Add("hello");
  DownloadSession session(store);
  ASSERT_OK(session.Open(ResourceOf(digest)));
  store.Fail(absl::DataLossError("read /var/lib/x: input/output error"));
  uint8_t buffer[8];
  EXPECT_THAT(session.Next(buffer), StatusIs(StatusCode::kInternal, Not(HasSubstr("/var"))));
}

}  // namespace
}  // namespace slipway::cas
