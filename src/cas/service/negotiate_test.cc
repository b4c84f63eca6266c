// What a client may send to NegotiateBlobs that is no message.
#include <grpcpp/client_context.h>
#include <grpcpp/generic/generic_stub.h>

#include "cas/service/test_server.h"

namespace slipway::cas {
namespace {

using ::testing::HasSubstr;

// A call without a stub: whatever bytes are wanted, one step at a time.
class RawNegotiation {
 public:
  explicit RawNegotiation(const std::shared_ptr<grpc::Channel>& channel) : stub_(channel) {
    context_.set_deadline(std::chrono::system_clock::now() + std::chrono::seconds(30));
    stream_ = stub_.PrepareCall(&context_, "/zako.v1.cas.ContentAddressableStorage/NegotiateBlobs",
                                &queue_);
    stream_->StartCall(nullptr);
    EXPECT_TRUE(Step());
  }
  bool Write(absl::string_view bytes) {
    const grpc::Slice slice(bytes.data(), bytes.size());
    stream_->Write(grpc::ByteBuffer(&slice, 1), nullptr);
    return Step();
  }
  bool Read() {
    grpc::ByteBuffer answer;
    stream_->Read(&answer, nullptr);
    return Step();
  }
  grpc::Status Finish() {
    grpc::Status status;
    stream_->Finish(&status, nullptr);
    EXPECT_TRUE(Step());
    return status;
  }

 private:
  bool Step() {
    void* tag = nullptr;
    bool ok = false;
    return queue_.Next(&tag, &ok) && ok;
  }
  grpc::ClientContext context_;
  grpc::GenericStub stub_;
  grpc::CompletionQueue queue_;
  std::unique_ptr<grpc::GenericClientAsyncReaderWriter> stream_;
};

// To gRPC a message that does not parse is the end of the stream: a client that takes the answers
// it got for all would think that nothing else is missing.
TEST(Negotiation, BytesThatAreNoMessageAreNoEnd) {  // Z5
  TestServer server;
  RawNegotiation call(server.Connect());
  ASSERT_TRUE(call.Write(""));  // a message without digests
  EXPECT_TRUE(call.Read());
  ASSERT_TRUE(call.Write("\xff\xff\xff"));
  EXPECT_FALSE(call.Read());
  const grpc::Status status = call.Finish();
  EXPECT_EQ(status.error_code(), grpc::StatusCode::INVALID_ARGUMENT) << status.error_message();
  EXPECT_THAT(status.error_message(), HasSubstr("NegotiateBlobsRequest"));
}

}  // namespace
}  // namespace slipway::cas
