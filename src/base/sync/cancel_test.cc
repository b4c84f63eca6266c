// Z57: child tokens, the first reason wins, a child never cancels its parent.
#include "base/sync/cancel.h"

#include <atomic>
#include <optional>
#include <thread>
#include <vector>

#include "base/testing/status_matchers.h"

namespace slipway::base {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using testing::StatusIs;
using Kind = CancelReason::Kind;

TEST(CancelToken, DefaultIsNeverCancelled) {
  const CancelToken token;
  bool called = false;
  const auto kept = token.OnCancel([&] { called = true; });
  EXPECT_FALSE(token.cancelled());
  EXPECT_OK(token.status());
  EXPECT_FALSE(called);
}

TEST(CancelToken, FirstReasonWins) {
  CancelSource source;
  const CancelToken token = source.token();
  EXPECT_FALSE(token.cancelled());
  EXPECT_TRUE(source.Cancel({.kind = Kind::kInterrupt, .text = "SIGINT"}));
  EXPECT_FALSE(source.Cancel({.kind = Kind::kTimeout, .timeout = absl::Seconds(3)}));
  EXPECT_TRUE(token.cancelled());
  EXPECT_EQ(token.reason().kind, Kind::kInterrupt);
  EXPECT_THAT(token.status(), StatusIs(absl::StatusCode::kCancelled, "interrupted by SIGINT"));
}

TEST(CancelToken, StatusTellsEachReason) {
  const auto status = [](CancelReason reason) {
    CancelSource source;
    source.Cancel(std::move(reason));
    return source.token().status();
  };
  EXPECT_THAT(status({.kind = Kind::kTimeout, .timeout = absl::Seconds(30)}),
              StatusIs(absl::StatusCode::kDeadlineExceeded, "timed out after 30s"));
  EXPECT_THAT(status({.kind = Kind::kInterrupt}),
              StatusIs(absl::StatusCode::kCancelled, "interrupted"));
  EXPECT_THAT(status({.kind = Kind::kSiblingFailed}),
              StatusIs(absl::StatusCode::kCancelled, HasSubstr("failed")));
  EXPECT_THAT(status({.kind = Kind::kInvalidated}),
              StatusIs(absl::StatusCode::kCancelled, HasSubstr("inputs changed")));
  EXPECT_THAT(status({.kind = Kind::kStarvation}),
              StatusIs(absl::StatusCode::kCancelled, HasSubstr("resources")));
  EXPECT_THAT(status({.kind = Kind::kOther, .text = "shutting down"}),
              StatusIs(absl::StatusCode::kCancelled, "cancelled: shutting down"));
  EXPECT_THAT(status({}), StatusIs(absl::StatusCode::kCancelled, "cancelled"));
}

TEST(CancelTree, ParentCancelsAllDescendantsWithItsReason) {
  CancelSource parent;
  CancelSource child(parent.token());
  CancelSource grandchild(child.token());
  parent.Cancel({.kind = Kind::kTimeout, .timeout = absl::Seconds(2)});
  EXPECT_EQ(child.token().reason().kind, Kind::kTimeout);
  EXPECT_EQ(grandchild.token().reason().timeout, absl::Seconds(2));
}

TEST(CancelTree, ChildCancelsNeitherParentNorSibling) {
  CancelSource parent;
  CancelSource child(parent.token());
  CancelSource sibling(parent.token());
  child.Cancel({.kind = Kind::kSiblingFailed});
  EXPECT_FALSE(parent.token().cancelled());
  EXPECT_FALSE(sibling.token().cancelled());
  // Nor does its reason reach the parent later, nor the parent's replace the child's.
  parent.Cancel({.kind = Kind::kInterrupt});
  EXPECT_EQ(parent.token().reason().kind, Kind::kInterrupt);
  EXPECT_EQ(sibling.token().reason().kind, Kind::kInterrupt);
  EXPECT_EQ(child.token().reason().kind, Kind::kSiblingFailed);
}

TEST(CancelTree, ChildOfACancelledParentIsBornCancelled) {
  CancelSource parent;
  parent.Cancel({.kind = Kind::kInvalidated});
  const CancelSource child(parent.token());
  EXPECT_EQ(child.token().reason().kind, Kind::kInvalidated);
}

TEST(CancelTree, ChildOfTheDefaultTokenStandsAlone) {
  CancelSource child{CancelToken()};
  EXPECT_FALSE(child.token().cancelled());
  EXPECT_TRUE(child.Cancel({}));
}

TEST(CancelTree, TokensOutliveTheirSource) {
  CancelSource parent;
  auto child = std::make_optional<CancelSource>(parent.token());
  const CancelToken token = child->token();
  child.reset();
  parent.Cancel({});
  EXPECT_TRUE(token.cancelled());
}

TEST(CancelTree, ADestroyedChildIsForgotten) {
  CancelSource parent;
  for (int i = 0; i < 100; ++i) CancelSource child(parent.token());
  EXPECT_TRUE(parent.Cancel({}));
}

TEST(CancelCallback, RunsOnceInOrderOfRegistration) {
  CancelSource source;
  std::vector<int> calls;
  const auto first = source.token().OnCancel([&] { calls.push_back(1); });
  const auto second = source.token().OnCancel([&] { calls.push_back(2); });
  source.Cancel({});
  source.Cancel({});
  EXPECT_THAT(calls, ElementsAre(1, 2));
}

TEST(CancelCallback, RunsAtOnceWhenAlreadyCancelled) {
  CancelSource source;
  source.Cancel({});
  bool called = false;
  const auto kept = source.token().OnCancel([&] { called = true; });
  EXPECT_TRUE(called);
}

TEST(CancelCallback, DoesNotRunAfterItsHandleIsGone) {
  CancelSource source;
  bool called = false;
  auto handle = source.token().OnCancel([&] { called = true; });
  handle.reset();
  source.Cancel({});
  EXPECT_FALSE(called);
}

TEST(CancelCallback, SeesTheReason) {
  CancelSource source;
  std::optional<CancelReason> seen;
  const auto kept = source.token().OnCancel([&] { seen = source.token().reason(); });
  source.Cancel({.kind = Kind::kStarvation});
  ASSERT_TRUE(seen.has_value());
  EXPECT_EQ(seen->kind, Kind::kStarvation);
}

TEST(CancelCallback, MayDropItsOwnHandleAndOthers) {
  CancelSource source;
  std::shared_ptr<void> own, other;
  bool other_called = false;
  own = source.token().OnCancel([&] {
    own.reset();
    other.reset();
  });
  other = source.token().OnCancel([&] { other_called = true; });
  source.Cancel({});
  EXPECT_FALSE(other_called);
}

TEST(CancelCallback, MayDestroyTheSource) {
  auto source = std::make_optional<CancelSource>();
  const CancelToken token = source->token();
  const auto kept = token.OnCancel([&] { source.reset(); });
  source->Cancel({});
  EXPECT_TRUE(token.cancelled());
}

TEST(CancelCallback, MayDestroyAChildThatIsBeingCancelled) {
  CancelSource parent;
  auto child = std::make_optional<CancelSource>(parent.token());
  const auto kept = child->token().OnCancel([&] { child.reset(); });
  parent.Cancel({});
  EXPECT_FALSE(child.has_value());
}

TEST(CancelThreads, OneOfManyCancelsWins) {
  for (int round = 0; round < 50; ++round) {
    CancelSource source;
    std::atomic<int> winners{0};
    std::atomic<int> calls{0};
    const auto kept = source.token().OnCancel([&] { ++calls; });
    std::vector<std::thread> threads;
    for (int i = 0; i < 4; ++i) {
      threads.emplace_back([&, i] {
        if (source.Cancel({.kind = Kind::kOther, .text = std::to_string(i)})) ++winners;
        EXPECT_FALSE(source.token().status().ok());
      });
    }
    for (std::thread& thread : threads) thread.join();
    EXPECT_EQ(winners, 1);
    EXPECT_EQ(calls, 1);
  }
}

TEST(CancelThreads, DroppingAHandleWaitsForTheRunningCallback) {
  for (int round = 0; round < 20; ++round) {
    CancelSource source;
    std::atomic<bool> running{false}, dropping{false}, ended{false};
    auto handle = source.token().OnCancel([&] {
      running = true;
      while (!dropping) std::this_thread::yield();
      // Time for a drop that does not wait to come back.
      for (int i = 0; i < 100; ++i) std::this_thread::yield();
      ended = true;
    });
    std::thread canceller([&] { source.Cancel({}); });
    while (!running) std::this_thread::yield();
    dropping = true;
    handle.reset();
    EXPECT_TRUE(ended);
    canceller.join();
  }
}

TEST(CancelTree, ItsDepthIsNoMatterOfTheStack) {
  constexpr int kDepth = 100'000;
  auto root = std::make_unique<CancelSource>();
  std::vector<std::unique_ptr<CancelSource>> chain;
  for (int i = 0; i < kDepth; ++i) {
    chain.push_back(std::make_unique<CancelSource>(i == 0 ? root->token() : chain.back()->token()));
  }
  const CancelToken last = chain.back()->token();
  chain.clear();  // now only the last token holds them, each the one above it
  EXPECT_TRUE(root->Cancel({.kind = Kind::kTimeout, .timeout = absl::Seconds(1)}));
  EXPECT_EQ(last.reason().kind, Kind::kTimeout);
}  // and here they end

TEST(CancelTree, ADescendantsCallbacksRunBeforeLaterOnesOfItsParent) {
  CancelSource parent;
  std::vector<int> calls;
  const auto first = parent.token().OnCancel([&] { calls.push_back(1); });
  CancelSource child(parent.token());
  CancelSource grandchild(child.token());
  const auto inner = grandchild.token().OnCancel([&] { calls.push_back(2); });
  const auto middle = child.token().OnCancel([&] { calls.push_back(3); });
  const auto second = parent.token().OnCancel([&] { calls.push_back(4); });
  parent.Cancel({});
  EXPECT_THAT(calls, ElementsAre(1, 2, 3, 4));
}

TEST(CancelThreads, ChildrenComeAndGoWhileTheParentIsCancelled) {
  for (int round = 0; round < 50; ++round) {
    CancelSource parent;
    std::atomic<int> cancelled_children{0};
    std::vector<std::thread> threads;
    for (int i = 0; i < 3; ++i) {
      threads.emplace_back([&] {
        for (int n = 0; n < 20; ++n) {
          CancelSource child(parent.token());
          const auto kept = child.token().OnCancel([&] { ++cancelled_children; });
        }
        while (!parent.token().cancelled()) std::this_thread::yield();
        const CancelSource late(parent.token());
        EXPECT_TRUE(late.token().cancelled());
      });
    }
    parent.Cancel({.kind = Kind::kInterrupt});
    for (std::thread& thread : threads) thread.join();
    EXPECT_LE(cancelled_children, 60);
  }
}

}  // namespace
}  // namespace slipway::base
