// What the reactors share: one call with its place in the list of running ones, its strand, its
// record in the audit log. Private to cas/service.
#pragma once

#include <atomic>
#include <functional>
#include <memory>
#include <string>
#include <utility>

#include "absl/functional/any_invocable.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "base/net/grpc/grpc_service.h"
#include "base/sync/strand.h"
#include "cas/digest.h"
#include "cas/service/services.h"

namespace slipway::cas {

// The version of the wire protocol, sent and expected as metadata (Z47).
inline constexpr char kSchemaKey[] = "zako-schema";
inline constexpr char kSchema[] = "1";

struct Method {
  const char* path;  // "/zako.v1.transport.Transport/Upload"
  const char* op;    // "upload": of the audit log
  Role role;         // needed to call it
};

// Made on a gRPC thread, which may call Submit and Cancel; Authorize, SetTarget and Finish belong
// to the jobs of the strand. OnDone of the reactor calls Release, after which only `finished` is
// left.
class StreamCall {
 public:
  StreamCall(ServiceParts& parts, base::net::Service::Raw& raw,
             grpc::CallbackServerContext& context, const Method& method,
             std::function<void()> expire = nullptr);

  // OK, or why the call is refused before anything happens.
  const absl::Status& admitted() const { return call_->admitted(); }
  // Hands `job` to the strand. False: the server is too busy; the job is gone.
  bool Submit(base::Task job) { return strand_.Submit(std::move(job)).ok(); }
  void Cancel() { call_->Cancel(); }
  // `stop` ends the call as CANCELLED when the time of a drain is over (base::net::ServerCall).
  void OnStop(absl::AnyInvocable<void()> stop) { call_->OnStop(std::move(stop)); }
  base::CancelToken cancel() const { return call_->call().cancel; }

  // Whether the caller may use the transport, or the CAS and its administration.
  absl::Status AuthorizeTransport() { return Keep(parts_.authority.Transport(call(), role())); }
  absl::Status AuthorizeCaller() { return Keep(parts_.authority.Caller(call(), role())); }

  void SetTarget(const Digest& digest);
  void AddField(absl::string_view name, base::Json value) { fields_.Set(name, std::move(value)); }
  Requests::Entry& entry() { return *entry_; }
  ServiceParts& parts() { return parts_; }
  const Identity& identity() const { return identity_; }

  bool finished() const { return finished_; }
  // True for the first caller, who then calls Finish and gives its result to the reactor.
  bool TakeFinish() { return !finished_.exchange(true); }
  grpc::Status Finish(const absl::Status& status);
  void Release() {
    call_.reset();
    entry_.reset();
  }

 private:
  const base::net::Call& call() const { return call_->call(); }
  Role role() const { return method_.role; }
  absl::Status Keep(absl::StatusOr<Identity> identity);

  ServiceParts& parts_;
  const Method method_;
  std::unique_ptr<base::net::ServerCall> call_;
  std::shared_ptr<Requests::Entry> entry_;
  base::Strand strand_;
  std::atomic<bool> finished_{false};
  Identity identity_;
  std::string target_;
  base::Json fields_ = base::Json::MakeObject();
};

absl::Status BusyError();

}  // namespace slipway::cas
