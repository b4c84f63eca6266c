// The bytes of every message, and our parser held against protobuf's.
#include <google/protobuf/descriptor.h>
#include <google/protobuf/message.h>
#include <google/protobuf/text_format.h>
#include <google/protobuf/util/message_differencer.h>

#include <memory>

#include "base/bytes.h"
#include "base/random.h"
#include "base/sim/random.h"
#include "base/testing/data_driven.h"
#include "base/testing/status_matchers.h"
#include "cas/service/convert.h"
#include "cas/service/session/wire.h"
#include "compat/zako/v1/cas.pb.h"
#include "compat/zako/v1/fs.pb.h"
#include "compat/zako/v1/net.pb.h"
#include "compat/zako/v1/transport.pb.h"
#include "slipway/cas/v1/admin.pb.h"

namespace slipway::cas {
namespace {

namespace pb = zako::v1::transport;
using base::testing::IsOk;
using base::testing::StatusIs;
using google::protobuf::Message;
using ::testing::HasSubstr;

std::unique_ptr<Message> NewMessage(const std::string& name) {
  const auto* type =
      google::protobuf::DescriptorPool::generated_pool()->FindMessageTypeByName(name);
  if (type == nullptr) return nullptr;
  const Message* prototype =
      google::protobuf::MessageFactory::generated_factory()->GetPrototype(type);
  return std::unique_ptr<Message>(prototype->New());
}

// Builds the message from its text, and reads its bytes back.
std::string HexOf(const base::testing::DataCase& data) {
  const std::string name = data.words.empty() ? "" : data.words[0];
  const auto message = NewMessage(name);
  if (message == nullptr) return absl::StrCat("unknown message ", name);
  if (!google::protobuf::TextFormat::ParseFromString(data.input, message.get())) {
    return "the text does not parse";
  }
  const std::string bytes = message->SerializeAsString();
  const auto again = NewMessage(name);
  if (!again->ParseFromString(bytes)) return "the bytes do not parse";
  if (!google::protobuf::util::MessageDifferencer::Equals(*message, *again)) return "not the same";
  return base::ToHex(base::AsBytes(bytes));
}

TEST(WireGolden, EveryMessageHasItsBytes) {  // Z150
  base::testing::RunDataFiles(SLIPWAY_TEST_SOURCE_DIR "/testdata/golden",
                              [] { return base::testing::DataHandler(&HexOf); });
}

TEST(WireGolden, NoMessageIsForgotten) {  // Z150
  std::string text;
  base::testing::RunDataFiles(SLIPWAY_TEST_SOURCE_DIR "/testdata/golden", [&] {
    return base::testing::DataHandler([&](const base::testing::DataCase& data) {
      absl::StrAppend(&text, "message ", data.words[0], "\n");
      return HexOf(data);
    });
  });
  for (const auto* file :
       {zako::v1::digest::Digest::descriptor()->file(),
        zako::v1::net::IpAddress::descriptor()->file(),
        zako::v1::range::BlobRange::descriptor()->file(),
        zako::v1::fs::VirtualFs::descriptor()->file(),
        zako::v1::cas::TransportDetails::descriptor()->file(),
        pb::UploadRequest::descriptor()->file(), v1::StatsRequest::descriptor()->file()}) {
    for (int i = 0; i < file->message_type_count(); ++i) {
      EXPECT_THAT(text, HasSubstr("message " + file->message_type(i)->full_name() + "\n"));
    }
  }
}

// ---- The parser by hand against the generated one ----

std::string RandomText(base::Random& random, size_t size_max) {
  std::string text(random.Below(size_max + 1), '\0');
  for (char& c : text) c = static_cast<char>(random.Below(256));
  return text;
}

void FillResource(base::Random& random, pb::BlobResource* resource) {
  if (random.Below(8) != 0) {
    resource->mutable_digest()->set_size_bytes(random.Next() >> random.Below(64));
    resource->mutable_digest()->set_blake3(RandomText(random, 40));
  }
  if (random.Below(8) != 0) {
    resource->mutable_range()->set_start(random.Next() >> random.Below(64));
    if (random.Below(2) != 0) resource->mutable_range()->set_length(random.Next());
  }
}

std::string RandomUpload(base::Random& random) {
  std::string bytes;
  for (uint64_t i = random.Below(3); i < 3; ++i) {
    pb::UploadRequest request;
    if (random.Below(2) == 0) {
      FillResource(random, request.mutable_metadata());
    } else {
      request.set_chunk(RandomText(random, 50));
    }
    bytes += request.SerializeAsString();  // messages one behind the other are merged
  }
  return bytes;
}

// Changes, cuts out, doubles and inserts bytes.
void Mutate(base::Random& random, std::string* bytes) {
  for (uint64_t i = random.Below(4); i > 0; --i) {
    const size_t at = bytes->empty() ? 0 : random.Below(bytes->size());
    switch (random.Below(4)) {
      case 0:
        if (!bytes->empty()) (*bytes)[at] = static_cast<char>(random.Below(256));
        break;
      case 1:
        bytes->erase(at, random.Below(4));
        break;
      case 2:
        bytes->insert(at, RandomText(random, 6));
        break;
      default:
        bytes->insert(at, bytes->substr(at, random.Below(8)));
    }
  }
}

std::vector<base::BytesView> CutUp(base::Random& random, const std::string& bytes) {
  std::vector<base::BytesView> slices;
  base::BytesView rest = base::AsBytes(bytes);
  while (!rest.empty()) {
    const size_t size = random.Below(rest.size() + 1);
    slices.push_back(rest.subspan(0, size));
    rest = rest.subspan(size);
  }
  return slices;
}

void ExpectSame(const WireResource& ours, const pb::BlobResource& theirs) {
  EXPECT_EQ(ours.has_digest, theirs.has_digest());
  EXPECT_EQ(ours.size_bytes, theirs.digest().size_bytes());
  EXPECT_EQ(ours.blake3, theirs.digest().blake3());
  EXPECT_EQ(ours.has_range, theirs.has_range());
  EXPECT_EQ(ours.start, theirs.range().start());
  EXPECT_EQ(ours.length.has_value(), theirs.range().has_length());
  EXPECT_EQ(ours.length.value_or(0), theirs.range().length());
}

TEST(WireOracle, UploadsAreReadAsProtobufReadsThem) {  // Z145
  base::sim::Random random(11);
  int good = 0;
  for (int i = 0; i < 60'000; ++i) {
    std::string bytes = RandomUpload(random);
    Mutate(random, &bytes);
    pb::UploadRequest theirs;
    const bool parsed = theirs.ParseFromString(bytes);
    const auto ours = ParseUploadMessage(CutUp(random, bytes));
    ASSERT_EQ(ours.ok(), parsed) << i << " " << base::ToHex(base::AsBytes(bytes));
    if (!parsed) continue;
    ++good;
    std::string chunk;
    for (const base::BytesView& piece : ours->chunk) chunk.append(piece.begin(), piece.end());
    EXPECT_EQ(ours->kind == UploadMessage::Kind::kMetadata, theirs.has_metadata());
    EXPECT_EQ(ours->kind == UploadMessage::Kind::kChunk, theirs.has_chunk());
    EXPECT_EQ(chunk, theirs.chunk());
    EXPECT_EQ(ours->chunk_bytes, theirs.chunk().size());
    if (theirs.has_metadata()) ExpectSame(ours->metadata, theirs.metadata());
    if (HasFailure()) {
      FAIL() << i << " " << base::ToHex(base::AsBytes(bytes));
    }
  }
  EXPECT_GT(good, 10'000);
}

TEST(WireOracle, DownloadsAreReadAsProtobufReadsThem) {  // Z145
  base::sim::Random random(12);
  for (int i = 0; i < 30'000; ++i) {
    pb::DownloadRequest request;
    if (random.Below(8) != 0) FillResource(random, request.mutable_metadata());
    std::string bytes = request.SerializeAsString();
    Mutate(random, &bytes);
    pb::DownloadRequest theirs;
    const bool parsed = theirs.ParseFromString(bytes);
    const auto ours = ParseDownloadMessage(CutUp(random, bytes));
    ASSERT_EQ(ours.ok(), parsed) << i << " " << base::ToHex(base::AsBytes(bytes));
    if (!parsed) continue;
    ASSERT_EQ(ours->has_value(), theirs.has_metadata());
    if (ours->has_value()) ExpectSame(**ours, theirs.metadata());
  }
}

TEST(WireOracle, AnswersAreWhatProtobufWrites) {  // Z145
  for (const uint64_t size : {uint64_t{1}, uint64_t{127}, uint64_t{128}, uint64_t{70'000}}) {
    pb::DownloadResponse response;
    response.set_data(std::string(size, 'x'));
    const ChunkHeader header = DownloadHeader(size);
    EXPECT_EQ(
        std::string(header.bytes.begin(), header.bytes.begin() + header.size) + response.data(),
        response.SerializeAsString());
  }
  for (const uint64_t size : {uint64_t{0}, uint64_t{300}, UINT64_MAX}) {
    pb::UploadResponse response;
    response.set_committed_size(size);
    EXPECT_EQ(UploadAnswer(size), response.SerializeAsString());
  }
}

// ---- Conversion ----

TEST(Convert, AddressesKeepTheirNumbers) {  // Z10
  zako::v1::net::SocketAddress proto;
  const auto v4 = ParseAddress("127.0.0.1:50611");
  ASSERT_THAT(v4, IsOk());
  ToProto(*v4, &proto);
  EXPECT_EQ(proto.ip().v4(), 0x7F000001u);
  EXPECT_EQ(proto.port(), 50611u);
  EXPECT_EQ(FromProto(proto)->v4, 0x7F000001u);
  const auto v6 = ParseAddress("[::1]:1");
  ASSERT_THAT(v6, IsOk());
  ToProto(*v6, &proto);
  std::string loopback(16, '\0');
  loopback[15] = 1;
  EXPECT_EQ(proto.ip().v6(), loopback);
  EXPECT_TRUE(FromProto(proto)->v6.has_value());
  proto.set_port(0);
  EXPECT_THAT(FromProto(proto), StatusIs(absl::StatusCode::kInvalidArgument));
  proto.set_port(65536);
  EXPECT_THAT(FromProto(proto), StatusIs(absl::StatusCode::kInvalidArgument));
  proto.set_port(1);
  proto.mutable_ip()->set_v6("short");
  EXPECT_THAT(FromProto(proto), StatusIs(absl::StatusCode::kInvalidArgument));
  EXPECT_THAT(ParseAddress("localhost:1"), StatusIs(absl::StatusCode::kInvalidArgument));
  EXPECT_THAT(ParseAddress("127.0.0.1:0"), StatusIs(absl::StatusCode::kInvalidArgument));
}

TEST(Convert, ABadDigestIsNamedByItsIndex) {  // Z5
  zako::v1::cas::NegotiateBlobsRequest request;
  ToProto(DigestOf(base::AsBytes("x")), request.add_blob_digests());
  request.add_blob_digests()->set_blake3("short");
  EXPECT_THAT(BatchOf(request),
              StatusIs(absl::StatusCode::kInvalidArgument, HasSubstr("digest 1")));
}

TEST(Convert, OneKnownProtocolIsEnough) {  // Z6
  zako::v1::cas::GetTransportDetailsRequest request;
  EXPECT_THAT(CheckProtocols(request),
              StatusIs(absl::StatusCode::kFailedPrecondition, "no supported transport protocol"));
  request.add_supported_protocols(static_cast<zako::v1::net::Protocol>(7));
  EXPECT_THAT(CheckProtocols(request), StatusIs(absl::StatusCode::kFailedPrecondition));
  request.add_supported_protocols(zako::v1::net::grpc);
  EXPECT_OK(CheckProtocols(request));
}

}  // namespace
}  // namespace slipway::cas
