// The orderly end of a kvserver (E195).
#include <optional>
#include <utility>

#include "absl/strings/str_cat.h"
#include "base/log/log.h"
#include "base/status.h"
#include "eraft/service/kvserver_impl.h"
#include "eraft/service/limits.h"

namespace slipway::eraft {
namespace {

constexpr absl::Duration kDrainLook = absl::Milliseconds(10);
constexpr absl::Duration kGoodbye = absl::Milliseconds(500);  // for clients to leave at the end

}  // namespace

struct KvServerImpl::Leaving {
  std::function<void(absl::Status)> done;
  Handover handover;
  absl::Duration election_timeout;
  std::optional<absl::Duration> until;  // for what is under way; set when the office is given up
};

void KvServerImpl::BeginDrain(std::function<void(absl::Status)> done) {
  health_.SetPhase(base::net::Health::Phase::kDraining);
  transport_->AnnounceLeaving();
  loop_.Post([this, done = std::move(done)]() mutable {
    if (!replica_->draining()) {
      replica_->SetDraining();
      SLIPWAY_LOG(kInfo, "draining", {{"under_way", replica_->inflight()}});
    }
    absl::Duration election;
    {
      base::MutexLock lock(mutex_);
      election = election_;
    }
    DrainOnLoop(std::make_shared<Leaving>(
        Leaving{std::move(done), Handover(plan_.id, clock_.Monotonic(), election, kTransferMax),
                election, std::nullopt}));
  });
}

// Looks again until the office is handed over and nothing is under way.
void KvServerImpl::DrainOnLoop(const std::shared_ptr<Leaving>& leaving) {
  const absl::Duration now = clock_.Monotonic();
  replica_->Look();
  const auto view = replica_->view();
  Node* node = replica_->node();
  if (node == nullptr) return leaving->done(absl::OkStatus());
  if (!leaving->until.has_value()) {
    const raft::Status& raft = view->status.raft;
    const std::vector<PeerSight> peers = Sights();
    const Handover::Step step = leaving->handover.Next(raft, peers, now);
    if (step.kind == Handover::Kind::kTransfer) {
      const absl::Status begun = node->TransferLeader(kKvGroup, step.to);
      SLIPWAY_LOG(kInfo, "hands leadership over", {{"to", step.to}, {"result", begun.ToString()}});
    } else if (step.kind == Handover::Kind::kDone) {
      // Where no majority stays nothing has an outcome any more.
      const bool hope = HasQuorum(raft, plan_.id, peers);
      if (view->leads() && raft.membership.voters.size() > 1) {
        SLIPWAY_LOG(kWarn, "nobody takes the office over", {{"quorum", hope}});
      }
      leaving->until = now + (hope ? config_.drain_timeout : leaving->election_timeout);
    }
  }
  if (leaving->until.has_value() && (replica_->inflight() == 0 || now >= *leaving->until)) {
    return leaving->done(replica_->inflight() == 0
                             ? absl::OkStatus()
                             : absl::DeadlineExceededError(absl::StrCat(
                                   "drain: ", replica_->inflight(),
                                   " requests are still under way; their outcome is unknown")));
  }
  loop_.After(kDrainLook, [this, leaving] { DrainOnLoop(leaving); });
}

void KvServerImpl::Drain() {
  {
    base::MutexLock lock(mutex_);
    if (std::exchange(drained_, true)) return;
  }
  replica_->SetStopping();
  struct Waiter {
    base::Mutex mutex;
    base::CondVar changed;
    bool done ABSL_GUARDED_BY(mutex) = false;
  };
  auto waiter = std::make_shared<Waiter>();
  BeginDrain([waiter](const absl::Status& status) {
    if (!status.ok()) SLIPWAY_LOG(kWarn, std::string(status.message()));
    base::MutexLock lock(waiter->mutex);
    waiter->done = true;
    waiter->changed.NotifyAll();
  });
  {
    base::MutexLock lock(waiter->mutex);
    while (!waiter->done) waiter->changed.Wait(waiter->mutex);
  }
  housekeeping_ticker_.reset();
  look_.reset();
  transport_->Stop();
  StopNode(/*orderly=*/true);
  if (server_ != nullptr) server_->Drain(kGoodbye);
  if (http_ != nullptr) http_->Drain(kGoodbye);
  SLIPWAY_LOG(kInfo, "drained");
}

}  // namespace slipway::eraft
