#include "eraft/transport/transport.h"

#include <gmock/gmock.h>
#include <grpcpp/support/sync_stream.h>
#include <gtest/gtest.h>

#include <atomic>
#include <map>
#include <memory>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "base/net/grpc/grpc_client.h"
#include "base/net/testing/test_certificates.h"
#include "base/testing/status_matchers.h"
#include "base/testing/temp_dir.h"
#include "compat/raftpb/raft.grpc.pb.h"
#include "eraft/node/codec.h"
#include "eraft/transport/link/limits.h"
#include "eraft/transport/link/test_net.h"
#include "eraft/transport/slices.h"
#include "eraft/transport/test_node.h"
#include "slipway/eraft/transport/v1/transport.pb.h"

namespace slipway::eraft {
namespace {

using ::slipway::base::FrameClass;
using ::slipway::base::testing::StatusIs;
using ::slipway::base::testing::TempDir;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::Pair;

static_assert(link::kFrameBytesMax == kFrameBytesMax, "what a node sends can be sent");

base::Bytes Text(absl::string_view text) {
  const base::BytesView view = base::AsBytes(text);
  return base::Bytes(view.begin(), view.end());
}

class Transports : public ::testing::Test {
 protected:
  TestNode& Make(TestNodeOptions options) {
    const raft::NodeId id = options.id;
    nodes_[id].reset();  // before the new one takes its address
    nodes_[id] = std::make_unique<TestNode>(std::move(options), dirs_[id].path());
    return *nodes_[id];
  }
  TestNode& node(raft::NodeId id) { return *nodes_.at(id); }
  // All that there are.
  void Introduce() {
    std::vector<const TestNode*> all;
    for (const auto& [id, node] : nodes_) all.push_back(node.get());
    for (const auto& [id, node] : nodes_) node->Know(all);
  }
  void MakeTwo(TestNodeOptions first = {}, TestNodeOptions second = {}) {
    first.id = 1;
    second.id = 2;
    Make(std::move(first));
    Make(std::move(second));
    Introduce();
  }

  std::map<raft::NodeId, TempDir> dirs_;
  std::map<raft::NodeId, std::unique_ptr<TestNode>> nodes_;
};

TEST_F(Transports, TenThousandFramesArriveInOrder) {  // E122
  MakeTwo();
  ASSERT_TRUE(node(1).WaitConnected(2));
  constexpr int kFrames = 10'000;
  for (int i = 0; i < kFrames; ++i) {
    ASSERT_OK(node(1).Send(2, FrameClass::kBulk, Text(absl::StrCat(i, std::string(100, 'x')))));
  }
  ASSERT_TRUE(node(2).WaitFrames(kFrames));
  const auto frames = node(2).frames();
  for (int i = 0; i < kFrames; ++i) {
    ASSERT_EQ(frames[static_cast<size_t>(i)],
              std::make_pair(uint64_t{1}, Text(absl::StrCat(i, std::string(100, 'x')))));
  }
  EXPECT_THAT(node(1).metrics().Text(),
              HasSubstr("eraft_transport_sent_frames_total{node=\"1\",peer=\"2\"} 10000"));
  EXPECT_THAT(node(2).metrics().Text(),
              HasSubstr("eraft_transport_received_frames_total{node=\"2\",peer=\"1\"} 10000"));
}

TEST_F(Transports, LargeFramesOfAllClassesArriveWhole) {  // E122
  MakeTwo();
  ASSERT_TRUE(node(1).WaitConnected(2));
  base::Bytes large(link::kFrameBytesMax);
  for (size_t i = 0; i < large.size(); ++i) large[i] = static_cast<uint8_t>(i * i >> 7);
  ASSERT_OK(node(1).Send(2, FrameClass::kBulk, large));
  ASSERT_OK(node(1).Send(2, FrameClass::kSnapshot, large));
  ASSERT_OK(node(1).Send(2, FrameClass::kControl, Text("heartbeat")));
  EXPECT_THAT(node(1).Send(2, FrameClass::kBulk, base::Bytes(large.size() + 1)),
              StatusIs(absl::StatusCode::kInvalidArgument));
  ASSERT_TRUE(node(2).WaitFrames(3));
  int whole = 0;
  for (const auto& [peer, frame] : node(2).frames()) whole += frame == large ? 1 : 0;
  EXPECT_EQ(whole, 2);
}

TEST_F(Transports, ThreeNodesTalkToEachOther) {
  for (raft::NodeId id = 1; id <= 3; ++id) Make({.id = id});
  Introduce();
  for (raft::NodeId from = 1; from <= 3; ++from) {
    for (raft::NodeId to = 1; to <= 3; ++to) {
      if (from == to) continue;
      ASSERT_TRUE(node(from).WaitConnected(to));
      ASSERT_OK(node(from).Send(to, absl::StrCat(from)));
    }
  }
  for (raft::NodeId id = 1; id <= 3; ++id) ASSERT_TRUE(node(id).WaitFrames(2));
  EXPECT_THAT(node(1).frames(),
              testing::UnorderedElementsAre(Pair(2, Text("2")), Pair(3, Text("3"))));
  EXPECT_THAT(node(1).Send(1, "me"), StatusIs(absl::StatusCode::kNotFound));
}

TEST_F(Transports, AFullServerStillTakesItsPeers) {  // E174
  TestNodeOptions options;
  options.server.calls_max = 0;
  MakeTwo(options, options);
  EXPECT_TRUE(node(1).WaitConnected(2));
  EXPECT_TRUE(node(2).WaitConnected(1));
}

TEST_F(Transports, RoundTripsAndClocksAreMeasured) {  // E31, E35
  MakeTwo();
  ASSERT_TRUE(WaitUntil([&] { return node(1).StatusOf(2).rtt > absl::ZeroDuration(); }));
  const PeerStatus status = node(1).StatusOf(2);
  EXPECT_GE(status.rtt_p99, status.rtt);
  EXPECT_LT(absl::AbsDuration(status.clock_difference), absl::Seconds(5));
  EXPECT_EQ(status.feature_level, 1u);
  EXPECT_THAT(node(1).metrics().Text(),
              HasSubstr("eraft_raft_peer_rtt_seconds_count{node=\"1\",peer=\"2\"}"));
}

TEST_F(Transports, NodesOfTwoClustersRefuseEachOther) {  // E123
  MakeTwo({}, {.cluster = 2});
  EXPECT_TRUE(node(1).WaitError(2, "belongs to cluster"));
  EXPECT_TRUE(node(2).WaitError(1, "belongs to cluster"));
  EXPECT_FALSE(node(1).StatusOf(2).connected);
}

TEST_F(Transports, AWipedPeerIsRefusedEvenAfterARestart) {  // E123
  MakeTwo();
  ASSERT_TRUE(node(1).WaitConnected(2));
  ASSERT_TRUE(node(2).WaitConnected(1));
  Make({.id = 1});
  dirs_.erase(2);
  Make({.id = 2, .incarnation = 999});
  Introduce();
  EXPECT_TRUE(node(1).WaitError(2, "its data are not those that it had"));
  EXPECT_TRUE(node(2).WaitError(1, "its data are not those that it had"));
  EXPECT_FALSE(node(1).StatusOf(2).connected);
  // Removed and added: it is whoever it now says it is.
  node(1).Know({});
  node(1).Know({&node(2)});
  EXPECT_TRUE(node(1).WaitConnected(2));
  EXPECT_TRUE(node(2).WaitConnected(1));
}

TEST_F(Transports, APeerThatRestartsIsFoundAgain) {  // E16
  MakeTwo();
  ASSERT_TRUE(node(1).WaitConnected(2));
  const std::string address = node(2).address();
  nodes_[2].reset();
  ASSERT_TRUE(WaitUntil([&] { return !node(1).StatusOf(2).connected; }));
  ASSERT_TRUE(WaitUntil([&] { return !node(1).StatusOf(2).error.empty(); }));
  Make({.id = 2, .address = address});
  node(2).Know({&node(1)});
  ASSERT_TRUE(node(1).WaitConnected(2));
  ASSERT_OK(node(1).Send(2, "again"));
  ASSERT_TRUE(node(2).WaitFrames(1));
  EXPECT_THAT(node(2).frames(), ElementsAre(Pair(1, Text("again"))));
  EXPECT_THAT(node(1).metrics().Text(),
              HasSubstr("eraft_transport_reconnects_total{node=\"1\",peer=\"2\"} 1"));
}

TEST_F(Transports, APeerThatMovesIsFoundAtItsNewAddress) {  // E16
  MakeTwo();
  ASSERT_TRUE(node(1).WaitConnected(2));
  Make({.id = 2});
  Introduce();
  ASSERT_TRUE(node(1).WaitConnected(2));
  ASSERT_OK(node(1).Send(2, "there"));
  EXPECT_TRUE(node(2).WaitFrames(1));
}

TEST_F(Transports, ASlowReaderHoldsUpBulkAndNotControl) {  // E122
  MakeTwo({.bulk_bytes_max = 4 << 20});
  ASSERT_TRUE(node(1).WaitConnected(2));
  base::Mutex mutex;
  base::CondVar changed;
  bool go = false;
  node(2).loop().Post([&] {
    const base::MutexLock lock(mutex);
    while (!go) changed.Wait(mutex);
  });
  size_t sent = 0;
  absl::Status status;
  while (sent < 1000 && status.ok()) {
    status = node(1).Send(2, FrameClass::kBulk, base::Bytes(1 << 20, 'b'));
    if (status.ok()) ++sent;
  }
  EXPECT_THAT(status, StatusIs(absl::StatusCode::kResourceExhausted));
  EXPECT_LT(sent, 100u) << "what waits at the reader is bounded";
  for (int i = 0; i < 1000; ++i) ASSERT_OK(node(1).Send(2, "heartbeat"));
  {
    const base::MutexLock lock(mutex);
    go = true;
  }
  changed.NotifyAll();
  ASSERT_TRUE(node(2).WaitFrames(1000 + sent));
  const auto frames = node(2).frames();
  EXPECT_EQ(frames.back().second.size(), size_t{1} << 20) << "control overtook bulk";
}

TEST_F(Transports, StopEndsEverythingWhileItIsBusy) {
  MakeTwo();
  node(2).OnFrame([&](uint64_t peer, const base::Bytes& frame) {
    node(2).Send(peer, FrameClass::kBulk, frame).IgnoreError();
  });
  ASSERT_TRUE(node(1).WaitConnected(2));
  std::atomic<bool> end{false};
  std::thread sender([&] {
    while (!end.load()) {
      node(1).Send(2, FrameClass::kBulk, base::Bytes(10'000)).IgnoreError();
      node(1).Send(2, FrameClass::kSnapshot, base::Bytes(2 << 20)).IgnoreError();
      std::this_thread::yield();
    }
  });
  ASSERT_TRUE(node(2).WaitFrames(10));
  node(2).transport().Stop();
  const size_t received = node(2).frames().size();
  node(1).transport().Stop();
  end.store(true);
  sender.join();
  EXPECT_EQ(node(2).frames().size(), received) << "a frame came after Stop";
  EXPECT_THAT(node(2).transport().Status(), IsEmpty());
}

// ---- TLS ----

class TlsTransports : public Transports {
 protected:
  base::net::TlsOptions Issue(const base::net::TestAuthority& authority, const std::string& name) {
    const base::net::TestCertificate pair =
        authority.Issue({.sans = {"DNS:" + name, "IP:127.0.0.1"}});
    base::net::ReplaceTestFile(files_.Join(name + ".pem"), pair.cert_pem);
    base::net::ReplaceTestFile(files_.Join(name + ".key"), pair.key_pem);
    base::net::ReplaceTestFile(files_.Join(name + ".ca"), authority.cert_pem());
    base::net::TlsOptions options;
    options.cert = files_.Join(name + ".pem");
    options.key = files_.Join(name + ".key");
    options.ca = files_.Join(name + ".ca");
    return options;
  }
  // A node whose certificate names "node<id>".
  TestNodeOptions OptionsOf(raft::NodeId id, const base::net::TestAuthority& authority) {
    TestNodeOptions options{.id = id};
    options.client_tls = options.server_tls = Issue(authority, absl::StrCat("node", id));
    options.server_tls.client_auth = base::net::ClientAuth::kRequire;
    return options;
  }

  TempDir files_;
  const base::net::TestAuthority authority_;
};

TEST_F(TlsTransports, NodesWithCertificatesOfOneAuthorityTalk) {  // E24
  MakeTwo(OptionsOf(1, authority_), OptionsOf(2, authority_));
  ASSERT_TRUE(node(1).WaitConnected(2));
  ASSERT_TRUE(node(2).WaitConnected(1));
  ASSERT_OK(node(1).Send(2, "secret"));
  ASSERT_TRUE(node(2).WaitFrames(1));
  EXPECT_THAT(node(2).frames(), ElementsAre(Pair(1, Text("secret"))));
}

TEST_F(TlsTransports, ANodeOfAnotherAuthorityStaysOut) {  // E24
  const base::net::TestAuthority other("other authority");
  MakeTwo(OptionsOf(1, authority_), OptionsOf(2, other));
  EXPECT_TRUE(WaitUntil([&] { return !node(1).StatusOf(2).error.empty(); }));
  EXPECT_TRUE(WaitUntil([&] { return !node(2).StatusOf(1).error.empty(); }));
  EXPECT_FALSE(node(1).StatusOf(2).connected);
  EXPECT_FALSE(node(2).StatusOf(1).connected);
}

TEST_F(TlsTransports, OnlyNodesThatAreNamedMaySpeak) {  // E27
  TestNodeOptions first = OptionsOf(1, authority_);
  first.server_tls.allowed_sans = {"node3"};
  MakeTwo(first, OptionsOf(2, authority_));
  EXPECT_TRUE(node(1).WaitConnected(2));
  EXPECT_TRUE(WaitUntil([&] { return !node(2).StatusOf(1).error.empty(); }));
  EXPECT_FALSE(node(2).StatusOf(1).connected);
}

TEST_F(TlsTransports, AClientOfASharedPortIsNoPeer) {  // E24, E27
  TestNodeOptions first = OptionsOf(1, authority_);
  first.server_tls.client_auth = base::net::ClientAuth::kRequest;
  first.certificate_required = true;
  TestNodeOptions second = OptionsOf(2, authority_);
  second.client_tls.cert.clear();
  second.client_tls.key.clear();
  MakeTwo(first, second);
  EXPECT_TRUE(node(2).WaitError(1, "shows a certificate"));
  EXPECT_TRUE(node(1).WaitConnected(2)) << "which asks for one, and this one shows it";
  EXPECT_FALSE(node(2).StatusOf(1).connected);
}

// E124: the same frames as calls of raftpb.RaftService; one node sends so and the other by streams.
TEST_F(Transports, UnaryCallsCarryFramesToo) {
  MakeTwo({.id = 1, .unary = true, .token = "one"},
          {.id = 2, .token = "two", .wanted_token = "one"});
  ASSERT_TRUE(node(1).WaitConnected(2));
  ASSERT_TRUE(node(2).WaitConnected(1));
  for (int i = 0; i < 300; ++i) ASSERT_OK(node(1).Send(2, absl::StrCat("frame", i)));
  base::Bytes large(3 << 20, uint8_t{7});
  ASSERT_OK(node(1).Send(2, FrameClass::kSnapshot, large));
  ASSERT_OK(node(2).Send(1, "back"));
  ASSERT_TRUE(node(2).WaitFrames(301));
  ASSERT_TRUE(node(1).WaitFrames(1));
  int next = 0;
  bool whole = false;
  for (const auto& [peer, frame] : node(2).frames()) {
    EXPECT_EQ(peer, 1u);
    if (frame == large) {
      whole = true;
    } else {
      EXPECT_EQ(frame, Text(absl::StrCat("frame", next++)));
    }
  }
  EXPECT_TRUE(whole);
  EXPECT_EQ(next, 300);
  EXPECT_TRUE(WaitUntil([&] { return node(1).StatusOf(2).rtt > absl::ZeroDuration(); }));
  TestNodeOptions again{.id = 2, .token = "two", .wanted_token = "one"};
  again.address = node(2).address();
  Make(again);
  Introduce();
  EXPECT_TRUE(node(1).WaitConnected(2)) << "a new stream after a restart";
}

// Nodes of other programs, whose requests are those of the reference.
TEST_F(Transports, ForeignRaftRequestsAreRefused) {  // E124
  Make({.id = 1});
  base::os::LinuxFiles files;
  base::os::SystemClock clock;
  const auto channel =
      base::net::Channel::Open({.address = node(1).address()}, files, clock.Wall()).value();
  const auto stub = raftpb::RaftService::NewStub(channel->raw().channel);
  raftpb::AppendEntriesRequest append;
  append.set_term(7);
  append.add_entries()->set_command("a command of another program");
  raftpb::AppendEntriesResponse appended;
  grpc::ClientContext first, second;
  const grpc::Status answer = stub->AppendEntries(&first, append, &appended);
  EXPECT_EQ(answer.error_code(), grpc::FAILED_PRECONDITION);
  EXPECT_THAT(answer.error_message(), HasSubstr("not mixed with nodes of other"));
  raftpb::RequestVoteResponse voted;
  EXPECT_EQ(stub->RequestVote(&second, {}, &voted).error_code(), grpc::FAILED_PRECONDITION);
}

TEST_F(Transports, ATokenIsShownWithEachStreamAndAskedFor) {  // E191
  MakeTwo({.id = 1, .token = "one", .wanted_token = "two"}, {.id = 2, .token = "no"});
  EXPECT_TRUE(node(2).WaitError(1, "no token of a node"));
  EXPECT_TRUE(node(1).WaitConnected(2));
  EXPECT_FALSE(node(2).StatusOf(1).connected);
  MakeTwo({.id = 1, .token = "one", .wanted_token = "two"},
          {.id = 2, .token = "two", .wanted_token = "one"});
  EXPECT_TRUE(node(1).WaitConnected(2));
  EXPECT_TRUE(node(2).WaitConnected(1));
}

TEST_F(TlsTransports, ACertificateOfAnotherMemberIsRefused) {  // E27, E123
  Make(OptionsOf(1, authority_));
  Make(OptionsOf(2, authority_));  // its certificate names "node2" and 127.0.0.1
  node(1).transport().SetPeers({{2, "localhost:1"}, {3, "node2:1"}});
  node(2).Know({&node(1)});
  EXPECT_TRUE(node(2).WaitError(1, "its certificate is that of node 1, 3"));
  node(1).transport().SetPeers({{2, "node2:1"}, {3, "localhost:1"}});
  EXPECT_TRUE(node(2).WaitConnected(1));
}

TEST_F(TlsTransports, PlainTextAndTlsDoNotMix) {  // E24
  MakeTwo(OptionsOf(1, authority_), {});
  EXPECT_TRUE(WaitUntil([&] { return !node(1).StatusOf(2).error.empty(); }));
  EXPECT_TRUE(WaitUntil([&] { return !node(2).StatusOf(1).error.empty(); }));
  EXPECT_FALSE(node(1).StatusOf(2).connected);
  EXPECT_FALSE(node(2).StatusOf(1).connected);
}

TEST_F(TlsTransports, NewCertificatesAreUsedByTheNextStream) {  // E25
  MakeTwo(OptionsOf(1, authority_), OptionsOf(2, authority_));
  ASSERT_TRUE(node(1).WaitConnected(2));
  const base::net::TestAuthority next("next authority");
  Issue(next, "node1");
  const TestNodeOptions options = OptionsOf(2, next);
  Make(options);
  Introduce();
  EXPECT_TRUE(node(1).WaitConnected(2));
  EXPECT_TRUE(node(2).WaitConnected(1)) << node(2).StatusOf(1).error;
}

// ---- A client made by hand ----

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
