// A lane whose streams behave as gRPC's do and the other tests' do not.
#include "eraft/transport/link/outgoing.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <memory>
#include <string>
#include <utility>

#include "base/metrics/metrics.h"
#include "eraft/transport/link/test_hub.h"

namespace slipway::eraft::link {
namespace {

class CountingStream final : public ClientStream {
 public:
  explicit CountingStream(int& writes) : writes_(writes) {}
  void Write(OutMessage /*message*/) override { ++writes_; }
  void Cancel() override {}

 private:
  int& writes_;
};

// Its streams end while they are made, as where nobody listens; OnClosed is the test's to call.
class RefusedDialer final : public Dialer {
 public:
  absl::StatusOr<std::shared_ptr<ClientStream>> Dial(
      const std::string& /*address*/, std::shared_ptr<ClientEvents> events) override {
    events->OnBroken();
    last_ = std::move(events);
    return std::make_shared<CountingStream>(writes_);
  }
  std::shared_ptr<ClientEvents> TakeLast() { return std::exchange(last_, nullptr); }
  int writes() const { return writes_; }

 private:
  std::shared_ptr<ClientEvents> last_;
  int writes_ = 0;
};

// gRPC frees a call when its last event was told: a write after that would go to freed memory.
TEST(Outgoing, NothingIsWrittenToAStreamThatBrokeBeforeItWasHere) {
  TestWorld world;
  TestIncarnations incarnations;
  base::Metrics registry;
  PeerMetrics metrics(registry, 1, 2);
  const auto dialer = std::make_shared<RefusedDialer>();
  const auto links =
      std::make_shared<const LinkWorld>(LinkWorld{.clock = world.clock,
                                                  .pool = world.pool,
                                                  .random = world.random,
                                                  .incarnations = incarnations,
                                                  .dialer = dialer,
                                                  .teller = std::make_shared<Teller>(world.clock)});
  const auto lane = std::make_shared<Outgoing>(links, 2, Lane::kMessages, "node2:1", metrics);
  for (int attempt = 0; attempt < 3; ++attempt) {
    world.RunFor(absl::Seconds(5));
    lane->Tick();
    world.RunFor(absl::Milliseconds(1));
    const std::shared_ptr<ClientEvents> events = dialer->TakeLast();
    ASSERT_NE(events, nullptr) << "attempt " << attempt;
    EXPECT_EQ(dialer->writes(), 0);
    events->OnClosed(absl::UnavailableError("nobody listens"));
    EXPECT_EQ(lane->status().error, "nobody listens");
  }
  lane->Stop();
}

}  // namespace
}  // namespace slipway::eraft::link
