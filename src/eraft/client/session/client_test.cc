// The three forms, from many threads at once, on a real loop: for the thread sanitizer too.
#include "eraft/client/session/client.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <atomic>
#include <thread>

#include "absl/strings/str_cat.h"
#include "base/os/clock.h"
#include "base/os/loop.h"
#include "base/os/random.h"
#include "base/testing/status_matchers.h"
#include "eraft/client/session/test_servers.h"

namespace slipway::eraft::client {
namespace {

class ClientTest : public ::testing::Test {
 protected:
  void SetUp() override {
    auto servers = std::make_unique<TestServers>(loop_, 1, std::vector<std::string>{"a:1", "b:1"});
    servers->faults.close = 2;
    servers->faults.unknown = 2;
    servers_ = servers.get();
    client_ =
        Client::Make({.addresses = {"a:1", "b:1"}}, loop_, clock_, random_, std::move(servers));
  }
  base::os::SystemClock clock_;
  base::os::SystemRandom random_;
  base::os::ThreadLoop loop_{"client"};
  TestServers* servers_ = nullptr;  // of the loop
  std::unique_ptr<Client> client_;
};

TEST_F(ClientTest, AllOperationsAnswerInAllForms) {  // E146
  const auto& none = std::nullopt;
  EXPECT_EQ(*client_->Get("k"), none);
  EXPECT_OK(client_->Put("k", "v"));
  EXPECT_OK(client_->Append("k", "w"));
  EXPECT_EQ(*client_->Get("k"), "vw");
  EXPECT_FALSE(*client_->CompareAndSet("k", "other", "x"));
  EXPECT_TRUE(*client_->CompareAndSet("k", "vw", "x"));
  ASSERT_OK_AND_ASSIGN(const Rows rows, client_->Scan("", ""));
  EXPECT_EQ(rows.rows.size(), 1);
  EXPECT_TRUE(*client_->Delete("k"));
  EXPECT_FALSE(*client_->Delete("k"));
  EXPECT_OK(client_->Async(PutOf("k", "v")).get());
  std::promise<std::string> got;
  client_->Start(GetOf("k"), {}, [&](absl::StatusOr<Reply> reply) {
    // A callback may begin another.
    client_->Start(AppendOf("k", "!"), {},
                   [&, before = reply->value](absl::StatusOr<Reply>) { got.set_value(before); });
  });
  EXPECT_EQ(got.get_future().get(), "v");
  EXPECT_EQ(*client_->Get("k"), "v!");
}

TEST_F(ClientTest, ManyThreadsShareAClient) {  // E146
  std::vector<std::thread> threads;
  std::atomic<int> done = 0;
  threads.reserve(4);
  for (int t = 0; t < 4; ++t) {
    threads.emplace_back([&, t] {
      for (int i = 0; i < 100; ++i) {
        if (client_->Append("k", absl::StrCat("<", t, ".", i, ">"), {absl::Seconds(60)}).ok())
          ++done;
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(done, 400);
  ASSERT_OK_AND_ASSIGN(const auto value, client_->Get("k"));
  EXPECT_EQ(value->size(), 4u * (10 * 5 + 90 * 6));
}

TEST_F(ClientTest, CloseAnswersWhatIsOpenAndRefusesWhatComesLater) {
  std::future<absl::StatusOr<Reply>> open = client_->Async(PutOf("k", "v"));
  client_->Close();
  const absl::StatusOr<Reply> reply = open.get();
  EXPECT_TRUE(reply.ok() || absl::IsCancelled(reply.status()));
  EXPECT_TRUE(absl::IsCancelled(client_->Get("k").status()));
  client_->Close();
}

}  // namespace
}  // namespace slipway::eraft::client
