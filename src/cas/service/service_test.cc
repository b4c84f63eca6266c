// The services over real sockets, each row of the status map (spec 7.2), and what clients may do
// wrong at every moment.
#include <grpcpp/client_context.h>

#include <atomic>
#include <thread>

#include "base/sync/mutex.h"
#include "cas/service/test_server.h"
#include "compat/zako/v1/cas.grpc.pb.h"
#include "compat/zako/v1/transport.grpc.pb.h"

namespace slipway::cas {
namespace {

namespace pb = zako::v1;
using ::testing::_;
using ::testing::AllOf;
using ::testing::HasSubstr;
using ::testing::Not;

// A secret of "secret": SHA-256.
constexpr char kSecretHash[] = "2bb80d537b1da3e38bd30361aa855686bde0eacd7162fef6a25fe97bf527a25b";
constexpr char kAdminHash[] = "41ef4bb0b23661e66301aac36066912dac037827b4ae63a7b1165a5aa93ed4eb";

Digest Of(absl::string_view text) { return DigestOf(base::AsBytes(text)); }

void Fill(const Digest& digest, pb::transport::BlobResource* resource) {
  resource->mutable_digest()->set_size_bytes(digest.size_bytes);
  resource->mutable_digest()->set_blake3(digest.blake3.data(), digest.blake3.size());
  resource->mutable_range();
}

pb::transport::UploadRequest Metadata(const Digest& digest) {
  pb::transport::UploadRequest request;
  Fill(digest, request.mutable_metadata());
  return request;
}
pb::transport::UploadRequest Chunk(absl::string_view text) {
  pb::transport::UploadRequest request;
  request.set_chunk(text.data(), text.size());
  return request;
}

std::unique_ptr<grpc::ClientContext> Context(absl::string_view secret) {
  auto context = std::make_unique<grpc::ClientContext>();
  context->set_deadline(std::chrono::system_clock::now() + std::chrono::seconds(30));
  if (!secret.empty()) context->AddMetadata("authorization", absl::StrCat("Bearer ", secret));
  return context;
}

class ServiceTest : public ::testing::Test {
 protected:
  void Start(TestServerOptions options = {}) {
    server_ = std::make_unique<TestServer>(std::move(options));
    channel_ = server_->Connect();
    cas_ = pb::cas::ContentAddressableStorage::NewStub(channel_);
    transport_ = pb::transport::Transport::NewStub(channel_);
  }
  void StartAndSignIn(TestServerOptions options = {}) {
    Start(std::move(options));
    EXPECT_TRUE(SignIn("").ok());
  }
  grpc::Status SignIn(absl::string_view key) {
    pb::cas::GetTransportDetailsRequest request;
    request.add_supported_protocols(pb::net::grpc);
    const grpc::Status status = cas_->GetTransportDetails(Context(key).get(), request, &details_);
    token_ = details_.auth_token();
    return status;
  }
  grpc::Status Upload(const std::vector<pb::transport::UploadRequest>& messages,
                      uint64_t* committed = nullptr) {
    const auto context = Context(token_);
    pb::transport::UploadResponse response;
    const auto writer = transport_->Upload(context.get(), &response);
    for (const auto& message : messages) {
      if (!writer->Write(message)) break;
    }
    writer->WritesDone();
    const grpc::Status status = writer->Finish();
    if (committed != nullptr) *committed = response.committed_size();
    return status;
  }
  grpc::Status Put(absl::string_view text) { return Upload({Metadata(Of(text)), Chunk(text)}); }
  grpc::Status Download(const pb::transport::DownloadRequest& request, std::string* text,
                        size_t* largest = nullptr) {
    const auto context = Context(token_);
    const auto reader = transport_->Download(context.get(), request);
    pb::transport::DownloadResponse response;
    text->clear();
    while (reader->Read(&response)) {
      *text += response.data();
      if (largest != nullptr) *largest = std::max(*largest, response.data().size());
    }
    return reader->Finish();
  }
  static pb::transport::DownloadRequest Get(const Digest& digest, uint64_t start = 0,
                                            std::optional<uint64_t> length = std::nullopt) {
    pb::transport::DownloadRequest request;
    Fill(digest, request.mutable_metadata());
    request.mutable_metadata()->mutable_range()->set_start(start);
    if (length.has_value()) request.mutable_metadata()->mutable_range()->set_length(*length);
    return request;
  }
  // Waits until no call runs, and no writer is open.
  void AwaitQuiet() {
    base::Mutex mutex;
    base::CondVar never;
    for (int i = 0; i < 2000 && (server_->requests().size() > 0 || server_->blobs().writers() > 0);
         ++i) {
      base::MutexLock lock(mutex);
      never.WaitFor(mutex, absl::Milliseconds(5));
    }
    EXPECT_EQ(server_->requests().size(), 0u);
    EXPECT_EQ(server_->blobs().writers(), 0);
  }

  std::unique_ptr<TestServer> server_;
  std::shared_ptr<grpc::Channel> channel_;
  std::unique_ptr<pb::cas::ContentAddressableStorage::Stub> cas_;
  std::unique_ptr<pb::transport::Transport::Stub> transport_;
  pb::cas::TransportDetails details_;
  std::string token_;
};

#define EXPECT_STATUS(expression, expected, text)                        \
  do {                                                                   \
    const grpc::Status expect_status = (expression);                     \
    EXPECT_EQ(expect_status.error_code(), grpc::StatusCode::expected)    \
        << expect_status.error_message();                                \
    EXPECT_THAT(expect_status.error_message(), text);                    \
    EXPECT_THAT(expect_status.error_message(), Not(HasSubstr("/var/"))); \
  } while (false)

TEST_F(ServiceTest, WhatIsUploadedComesBack) {  // Z12, Z13
  StartAndSignIn();
  std::string text(3'000'000, 'x');
  for (size_t i = 0; i < text.size(); ++i) text[i] = static_cast<char>(i * 7 >> 3);
  uint64_t committed = 0;
  const absl::string_view view(text);
  EXPECT_TRUE(Upload({Metadata(Of(text)), Chunk(view.substr(0, 1)), Chunk(""),
                      Chunk(view.substr(1, 1'500'000)), Chunk(view.substr(1'500'001))},
                     &committed)
                  .ok());
  EXPECT_EQ(committed, text.size());
  std::string got;
  size_t largest = 0;
  EXPECT_TRUE(Download(Get(Of(text)), &got, &largest).ok());
  EXPECT_TRUE(got == text);
  EXPECT_LE(largest, size_t{1} << 20);
  EXPECT_TRUE(Download(Get(Of(text), 1'000'000, 17), &got).ok());
  EXPECT_TRUE(got == text.substr(1'000'000, 17));
  EXPECT_TRUE(Download(Get(Of(text), 2'999'999), &got).ok());
  EXPECT_EQ(got.size(), 1u);
  EXPECT_THAT(
      server_->metrics().Text(),
      AllOf(HasSubstr("zako_transfer_bytes_total{direction=\"in\",role=\"transport\"} 3000000"),
            HasSubstr("zako_tokens_issued_total 1")));
}

TEST_F(ServiceTest, TheEmptyBlobGoesThere) {  // Z3
  StartAndSignIn();
  EXPECT_TRUE(Upload({Metadata(Of(""))}).ok());
  EXPECT_TRUE(server_->blobs().Has(Of("")));
  std::string got = "x";
  EXPECT_TRUE(Download(Get(Of("")), &got).ok());
  EXPECT_EQ(got, "");
}

TEST_F(ServiceTest, MetadataThatIsMalformed) {  // 7.2 rows 1, 2
  StartAndSignIn();
  auto bad_hash = Metadata(Of("x"));
  bad_hash.mutable_metadata()->mutable_digest()->set_blake3("short");
  EXPECT_STATUS(Upload({bad_hash}), INVALID_ARGUMENT, HasSubstr("5"));
  auto no_length = Metadata(Of("x"));
  no_length.mutable_metadata()->mutable_range()->set_length(0);
  EXPECT_STATUS(Upload({no_length}), INVALID_ARGUMENT, HasSubstr("length"));
  auto no_digest = Metadata(Of("x"));
  no_digest.mutable_metadata()->clear_digest();
  EXPECT_STATUS(Upload({no_digest}), INVALID_ARGUMENT, HasSubstr("digest is missing"));
  std::string got;
  auto get = Get(Of("x"));
  get.mutable_metadata()->clear_range();
  EXPECT_STATUS(Download(get, &got), INVALID_ARGUMENT, HasSubstr("range is missing"));
  EXPECT_STATUS(Download({}, &got), INVALID_ARGUMENT, HasSubstr("metadata is missing"));
  EXPECT_STATUS(Download(Get(Of("x"), 0, 0), &got), INVALID_ARGUMENT, HasSubstr("length"));
  EXPECT_STATUS(Download(Get(Of("x"), 5, UINT64_MAX), &got), INVALID_ARGUMENT, _);
}

TEST_F(ServiceTest, AFirstMessageThatIsNoMetadata) {  // 7.2 row 3; Z47
  StartAndSignIn();
  EXPECT_STATUS(Upload({}), FAILED_PRECONDITION, "first message must be metadata");
  EXPECT_STATUS(Upload({Chunk("x")}), FAILED_PRECONDITION, "first message must be metadata");
  EXPECT_STATUS(Upload({pb::transport::UploadRequest()}), FAILED_PRECONDITION,
                "first message must be metadata");
}

TEST_F(ServiceTest, ARepeatedUploadIsAnsweredBeforeItsChunks) {  // 7.2 row 4; Z13
  StartAndSignIn();
  server_->blobs().Add("hello");
  const auto context = Context(token_);
  pb::transport::UploadResponse response;
  const auto writer = transport_->Upload(context.get(), &response);
  writer->Write(Metadata(Of("hello")));
  // Neither a chunk nor the end is sent.
  EXPECT_STATUS(writer->Finish(), ALREADY_EXISTS, HasSubstr(Of("hello").ToString()));
}

TEST_F(ServiceTest, WrongBytesLeaveNothing) {  // 7.2 row 5; Z14
  StartAndSignIn();
  EXPECT_STATUS(Upload({Metadata(Of("hello")), Chunk("HELLO")}), INVALID_ARGUMENT,
                AllOf(HasSubstr(Of("hello").Hex()), HasSubstr(Of("HELLO").Hex())));
  EXPECT_STATUS(Upload({Metadata(Of("hello")), Chunk("hell")}), INVALID_ARGUMENT, HasSubstr("4"));
  EXPECT_STATUS(Upload({Metadata(Of("hello")), Chunk("hello"), Chunk("!")}), INVALID_ARGUMENT,
                HasSubstr("6"));
  EXPECT_STATUS(Upload({Metadata(Of("hello")), Metadata(Of("hello"))}), INVALID_ARGUMENT,
                HasSubstr("metadata came again"));
  AwaitQuiet();
  EXPECT_EQ(server_->blobs().size(), 0u);
}

TEST_F(ServiceTest, AbsentBlobsAndRangesOutside) {  // 7.2 rows 6, 7
  StartAndSignIn();
  std::string got;
  EXPECT_STATUS(Download(Get(Of("absent")), &got), NOT_FOUND, HasSubstr(Of("absent").ToString()));
  const Digest digest = server_->blobs().Add("hello");
  EXPECT_STATUS(Download(Get(digest, 5), &got), INVALID_ARGUMENT, HasSubstr("5"));
  EXPECT_STATUS(Download(Get(digest, 2, 4), &got), INVALID_ARGUMENT, HasSubstr("5"));
}

TEST_F(ServiceTest, NoProtocolInCommon) {  // 7.2 row 8; Z6
  Start();
  pb::cas::GetTransportDetailsRequest request;
  EXPECT_STATUS(cas_->GetTransportDetails(Context("").get(), request, &details_),
                FAILED_PRECONDITION, "no supported transport protocol");
  request.add_supported_protocols(static_cast<pb::net::Protocol>(9));
  EXPECT_STATUS(cas_->GetTransportDetails(Context("").get(), request, &details_),
                FAILED_PRECONDITION, "no supported transport protocol");
  request.add_supported_protocols(pb::net::grpc);
  EXPECT_TRUE(cas_->GetTransportDetails(Context("").get(), request, &details_).ok());
  EXPECT_EQ(details_.recommended_concurrency(), 4u);
  EXPECT_GT(details_.server_addr().port(), 0u);
}

TEST_F(ServiceTest, TokensAndRoles) {  // 7.2 rows 9, 10; Z8
  TestServerOptions options;
  options.auth = {AuthMode::kKeys, true};
  options.keys = absl::StrCat(kSecretHash, " bob read\n", kAdminHash, " ada admin\n");
  options.audit = true;
  Start(std::move(options));
  server_->blobs().Add("hello");
  std::string got;
  EXPECT_STATUS(SignIn(""), UNAUTHENTICATED, HasSubstr("key"));
  EXPECT_STATUS(SignIn("wrong"), UNAUTHENTICATED, Not(HasSubstr("wrong")));
  token_ = "";
  EXPECT_STATUS(Put("x"), UNAUTHENTICATED, HasSubstr("GetTransportDetails"));
  token_ = "00000000-0000-4000-8000-000000000000";
  EXPECT_STATUS(Put("x"), UNAUTHENTICATED, Not(HasSubstr(token_)));
  EXPECT_STATUS(Download(Get(Of("hello")), &got), UNAUTHENTICATED, _);
  const auto stranger = Context("");
  const auto negotiation = cas_->NegotiateBlobs(stranger.get());
  negotiation->Write(pb::cas::NegotiateBlobsRequest());
  pb::cas::NegotiateBlobsResponse missing;
  EXPECT_FALSE(negotiation->Read(&missing));
  EXPECT_STATUS(negotiation->Finish(), UNAUTHENTICATED, HasSubstr("key"));
  EXPECT_TRUE(SignIn("secret").ok());
  EXPECT_TRUE(Download(Get(Of("hello")), &got).ok());
  EXPECT_STATUS(Put("x"), PERMISSION_DENIED, HasSubstr("write"));
  EXPECT_TRUE(SignIn("open sesame").ok());
  EXPECT_TRUE(Put("x").ok());
  EXPECT_EQ(server_->blobs().size(), 2u);
  AwaitQuiet();
  const std::string audit = server_->AuditText();
  EXPECT_OK(base::VerifyAudit(audit));
  EXPECT_THAT(audit,
              AllOf(HasSubstr(R"("actor":"bob")"), HasSubstr(R"("result":"denied")"),
                    HasSubstr(R"("bytes":1,"code":"OK")"), HasSubstr(R"("code":"UNAUTHENTICATED")"),
                    HasSubstr(R"("op":"issue-token")"), HasSubstr(R"("scope":"admin")"),
                    HasSubstr(Of("x").ToString()), Not(HasSubstr(token_)), Not(HasSubstr("secret")),
                    Not(HasSubstr("sesame"))));
}

TEST_F(ServiceTest, ATokenForOneCallWorksOnce) {  // Z7; ZR20
  TestServerOptions options;
  options.tokens.once = true;
  StartAndSignIn(std::move(options));
  EXPECT_TRUE(Put("one").ok());
  EXPECT_STATUS(Put("two"), UNAUTHENTICATED, _);
}

TEST_F(ServiceTest, AFailingStorage) {  // 7.2 rows 11-13; Z2
  StartAndSignIn();
  const Digest digest = server_->blobs().Add("hello");
  std::string got;
  server_->blobs().Fail(
      IoError(digest, "write", absl::ResourceExhaustedError("write /var/x: no space")));
  EXPECT_STATUS(Put("x"), RESOURCE_EXHAUSTED, _);
  server_->blobs().Fail(absl::UnavailableError("upstream /var/x"));
  EXPECT_STATUS(Put("x"), UNAVAILABLE, _);
  server_->blobs().Fail(absl::DataLossError("read /var/x: input/output error"));
  EXPECT_STATUS(Put("x"), INTERNAL, _);
  EXPECT_STATUS(Download(Get(digest), &got), INTERNAL, _);
  const auto context = Context("");
  const auto stream = cas_->NegotiateBlobs(context.get());
  pb::cas::NegotiateBlobsRequest request;
  request.add_blob_digests()->set_blake3(std::string(32, 'a'));
  stream->Write(request);
  pb::cas::NegotiateBlobsResponse response;
  EXPECT_FALSE(stream->Read(&response));
  EXPECT_STATUS(stream->Finish(), INTERNAL, _);
}

TEST_F(ServiceTest, NegotiationAnswersEachRequestInOrder) {  // Z4, Z5
  Start();
  const Digest present = server_->blobs().Add("present");
  const auto context = Context("");
  const auto stream = cas_->NegotiateBlobs(context.get());
  pb::cas::NegotiateBlobsRequest request;
  pb::cas::NegotiateBlobsResponse response;
  const auto add = [&](const Digest& digest, uint64_t size) {
    auto* proto = request.add_blob_digests();
    proto->set_size_bytes(size);
    proto->set_blake3(digest.blake3.data(), digest.blake3.size());
  };
  add(Of("b"), 1);
  add(present, 7);
  add(Of("a"), 1);
  add(Of("b"), 1);
  add(present, 8);  // the right hash with a wrong size
  ASSERT_TRUE(stream->Write(request));
  ASSERT_TRUE(stream->Read(&response));
  ASSERT_EQ(response.missing_blob_digests_size(), 3);
  EXPECT_EQ(response.missing_blob_digests(0).SerializeAsString(),
            request.blob_digests(0).SerializeAsString());
  EXPECT_EQ(response.missing_blob_digests(1).SerializeAsString(),
            request.blob_digests(2).SerializeAsString());
  EXPECT_EQ(response.missing_blob_digests(2).size_bytes(), 8u);
  ASSERT_TRUE(stream->Write(pb::cas::NegotiateBlobsRequest()));
  ASSERT_TRUE(stream->Read(&response));
  EXPECT_EQ(response.missing_blob_digests_size(), 0);
  request.add_blob_digests()->set_blake3("short");
  ASSERT_TRUE(stream->Write(request));
  EXPECT_FALSE(stream->Read(&response));
  EXPECT_STATUS(stream->Finish(), INVALID_ARGUMENT, HasSubstr("digest 5"));
}

TEST_F(ServiceTest, ManyUploadOneBlobAtOnce) {  // ZR9
  StartAndSignIn();
  const std::string text(700'000, 'y');
  std::atomic<int> stored{0};
  std::vector<std::thread> threads;
  for (int i = 0; i < 8; ++i) {
    threads.emplace_back([&] {
      const grpc::Status status =
          Upload({Metadata(Of(text)), Chunk(text.substr(0, 350'000)), Chunk(text.substr(350'000))});
      EXPECT_TRUE(status.ok() || status.error_code() == grpc::StatusCode::ALREADY_EXISTS)
          << status.error_message();
      if (status.ok()) ++stored;
    });
  }
  for (std::thread& thread : threads) thread.join();
  EXPECT_GE(stored, 1);
  EXPECT_EQ(server_->blobs().size(), 1u);
}

// ---- Clients that go away at every state ----

TEST_F(ServiceTest, AnUploadMayBeCancelledAtEveryState) {  // ZR8, 7.13
  StartAndSignIn();
  for (int messages = 0; messages <= 3; ++messages) {
    for (int round = 0; round < 10; ++round) {
      const auto context = Context(token_);
      pb::transport::UploadResponse response;
      const auto writer = transport_->Upload(context.get(), &response);
      if (messages >= 1) writer->Write(Metadata(Of("hello")));
      if (messages >= 2) writer->Write(Chunk("he"));
      if (messages >= 3) writer->Write(Chunk("ll"));
      context->TryCancel();
      EXPECT_STATUS(writer->Finish(), CANCELLED, _);
    }
  }
  AwaitQuiet();
  EXPECT_EQ(server_->blobs().size(), 0u);
  EXPECT_TRUE(Put("hello").ok());
}

TEST_F(ServiceTest, ADownloadMayBeCancelledAtEveryState) {  // 7.13
  TestServerOptions options;
  options.buffers = {.full_bytes = 1 << 10, .small_bytes = 512, .budget_bytes = 8 << 10};
  StartAndSignIn(std::move(options));
  const Digest digest = server_->blobs().Add(std::string(1 << 20, 'z'));
  for (int reads = 0; reads <= 20; ++reads) {
    const auto context = Context(token_);
    const auto reader = transport_->Download(context.get(), Get(digest));
    pb::transport::DownloadResponse response;
    for (int i = 0; i < reads; ++i) ASSERT_TRUE(reader->Read(&response));
    context->TryCancel();
    EXPECT_STATUS(reader->Finish(), CANCELLED, _);
  }
  AwaitQuiet();
}

TEST_F(ServiceTest, ANegotiationMayBeCancelledAtEveryState) {  // 7.13
  Start();
  for (int requests = 0; requests <= 10; ++requests) {
    const auto context = Context("");
    const auto stream = cas_->NegotiateBlobs(context.get());
    pb::cas::NegotiateBlobsRequest request;
    for (int i = 0; i < 200; ++i) {
      request.add_blob_digests()->set_blake3(std::string(32, static_cast<char>(i)));
    }
    for (int i = 0; i < requests; ++i) stream->Write(request);
    context->TryCancel();
    EXPECT_STATUS(stream->Finish(), CANCELLED, _);
  }
  AwaitQuiet();
}

TEST_F(ServiceTest, ClientsThatVanishLeaveNothing) {  // ZR8
  StartAndSignIn();
  for (int i = 0; i < 30; ++i) {
    const auto channel = server_->Connect();
    const auto stub = pb::transport::Transport::NewStub(channel);
    const auto context = Context(token_);
    pb::transport::UploadResponse response;
    auto writer = stub->Upload(context.get(), &response);
    writer->Write(Metadata(Of("hello")));
    writer->Write(Chunk("hel"));
    context->TryCancel();
    writer->Finish();
  }
  AwaitQuiet();
  EXPECT_EQ(server_->blobs().size(), 0u);
}

TEST_F(ServiceTest, ASilentUploadEnds) {
  StartAndSignIn();
  const auto context = Context(token_);
  pb::transport::UploadResponse response;
  const auto writer = transport_->Upload(context.get(), &response);
  writer->Write(Metadata(Of("hello")));
  writer->Write(Chunk("hel"));
  std::atomic<bool> done{false};
  std::thread sweeper([&] {
    base::Mutex mutex;
    base::CondVar never;
    while (!done) {
      server_->requests().ExpireIdle(absl::Milliseconds(50));
      base::MutexLock lock(mutex);
      never.WaitFor(mutex, absl::Milliseconds(5));
    }
  });
  EXPECT_STATUS(writer->Finish(), DEADLINE_EXCEEDED, HasSubstr("upload.idle_timeout"));
  done = true;
  sweeper.join();
  AwaitQuiet();
  EXPECT_EQ(server_->blobs().size(), 0u);
}

TEST_F(ServiceTest, RunningCallsAreFinishedInADrain) {  // Z41, ZR10
  StartAndSignIn();
  constexpr int kStreams = 64;
  struct Stream {
    std::unique_ptr<grpc::ClientContext> context;
    pb::transport::UploadResponse response;
    std::unique_ptr<grpc::ClientWriter<pb::transport::UploadRequest>> writer;
    std::string text;
  };
  std::vector<Stream> streams(kStreams);
  for (int i = 0; i < kStreams; ++i) {
    Stream& stream = streams[static_cast<size_t>(i)];
    stream.text = absl::StrCat("stream ", i);
    stream.context = Context(token_);
    stream.writer = transport_->Upload(stream.context.get(), &stream.response);
    ASSERT_TRUE(stream.writer->Write(Metadata(Of(stream.text))));
    ASSERT_TRUE(stream.writer->Write(Chunk(absl::string_view(stream.text).substr(0, 3))));
  }
  while (server_->blobs().writers() < kStreams) std::this_thread::yield();
  std::thread drain([&] { server_->server().Drain(absl::Seconds(20)); });
  for (Stream& stream : streams) {
    stream.writer->Write(Chunk(absl::string_view(stream.text).substr(3)));
    stream.writer->WritesDone();
  }
  for (Stream& stream : streams) {
    const grpc::Status status = stream.writer->Finish();
    EXPECT_TRUE(status.ok()) << status.error_message();
  }
  drain.join();
  EXPECT_EQ(server_->blobs().size(), size_t{kStreams});
}

TEST_F(ServiceTest, WhatIsNotFinishedInTimeIsUnavailable) {  // ZR10
  StartAndSignIn();
  const auto context = Context(token_);
  pb::transport::UploadResponse response;
  const auto writer = transport_->Upload(context.get(), &response);
  writer->Write(Metadata(Of("hello")));
  while (server_->blobs().writers() < 1) std::this_thread::yield();
  server_->server().Drain(absl::ZeroDuration());
  const grpc::Status status = writer->Finish();
  EXPECT_TRUE(status.error_code() == grpc::StatusCode::UNAVAILABLE ||
              status.error_code() == grpc::StatusCode::CANCELLED)
      << status.error_code();
  AwaitQuiet();
  EXPECT_EQ(server_->blobs().size(), 0u);
}

}  // namespace
}  // namespace slipway::cas
