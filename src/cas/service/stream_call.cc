#include "cas/service/stream_call.h"

#include <utility>

#include "base/log/log.h"
#include "base/status.h"

namespace slipway::cas {
namespace {

// Of one call: its message, its cancellation, its expiry, each once. So Submit is refused only
// where the pool is full and no job of the call is queued or running: whoever was refused may end
// it.
constexpr size_t kJobsMax = 4;
constexpr absl::Duration kBusyRetry = absl::Milliseconds(200);

constexpr int64_t kSchemaPauseS = 60;  // a client of another version says so with each call

void NoteSchema(ServiceParts& parts, const grpc::CallbackServerContext& context,
                absl::string_view peer) {
  const auto& metadata = context.client_metadata();
  const auto found = metadata.find(kSchemaKey);
  if (found == metadata.end()) return;
  const absl::string_view schema(found->second.data(), found->second.size());
  if (schema == kSchema) return;
  const int64_t now_s = absl::ToInt64Seconds(parts.clock.Monotonic());
  int64_t until_s = parts.schema_told_s.load();
  if (now_s < until_s) return;
  if (!parts.schema_told_s.compare_exchange_strong(until_s, now_s + kSchemaPauseS)) return;
  SLIPWAY_LOG(kWarn, "client speaks another schema version",
              {{"peer", peer}, {"client", schema.substr(0, 32)}, {"server", kSchema}});
}

}  // namespace

TransferMetrics::TransferMetrics(base::Metrics& m)
    : received_bytes(m.AddCounter("zako_transfer_bytes_total", "Bytes of blobs transferred.",
                                  {{"direction", "in"}, {"role", "transport"}})),
      sent_bytes(m.AddCounter("zako_transfer_bytes_total", "Bytes of blobs transferred.",
                              {{"direction", "out"}, {"role", "transport"}})) {}

absl::Status BusyError() {
  return base::net::WithRetryAfter(
      absl::ResourceExhaustedError("run call: too much work waits for the disk; try again later"),
      kBusyRetry);
}

StreamCall::StreamCall(ServiceParts& parts, base::net::Service::Raw& raw,
                       grpc::CallbackServerContext& context, const Method& method,
                       std::function<void()> expire)
    : parts_(parts),
      method_(method),
      call_(std::make_unique<base::net::ServerCall>(raw, context, method.path)),
      entry_(parts.requests.Add(method.op, call().peer, std::move(expire))),
      strand_(parts.pool, kJobsMax) {
  context.AddInitialMetadata(kSchemaKey, kSchema);
  NoteSchema(parts, context, call().peer);
}

absl::Status StreamCall::Keep(absl::StatusOr<Identity> identity) {
  if (!identity.ok()) return identity.status();
  identity_ = *std::move(identity);
  entry_->SetSubject(identity_.subject);
  return absl::OkStatus();
}

void StreamCall::SetTarget(const Digest& digest) {
  target_ = digest.ToString();
  entry_->SetTarget(target_);
}

grpc::Status StreamCall::Finish(const absl::Status& status) {
  if (parts_.audit != nullptr) {
    fields_.Set("bytes", entry_->bytes());
    parts_.audit->Write({.actor = identity_.subject,
                         .peer = call().peer,
                         .op = method_.op,
                         .target = target_,
                         .request_id = absl::StrCat(entry_->id()),
                         .outcome = status,
                         .fields = std::move(fields_)});
  }
  return call_->Finish(status);
}

}  // namespace slipway::cas
