// slipway.eraft.client.v1.Pipeline (spec 6.2).
#include <memory>
#include <utility>

#include "base/status.h"
#include "eraft/service/calls.h"
#include "eraft/service/limits.h"
#include "eraft/service/pipeline_stream.h"
#include "slipway/eraft/client/v1/client.grpc.pb.h"

namespace slipway::eraft {
namespace {

constexpr Method kRegister = {"/slipway.eraft.client.v1.Pipeline/RegisterSession", Role::kWrite};
constexpr Method kClose = {"/slipway.eraft.client.v1.Pipeline/CloseSession", Role::kWrite};
// Legacy clients choose their ids themselves, below this; so the two never meet.
constexpr uint64_t kStrictBit = uint64_t{1} << 63;

class PipelineService final : public v1::Pipeline::CallbackService, public base::net::Service {
 public:
  PipelineService(ServiceParts& parts, base::Random& random) : parts_(parts), random_(random) {
    raw_.service = this;
  }
  Raw& raw() override { return raw_; }

  grpc::ServerBidiReactor<v1::Batch, v1::BatchResult>* Stream(
      grpc::CallbackServerContext* context) override {
    return PipelineStream::Start(parts_, raw_, *context);
  }

  grpc::ServerUnaryReactor* RegisterSession(grpc::CallbackServerContext* context,
                                            const v1::RegisterSessionRequest* /*request*/,
                                            v1::Session* response) override {
    grpc::ServerUnaryReactor* const reactor = context->DefaultReactor();
    if (const auto call = UnaryCall::Begin(parts_, raw_, *context, *reactor, kRegister)) {
      const uint64_t id = random_.Next() | kStrictBit;
      Run(call, {.op = CommandOp::kRegisterSession, .client = id}, [this, response, id] {
        response->set_id(id);
        response->set_ttl_ms(static_cast<uint64_t>(absl::ToInt64Milliseconds(parts_.session_ttl)));
      });
    }
    return reactor;
  }

  grpc::ServerUnaryReactor* CloseSession(grpc::CallbackServerContext* context,
                                         const v1::Session* request,
                                         v1::CloseSessionResponse* /*response*/) override {
    grpc::ServerUnaryReactor* const reactor = context->DefaultReactor();
    if (const auto call = UnaryCall::Begin(parts_, raw_, *context, *reactor, kClose)) {
      Run(call, {.op = CommandOp::kCloseSession, .client = request->id()}, [] {});
    }
    return reactor;
  }

 private:
  void Run(const UnaryCall::Ptr& call, Command command, std::function<void()> fill) {
    command.strict = true;
    const absl::Status admitted = parts_.replica.AdmitWrite(/*frees=*/true);  // a delete needs one
    if (!admitted.ok()) return Fail(call, admitted);
    auto bytes = parts_.replica.Prepare(std::move(command));
    if (!bytes.ok()) return Fail(call, bytes.status());
    const absl::Duration deadline = std::min(call->deadline(), call->begun() + kPipelineAnswerMax);
    parts_.replica.Propose(*std::move(bytes), deadline,
                           [call, fill = std::move(fill)](const absl::StatusOr<Outcome>& outcome) {
                             if (!outcome.ok()) return Fail(call, outcome.status());
                             const AnswerCode code = outcome->answer.code;
                             if (code == AnswerCode::kOk) {
                               fill();
                               return call->Finish(absl::OkStatus());
                             }
                             call->Finish(code == AnswerCode::kUnknownSession
                                              ? absl::NotFoundError("close session: there is none")
                                              : absl::InvalidArgumentError("session: bad id"));
                           });
  }
  static void Fail(const UnaryCall::Ptr& call, const absl::Status& status) {
    call->AddLeaderHint();
    call->Finish(status);
  }

  ServiceParts& parts_;
  base::Random& random_;
  Raw raw_;
};

}  // namespace

std::unique_ptr<base::net::Service> MakePipelineService(ServiceParts& parts, base::Random& random) {
  return std::make_unique<PipelineService>(parts, random);
}

}  // namespace slipway::eraft
