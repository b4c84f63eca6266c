#include <memory>
#include <utility>

#include "absl/strings/str_cat.h"
#include "base/status.h"
#include "cas/service/convert.h"
#include "cas/service/services.h"
#include "cas/service/session/negotiator.h"
#include "cas/service/slices.h"
#include "cas/service/stream_call.h"
#include "cas/service/unary_reactor.h"
#include "compat/zako/v1/cas.grpc.pb.h"

namespace slipway::cas {
namespace {

namespace pb = zako::v1::cas;
using Generated = pb::ContentAddressableStorage;

constexpr Method kNegotiate = {"/zako.v1.cas.ContentAddressableStorage/NegotiateBlobs", "negotiate",
                               Role::kRead};
constexpr Method kDetails = {"/zako.v1.cas.ContentAddressableStorage/GetTransportDetails",
                             "issue-token", Role::kRead};

// Request by request (Z4): the next one is read when the answer is on its way.
class NegotiateReactor : public grpc::ServerBidiReactor<grpc::ByteBuffer, grpc::ByteBuffer>,
                         public std::enable_shared_from_this<NegotiateReactor> {
 public:
  NegotiateReactor(ServiceParts& parts, base::net::Service::Raw& raw,
                   grpc::CallbackServerContext& context)
      : parts_(parts), raw_(raw), context_(context) {}

  void Start() {
    self_ = shared_from_this();
    call_ = std::make_unique<StreamCall>(parts_, raw_, context_, kNegotiate);
    if (!call_->admitted().ok()) return End(call_->admitted());
    call_->OnStop([this] { Run(&NegotiateReactor::Vanish); });
    if (!Run(&NegotiateReactor::Begin)) End(BusyError());
  }

  // ---- gRPC threads ----
  void OnReadDone(bool ok) override {
    if (!Run(ok ? &NegotiateReactor::TakeRequest : &NegotiateReactor::TakeEnd)) End(BusyError());
  }
  void OnWriteDone(bool ok) override {
    if (!Run(ok ? &NegotiateReactor::Read : &NegotiateReactor::Vanish)) End(BusyError());
  }
  void OnCancel() override {
    call_->Cancel();
    Run(&NegotiateReactor::Vanish);  // if it is refused, what fails next does the same
  }
  void OnDone() override {
    call_->Release();
    const auto self = std::move(self_);
  }

 private:
  bool Run(void (NegotiateReactor::*job)()) {
    return call_->Submit([self = shared_from_this(), job] {
      if (!self->call_->finished()) (self.get()->*job)();
    });
  }

  // ---- Jobs of the strand ----
  void Begin() {
    if (absl::Status status = call_->AuthorizeCaller(); !status.ok()) return End(status);
    Read();
  }
  void Read() { StartRead(&message_); }

  void TakeRequest() {
    const absl::StatusOr<std::vector<Digest>> batch = Parse();
    if (!batch.ok()) return End(batch.status());
    digests_ += batch->size();
    // The lookups share the pool with others and come back to the strand, or end the call here
    // where it takes no more.
    Negotiate(parts_.store, parts_.pool, parts_.parallel, *batch,
              [self = shared_from_this()](Missing missing) {
                self->missing_ = std::move(missing);
                if (!self->Run(&NegotiateReactor::Answer)) self->End(BusyError());
              });
  }

  // By hand: to gRPC a message that does not parse is the end of the stream, and the client would
  // take fewer answers for all.
  absl::StatusOr<std::vector<Digest>> Parse() {
    pb::NegotiateBlobsRequest request;
    const grpc::Status parsed =
        grpc::SerializationTraits<pb::NegotiateBlobsRequest>::Deserialize(&message_, &request);
    if (!parsed.ok()) {
      return absl::InvalidArgumentError("read message: it is no NegotiateBlobsRequest");
    }
    return BatchOf(request);
  }

  void Answer() {
    if (!missing_.ok()) return End(missing_.status());
    pb::NegotiateBlobsResponse response;
    FillMissing(*missing_, &response);
    message_ = BufferOf(response.SerializeAsString());
    StartWrite(&message_);
  }

  void TakeEnd() { context_.IsCancelled() ? Vanish() : End(absl::OkStatus()); }
  void Vanish() { End(absl::CancelledError("look up blobs: the client went away")); }

  void End(const absl::Status& status) {
    if (!call_->TakeFinish()) return;
    call_->AddField("digests", digests_);
    Finish(call_->Finish(status));
  }

  ServiceParts& parts_;
  base::net::Service::Raw& raw_;
  grpc::CallbackServerContext& context_;
  std::shared_ptr<NegotiateReactor> self_;
  std::unique_ptr<StreamCall> call_;
  grpc::ByteBuffer message_;  // that is read, then that is written
  Missing missing_ = std::vector<Digest>();
  uint64_t digests_ = 0;
};

using RawGenerated = Generated::WithRawCallbackMethod_NegotiateBlobs<
    Generated::WithCallbackMethod_GetTransportDetails<Generated::Service>>;

class CasService final : public RawGenerated, public base::net::Service {
 public:
  explicit CasService(ServiceParts& parts) : parts_(parts) { raw_.service = this; }

  Raw& raw() override { return raw_; }

  grpc::ServerBidiReactor<grpc::ByteBuffer, grpc::ByteBuffer>* NegotiateBlobs(
      grpc::CallbackServerContext* context) override {
    auto reactor = std::make_shared<NegotiateReactor>(parts_, raw_, *context);
    reactor->Start();
    return reactor.get();
  }

  grpc::ServerUnaryReactor* GetTransportDetails(grpc::CallbackServerContext* context,
                                                const pb::GetTransportDetailsRequest* request,
                                                pb::TransportDetails* response) override {
    return UnaryReactor::Start(parts_, raw_, *context, kDetails,
                               [request, response](StreamCall& call) {
                                 return TransportDetails(call, *request, response);
                               });
  }

 private:
  static absl::Status TransportDetails(StreamCall& call,
                                       const pb::GetTransportDetailsRequest& request,
                                       pb::TransportDetails* response) {
    SLIPWAY_RETURN_IF_ERROR(CheckProtocols(request));
    ServiceParts& parts = call.parts();
    SLIPWAY_ASSIGN_OR_RETURN(const Tokens::Issued issued,
                             parts.authority.IssueToken(call.identity()));
    // The identity alone tells what the token opens; the token itself is never written down.
    call.AddField("token_id", issued.id);
    call.AddField("scope", std::string(RoleName(call.identity().role)));
    call.AddField("expires",
                  absl::FormatTime("%Y-%m-%dT%H:%M:%SZ", issued.expires_at, absl::UTCTimeZone()));
    SocketAddress address = parts.advertise;
    if (address.port == 0) address.port = static_cast<uint16_t>(parts.transport_port.load());
    ToProto(address, response->mutable_server_addr());
    response->set_auth_token(issued.token);
    response->set_recommended_concurrency(static_cast<uint32_t>(parts.governor.recommended()));
    return absl::OkStatus();
  }

  ServiceParts& parts_;
  Raw raw_;
};

}  // namespace

std::unique_ptr<base::net::Service> MakeCasService(ServiceParts& parts) {
  return std::make_unique<CasService>(parts);
}

}  // namespace slipway::cas
