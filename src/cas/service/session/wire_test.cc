#include "cas/service/session/wire.h"

#include "base/testing/status_matchers.h"

namespace slipway::cas {
namespace {

using absl::StatusCode;
using base::testing::IsOk;
using base::testing::StatusIs;
using ::testing::HasSubstr;

std::string Bytes(absl::string_view hex) {
  const auto bytes = base::FromHex(hex);
  EXPECT_THAT(bytes, IsOk());
  return bytes.ok() ? std::string(bytes->begin(), bytes->end()) : "";
}

absl::StatusOr<UploadMessage> ParseUpload(const std::string& bytes) {
  const base::BytesView view = base::AsBytes(bytes);
  return ParseUploadMessage({view});
}

TEST(Wire, ReadsMetadata) {  // Z145
  const std::string hash(32, '\x2a');
  // digest {size_bytes: 300, blake3: hash}, range {start: 0, length: 7}
  const std::string bytes = Bytes("0a2b0a2508ac021220") + hash + Bytes("12021007");
  const auto message = ParseUpload(bytes);
  ASSERT_THAT(message, IsOk());
  EXPECT_EQ(message->kind, UploadMessage::Kind::kMetadata);
  EXPECT_EQ(message->metadata.size_bytes, 300u);
  EXPECT_EQ(message->metadata.blake3, hash);
  EXPECT_TRUE(message->metadata.has_range);
  EXPECT_EQ(message->metadata.start, 0u);
  EXPECT_EQ(message->metadata.length, 7u);
}

TEST(Wire, LeavesTheBytesOfAChunkWhereTheyAre) {  // Z145
  const std::string bytes = Bytes("1203") + "abc";
  const auto message = ParseUpload(bytes);
  ASSERT_THAT(message, IsOk());
  EXPECT_EQ(message->kind, UploadMessage::Kind::kChunk);
  ASSERT_EQ(message->chunk.size(), 1u);
  EXPECT_EQ(reinterpret_cast<const char*>(message->chunk[0].data()), bytes.data() + 2);
  EXPECT_EQ(message->chunk_bytes, 3u);
}

TEST(Wire, AMessageMayBeCutAnywhere) {
  const std::string hash(32, '\x2a');
  const std::string bytes = Bytes("0a2b0a2508ac021220") + hash + Bytes("12021007");
  for (size_t cut = 0; cut <= bytes.size(); ++cut) {
    const base::BytesView whole = base::AsBytes(bytes);
    const base::BytesView slices[] = {whole.subspan(0, cut), {}, whole.subspan(cut)};
    const auto message = ParseUploadMessage(slices);
    ASSERT_THAT(message, IsOk()) << cut;
    EXPECT_EQ(message->metadata.blake3, hash);
    EXPECT_EQ(message->metadata.length, 7u);
  }
}

TEST(Wire, RefusesWhatIsNoMessage) {
  for (const char* hex : {
           "0a",                        // no length
           "0a05",                      // shorter than its length
           "12ffffffffff7f",            // a length of six bytes
           "1280808080088080",          // a length over 2 GiB
           "00",                        // field 0
           "07",                        // no wire type 7
           "0c",                        // the end of a group that did not begin
           "0b0a0014",                  // a group closed by another one
           "18ffffffffffffffffffffff",  // a varint of eleven bytes
           "0a030a0508",                // an inner message longer than the outer one
           "3d000000",                  // a fixed32 of three bytes
       }) {
    EXPECT_THAT(ParseUpload(Bytes(hex)), StatusIs(StatusCode::kInvalidArgument)) << hex;
  }
  std::string deep;
  for (int i = 0; i < 200; ++i) deep += Bytes("1b");
  for (int i = 0; i < 200; ++i) deep += Bytes("1c");
  EXPECT_THAT(ParseUpload(deep), StatusIs(StatusCode::kInvalidArgument));
}

TEST(Wire, SkipsFieldsItDoesNotKnow) {
  // 3: varint, 4: fixed64, 5: fixed32, 6: bytes, 7: group with a field; then an empty chunk.
  const auto message =
      ParseUpload(Bytes("1801210102030405060708"
                        "2d01020304"
                        "3202aabb"
                        "3b08013c"
                        "1200"));
  ASSERT_THAT(message, IsOk());
  EXPECT_EQ(message->kind, UploadMessage::Kind::kChunk);
  EXPECT_EQ(message->chunk_bytes, 0u);
}

TEST(Wire, OfAOneofTheLastOneCounts) {
  const auto chunk_last =
      ParseUpload(Bytes("0a020a00"
                        "1201aa"));
  ASSERT_THAT(chunk_last, IsOk());
  EXPECT_EQ(chunk_last->kind, UploadMessage::Kind::kChunk);
  const auto metadata_last =
      ParseUpload(Bytes("1201aa"
                        "0a020a00"));
  ASSERT_THAT(metadata_last, IsOk());
  EXPECT_EQ(metadata_last->kind, UploadMessage::Kind::kMetadata);
  EXPECT_EQ(metadata_last->chunk_bytes, 0u);
}

TEST(Wire, NamesAreGivenToWhatIsMissing) {  // Z12
  WireResource resource;
  EXPECT_THAT(DigestOf(resource), StatusIs(StatusCode::kInvalidArgument, HasSubstr("digest")));
  EXPECT_THAT(RangeOf(resource), StatusIs(StatusCode::kInvalidArgument, HasSubstr("range")));
}

TEST(Wire, WritesTheHeadersOfItsAnswers) {  // Z150
  const auto hex = [](uint64_t size) {
    const ChunkHeader header = DownloadHeader(size);
    return base::ToHex(base::BytesView(header.bytes.data(), header.size));
  };
  EXPECT_EQ(hex(1), "0a01");
  EXPECT_EQ(hex(127), "0a7f");
  EXPECT_EQ(hex(128), "0a8001");
  EXPECT_EQ(hex(1 << 20), "0a808040");
  EXPECT_EQ(base::ToHex(base::AsBytes(UploadAnswer(0))), "");
  EXPECT_EQ(base::ToHex(base::AsBytes(UploadAnswer(300))), "08ac02");
  EXPECT_EQ(base::ToHex(base::AsBytes(UploadAnswer(UINT64_MAX))), "08ffffffffffffffffff01");
}

}  // namespace
}  // namespace slipway::cas
