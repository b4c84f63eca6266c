// What generated code writes and reads is what the service, made by hand, takes and gives.
#include <gmock/gmock.h>
#include <grpcpp/support/sync_stream.h>
#include <gtest/gtest.h>

#include <memory>
#include <string>

#include "base/net/grpc/grpc_client.h"
#include "base/testing/status_matchers.h"
#include "eraft/transport/link/test_dialer.h"
#include "eraft/transport/link/wire.h"
#include "eraft/transport/slices.h"
#include "eraft/transport/test_transports.h"
#include "slipway/eraft/transport/v1/transport.pb.h"

namespace slipway::eraft {
namespace {

using ::testing::ElementsAre;
using ::testing::Pair;

// A client made of generated code.
class HandMade {
 public:
  explicit HandMade(const TestNode& node)
      : channel_(
            base::net::Channel::Open({.address = node.address()}, files_, clock_.Wall()).value()) {
    context_.set_deadline(std::chrono::system_clock::now() + absl::ToChronoSeconds(kPatience));
    stream_.reset(
        grpc::internal::ClientReaderWriterFactory<grpc::ByteBuffer, grpc::ByteBuffer>::Create(
            channel_->raw().channel.get(),
            grpc::internal::RpcMethod("/slipway.eraft.transport.v1.RaftTransport/Stream",
                                      grpc::internal::RpcMethod::BIDI_STREAMING),
            &context_));
  }
  bool Send(const std::string& bytes) {
    const grpc::Slice slice(bytes);
    return stream_->Write(grpc::ByteBuffer(&slice, 1));
  }
  bool Receive(transport::v1::Frame* frame) {
    grpc::ByteBuffer buffer;
    if (!stream_->Read(&buffer)) return false;
    const SliceViews slices(buffer);
    std::string bytes;
    for (const base::BytesView& view : slices.views()) bytes.append(view.begin(), view.end());
    return frame->ParseFromString(bytes);
  }
  grpc::Status Finish() { return stream_->Finish(); }
  ~HandMade() { context_.TryCancel(); }

 private:
  base::os::LinuxFiles files_;
  base::os::SystemClock clock_;
  std::unique_ptr<base::net::Channel> channel_;
  grpc::ClientContext context_;
  std::unique_ptr<grpc::ClientReaderWriter<grpc::ByteBuffer, grpc::ByteBuffer>> stream_;
};

transport::v1::Frame GreetingOf(raft::NodeId id, raft::NodeId peer) {
  transport::v1::Frame frame;
  frame.set_seq(1);
  transport::v1::Hello& hello = *frame.mutable_hello();
  hello.set_cluster_id(std::string(16, '\1'));
  hello.set_node_id(id);
  hello.set_incarnation(100 + id);
  hello.set_feature_level(1);
  hello.set_peer_id(peer);
  return frame;
}

TEST_F(Transports, GarbageOfAClientMadeByHandEndsItsStreamOnly) {  // E122, E123
  MakeTwo();
  ASSERT_TRUE(node(1).WaitConnected(2));
  ASSERT_TRUE(node(2).WaitConnected(1));
  for (const std::string& garbage :
       {std::string("\xff\xff\xff"), std::string(3 << 20, 'z'), std::string(),
        GreetingOf(7, 1).SerializeAsString(), GreetingOf(2, 3).SerializeAsString()}) {
    HandMade stranger(node(1));
    stranger.Send(garbage);
    transport::v1::Frame none;
    EXPECT_FALSE(stranger.Receive(&none));
    const grpc::Status status = stranger.Finish();
    EXPECT_TRUE(status.error_code() == grpc::StatusCode::FAILED_PRECONDITION ||
                status.error_code() == grpc::StatusCode::INVALID_ARGUMENT)
        << status.error_code() << " " << status.error_message();
  }
  ASSERT_OK(node(2).Send(1, "still here"));
  ASSERT_TRUE(node(1).WaitFrames(1));
  EXPECT_THAT(node(1).frames(), ElementsAre(Pair(2, Text("still here"))));
}

TEST_F(Transports, WhatGeneratedCodeWritesIsUnderstood) {
  MakeTwo();
  ASSERT_TRUE(node(2).WaitConnected(1));
  HandMade peer(node(1));
  ASSERT_TRUE(peer.Send(GreetingOf(2, 1).SerializeAsString()));
  transport::v1::Frame answer;
  ASSERT_TRUE(peer.Receive(&answer));
  EXPECT_EQ(answer.hello().node_id(), 1u);
  EXPECT_EQ(answer.hello().peer_id(), 2u);
  EXPECT_EQ(answer.hello().incarnation(), 101u);
  EXPECT_EQ(answer.hello().cluster_id(), std::string(16, '\1'));
  transport::v1::Frame frame;
  frame.set_sent_boottime_ns(12345);
  auto* part = frame.add_parts();
  part->set_data("ab");
  part->set_more(true);
  part = frame.add_parts();
  part->set_data("urgent");
  part->set_urgent(true);
  frame.add_parts()->set_data("cd");
  ASSERT_TRUE(peer.Send(frame.SerializeAsString()));
  ASSERT_TRUE(peer.Receive(&answer));
  EXPECT_EQ(answer.echo_ns(), 12345u);
  EXPECT_NE(answer.sent_unix_ns(), 0u);
  ASSERT_TRUE(node(1).WaitFrames(2));
  EXPECT_THAT(node(1).frames(), ElementsAre(Pair(2, Text("urgent")), Pair(2, Text("abcd"))));
}

TEST(TransportWire, GeneratedCodeUnderstandsWhatIsWrittenByHand) {
  link::MessageWriter writer({.seq = 9,
                              .sent_ns = 1,
                              .echo_ns = 2,
                              .wall_ns = 3,
                              .hello = link::Hello{.node = 4,
                                                   .incarnation = 5,
                                                   .feature_level = 6,
                                                   .address = "a:1",
                                                   .peer = 7,
                                                   .lane = link::Lane::kSnapshots}});
  writer.AddPart(std::make_shared<const base::Bytes>(5000, 'p'), 0, 5000, true, false);
  writer.AddPart(std::make_shared<const base::Bytes>(3, 'q'), 0, 3, false, true);
  const base::Bytes bytes = link::Flatten(writer.Finish());
  transport::v1::Frame frame;
  ASSERT_TRUE(frame.ParseFromArray(bytes.data(), static_cast<int>(bytes.size())));
  EXPECT_EQ(frame.ShortDebugString().substr(0, 60).substr(0, 6), "seq: 9");
  EXPECT_EQ(frame.sent_boottime_ns(), 1u);
  EXPECT_EQ(frame.echo_ns(), 2u);
  EXPECT_EQ(frame.sent_unix_ns(), 3u);
  EXPECT_EQ(frame.hello().address(), "a:1");
  EXPECT_EQ(frame.hello().lane(), transport::v1::LANE_SNAPSHOTS);
  ASSERT_EQ(frame.parts_size(), 2);
  EXPECT_EQ(frame.parts(0).data(), std::string(5000, 'p'));
  EXPECT_TRUE(frame.parts(0).more());
  EXPECT_TRUE(frame.parts(1).urgent());
  EXPECT_EQ(frame.SerializeAsString().size(), bytes.size());
}

}  // namespace
}  // namespace slipway::eraft
