// The end of a unary call whose answer may be large: what the client has not taken yet counts
// against the node's budget for results (E171). Private to eraft/service.
#pragma once

#include <grpcpp/support/server_callback.h>

#include <cstdint>
#include <memory>
#include <utility>

#include "absl/base/thread_annotations.h"
#include "absl/time/time.h"
#include "base/sync/mutex.h"
#include "eraft/service/limits.h"
#include "eraft/service/result_budget.h"

namespace slipway::eraft {

// Owns itself until gRPC is done with it. Thread-safe.
class HeldAnswer final : public grpc::ServerUnaryReactor,
                         public ResultBudget::Holder,
                         public std::enable_shared_from_this<HeldAnswer> {
 public:
  static std::shared_ptr<HeldAnswer> Make(grpc::CallbackServerContext& context,
                                          std::shared_ptr<ResultBudget> budget) {
    auto answer = std::make_shared<HeldAnswer>(context, std::move(budget));
    answer->self_ = answer;
    return answer;
  }
  HeldAnswer(grpc::CallbackServerContext& context, std::shared_ptr<ResultBudget> budget)
      : context_(context), budget_(std::move(budget)) {}

  // Before Finish: an answer of so many bytes. False: there is no room for it now, and the call is
  // to be refused. A small one takes no room: what gRPC keeps of a call is more.
  bool Hold(uint64_t bytes, absl::Duration now) {
    if (bytes < kAnswerHeldMin) return true;
    if (budget_->full()) return false;
    budget_->Hold(bytes);
    base::MutexLock lock(mutex_);
    held_ = bytes;
    since_ = now;
    place_ = budget_->Enter(weak_from_this());
    return true;
  }

  void OnDone() override {
    uint64_t held = 0;
    {
      base::MutexLock lock(mutex_);
      held = std::exchange(held_, 0);
      done_ = true;  // EndIfStalled has left the context, which then goes
    }
    if (held > 0) {
      budget_->Leave(place_);
      budget_->Release(held);
    }
    const std::shared_ptr<HeldAnswer> self = std::move(self_);
  }

  void EndIfStalled(absl::Duration now) override {
    base::MutexLock lock(mutex_);
    if (!done_ && now - since_ >= kPipelineStallMax) context_.TryCancel();
  }

 private:
  grpc::CallbackServerContext& context_;
  const std::shared_ptr<ResultBudget> budget_;
  std::shared_ptr<HeldAnswer> self_;
  base::Mutex mutex_;
  uint64_t held_ ABSL_GUARDED_BY(mutex_) = 0;
  absl::Duration since_ ABSL_GUARDED_BY(mutex_);
  bool done_ ABSL_GUARDED_BY(mutex_) = false;
  ResultBudget::Holders::iterator place_;  // while there is something held
};

}  // namespace slipway::eraft
