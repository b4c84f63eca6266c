// A unary call that does its work in one job of the pool. Private to cas/service.
#pragma once

#include <grpcpp/support/server_callback.h>

#include <functional>
#include <memory>
#include <utility>

#include "cas/service/stream_call.h"

namespace slipway::cas {

// Owns itself until OnDone; the job keeps it alive, and with it request and response.
class UnaryReactor : public grpc::ServerUnaryReactor,
                     public std::enable_shared_from_this<UnaryReactor> {
 public:
  using Work = std::function<absl::Status(StreamCall&)>;

  // `work` runs when the caller may make this call; what it returns ends the call.
  static grpc::ServerUnaryReactor* Start(ServiceParts& parts, base::net::Service::Raw& raw,
                                         grpc::CallbackServerContext& context, const Method& method,
                                         Work work) {
    auto reactor = std::make_shared<UnaryReactor>(std::move(work));
    reactor->Begin(parts, raw, context, method);
    return reactor.get();
  }
  explicit UnaryReactor(Work work) : work_(std::move(work)) {}

  void OnCancel() override { call_->Cancel(); }
  void OnDone() override {
    call_->Release();
    const auto self = std::move(self_);
  }

 private:
  void Begin(ServiceParts& parts, base::net::Service::Raw& raw,
             grpc::CallbackServerContext& context, const Method& method) {
    self_ = shared_from_this();
    call_ = std::make_unique<StreamCall>(parts, raw, context, method);
    if (!call_->admitted().ok()) return End(call_->admitted());
    const bool submitted = call_->Submit([self = self_] {
      absl::Status status = self->call_->AuthorizeCaller();
      if (status.ok()) status = self->work_(*self->call_);
      self->End(status);
    });
    if (!submitted) End(BusyError());
  }
  void End(const absl::Status& status) {
    if (call_->TakeFinish()) Finish(call_->Finish(status));
  }

  const Work work_;
  std::shared_ptr<UnaryReactor> self_;
  std::unique_ptr<StreamCall> call_;
};

}  // namespace slipway::cas
