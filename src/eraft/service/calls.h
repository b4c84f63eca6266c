// One unary call from its begin to its end. Private to eraft/service.
#pragma once

#include <grpcpp/support/server_callback.h>

#include <atomic>
#include <memory>
#include <string>
#include <utility>

#include "absl/status/status.h"
#include "base/json/json.h"
#include "base/net/grpc/grpc_service.h"
#include "eraft/service/services.h"

namespace slipway::eraft {

struct Method {
  const char* path;             // "/kvraftpb.KVService/Command"
  Role role;                    // needed to call it
  const char* audit = nullptr;  // as the audit log calls it; null: not kept there
};

// The caller's side of a call; a token may also come as metadata `token` (E191).
base::net::Call CallOf(const base::net::ServerCall& call,
                       const grpc::CallbackServerContext& context);

// Shared by the handler and what it hands to the loop or the pool; whoever ends it calls Finish,
// once, from any thread. Until then request, response and context are there.
class UnaryCall : public std::enable_shared_from_this<UnaryCall> {
 public:
  using Ptr = std::shared_ptr<UnaryCall>;
  // Null: the call is refused, and has been answered. `reactor`: the context's default one.
  static Ptr Begin(ServiceParts& parts, base::net::Service::Raw& raw,
                   grpc::CallbackServerContext& context, grpc::ServerUnaryReactor& reactor,
                   const Method& method);
  UnaryCall(ServiceParts& parts, base::net::Service::Raw& raw, grpc::CallbackServerContext& context,
            grpc::ServerUnaryReactor& reactor, const Method& method);
  // Whom nobody ended, nobody will: what would have is gone with the node. Ends it, UNAVAILABLE.
  ~UnaryCall();

  // Adds what a client needs to find the leader (E19).
  void AddLeaderHint();
  // Adds why the command was certainly not executed, for clients that would else have to doubt.
  void AddNotExecuted(absl::string_view why);
  void SetTarget(std::string target) { target_ = std::move(target); }
  void AddField(absl::string_view name, base::Json value) { fields_.Set(name, std::move(value)); }
  // Times of the way, for the slow log. On the loop, before Finish.
  void NoteProposed() { proposed_ = parts_.replica.now(); }
  void NoteAnswered() { answered_ = parts_.replica.now(); }
  absl::Duration begun() const { return begun_; }
  // Of the caller, as a monotonic time; infinite without one.
  absl::Duration deadline() const { return deadline_; }
  // Whether the caller has gone, or its deadline has passed. Before Finish.
  bool cancelled() const { return context_.IsCancelled(); }
  const std::string& peer() const { return peer_; }

  void Finish(const absl::Status& status, absl::string_view result = "");

 private:
  void End(const absl::Status& status);

  ServiceParts& parts_;
  grpc::CallbackServerContext& context_;
  grpc::ServerUnaryReactor& reactor_;
  const Method method_;
  std::unique_ptr<base::net::ServerCall> call_;
  std::string peer_, request_id_;
  Caller caller_;
  std::string target_;
  base::Json fields_ = base::Json::MakeObject();
  absl::Duration begun_, proposed_, answered_, deadline_ = absl::InfiniteDuration();
};

}  // namespace slipway::eraft
