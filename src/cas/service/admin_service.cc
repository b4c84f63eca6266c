#include <algorithm>
#include <memory>
#include <utility>

#include "absl/strings/str_cat.h"
#include "base/bytes.h"
#include "base/status.h"
#include "cas/service/convert.h"
#include "cas/service/progress_reactor.h"
#include "cas/service/scrub.h"
#include "cas/service/services.h"
#include "cas/service/session/answer.h"
#include "cas/service/stream_call.h"
#include "cas/service/unary_reactor.h"
#include "slipway/cas/v1/admin.grpc.pb.h"

namespace slipway::cas {
namespace {

constexpr uint32_t kPageSize = 1000;
constexpr uint32_t kPageSizeMax = 10'000;

constexpr Method kStats = {"/slipway.cas.v1.CasAdmin/Stats", "stats", Role::kRead};
constexpr Method kStat = {"/slipway.cas.v1.CasAdmin/Stat", "stat", Role::kRead};
constexpr Method kList = {"/slipway.cas.v1.CasAdmin/List", "list", Role::kRead};
constexpr Method kDelete = {"/slipway.cas.v1.CasAdmin/Delete", "delete", Role::kAdmin};
constexpr Method kGc = {"/slipway.cas.v1.CasAdmin/Gc", "gc", Role::kAdmin};
constexpr Method kScrub = {"/slipway.cas.v1.CasAdmin/Scrub", "scrub", Role::kAdmin};

absl::StatusOr<Digest> TargetOf(StreamCall& call, bool has, const zako::v1::digest::Digest& proto) {
  if (!has) return absl::InvalidArgumentError("read request: digest is missing");
  absl::StatusOr<Digest> digest = FromProto(proto);
  if (!digest.ok()) return base::Annotate(digest.status(), "read request");
  call.SetTarget(*digest);
  return digest;
}

absl::Status Stats(StreamCall& call, v1::StatsResponse* response) {
  ServiceParts& parts = call.parts();
  const absl::StatusOr<IndexStats> stats = parts.store.Stats();
  if (!stats.ok()) return AnswerOf(stats.status(), "read stats");
  response->set_blobs(stats->blobs);
  response->set_bytes(stats->stored_bytes);
  response->set_uptime_s(
      static_cast<uint64_t>(absl::ToInt64Seconds(parts.clock.Monotonic() - parts.started_at)));
  response->set_version(parts.version);
  return absl::OkStatus();
}

absl::Status Stat(StreamCall& call, const v1::StatRequest& request, v1::StatResponse* response) {
  SLIPWAY_ASSIGN_OR_RETURN(const Digest digest,
                           TargetOf(call, request.has_digest(), request.digest()));
  const absl::StatusOr<std::optional<StoredBlob>> blob = call.parts().store.Stat(digest);
  if (!blob.ok()) return AnswerOf(blob.status(), "read blob");
  if (!blob->has_value()) return absl::OkStatus();
  const IndexRecord& record = (*blob)->record;
  response->set_present(true);
  response->set_stored_bytes(record.stored_bytes);
  response->set_codec(record.codec);
  response->set_created_unix(record.created_s);
  response->set_last_access_unix(record.accessed_s);
  return absl::OkStatus();
}

// The hash where a page begins: that of the token, or the first one with the prefix.
absl::StatusOr<Hash> FirstOf(const v1::ListRequest& request) {
  if (request.prefix().size() > kHashBytes) {
    return absl::InvalidArgumentError(
        absl::StrCat("list blobs: a prefix of ", request.prefix().size(), " bytes; a hash has 32"));
  }
  if (!request.page_token().empty()) {
    absl::StatusOr<Hash> from = ParseHash(request.page_token());
    if (!from.ok()) return absl::InvalidArgumentError("list blobs: page_token is none of ours");
    return from;
  }
  Hash first{};
  std::copy(request.prefix().begin(), request.prefix().end(), first.begin());
  return first;
}

absl::Status List(StreamCall& call, const v1::ListRequest& request, v1::ListResponse* response) {
  const uint32_t size = request.page_size() == 0 ? kPageSize : request.page_size();
  if (size > kPageSizeMax) {
    return absl::InvalidArgumentError(
        absl::StrCat("list blobs: page_size ", size, "; at most ", kPageSizeMax));
  }
  SLIPWAY_ASSIGN_OR_RETURN(const Hash from, FirstOf(request));
  // One more tells whether there is a next page, and where it begins.
  const absl::StatusOr<std::vector<StoredBlob>> blobs = call.parts().store.List(from, size + 1);
  if (!blobs.ok()) return AnswerOf(blobs.status(), "list blobs");
  for (const StoredBlob& blob : *blobs) {
    const bool in_prefix =
        std::equal(request.prefix().begin(), request.prefix().end(), blob.digest.blake3.begin(),
                   [](char a, uint8_t b) { return static_cast<uint8_t>(a) == b; });
    if (!in_prefix) break;
    if (response->digests_size() == static_cast<int>(size)) {
      response->set_next_page_token(blob.digest.Hex());
      break;
    }
    ToProto(blob.digest, response->add_digests());
  }
  return absl::OkStatus();
}

absl::Status Delete(StreamCall& call, const v1::DeleteRequest& request,
                    v1::DeleteResponse* response) {
  SLIPWAY_ASSIGN_OR_RETURN(const Digest digest,
                           TargetOf(call, request.has_digest(), request.digest()));
  const absl::StatusOr<bool> removed = call.parts().store.Remove(digest);
  if (!removed.ok()) return AnswerOf(removed.status(), "remove blob");
  response->set_deleted(*removed);
  return absl::OkStatus();
}

using GcReactor = ProgressReactor<v1::GcProgress>;

void Gc(const GcReactor::Ptr& reactor, const v1::GcRequest& request) {
  DiskStore& store = reactor->call().parts().store;
  const absl::StatusOr<IndexStats> stats = store.Stats();
  if (!stats.ok()) return reactor->Done(AnswerOf(stats.status(), "collect"));
  v1::GcProgress total;
  total.set_scanned(stats->blobs);
  const absl::Status status =
      store.Collect(request.target_bytes(), request.dry_run(), [&](const StoredBlob& removed) {
        total.set_removed_blobs(total.removed_blobs() + 1);
        total.set_removed_bytes(total.removed_bytes() + removed.record.stored_bytes);
        reactor->Report([&](v1::GcProgress& message) { message = total; });
        return !reactor->cancelled();
      });
  if (status.ok()) {
    total.set_done(true);
    reactor->Report([&](v1::GcProgress& message) { message = total; });
  }
  reactor->Done(AnswerOf(status, "collect"));
}

using ScrubReactor = ProgressReactor<v1::ScrubProgress>;

void StartScrub(const ScrubReactor::Ptr& reactor, const v1::ScrubRequest& request) {
  ServiceParts& parts = reactor->call().parts();
  Scrub::Options options;
  options.rate_bytes = request.rate();
  options.cancel = reactor->call().cancel();
  if (request.has_digest()) {
    absl::StatusOr<Digest> digest = TargetOf(reactor->call(), true, request.digest());
    if (!digest.ok()) return reactor->Done(digest.status());
    options.digest = *digest;
  }
  struct Totals {
    uint64_t blobs = 0, bytes = 0;
  };
  auto totals = std::make_shared<Totals>();
  auto report = [reactor, totals, &parts](const Digest& digest, bool corrupt) {
    parts.scrub.bytes.Increment(static_cast<double>(digest.size_bytes));
    ++totals->blobs;
    totals->bytes += digest.size_bytes;
    reactor->Report([&](v1::ScrubProgress& message) {
      message.set_blobs(totals->blobs);
      message.set_bytes(totals->bytes);
      if (corrupt) ToProto(digest, message.add_corrupt());
    });
  };
  const bool whole = !request.has_digest();
  auto done = [reactor, totals, whole, &parts](const absl::Status& status) {
    if (status.ok()) {
      if (whole)
        parts.scrub.last_pass.Set(absl::ToDoubleSeconds(parts.clock.Wall() - absl::UnixEpoch()));
      reactor->Report([&](v1::ScrubProgress& message) {
        message.set_blobs(totals->blobs);
        message.set_bytes(totals->bytes);
        message.set_done(true);
      });
    }
    reactor->Done(AnswerOf(status, "verify blobs"));
  };
  std::make_shared<Scrub>(std::move(options),
                          Scrub::World{parts.store, parts.pool, parts.loop, parts.clock},
                          std::move(report), std::move(done))
      ->Start();
}

class AdminService final : public v1::CasAdmin::CallbackService, public base::net::Service {
 public:
  explicit AdminService(ServiceParts& parts) : parts_(parts) { raw_.service = this; }

  Raw& raw() override { return raw_; }

  grpc::ServerUnaryReactor* Stats(grpc::CallbackServerContext* context, const v1::StatsRequest*,
                                  v1::StatsResponse* response) override {
    return UnaryReactor::Start(parts_, raw_, *context, kStats,
                               [response](StreamCall& call) { return cas::Stats(call, response); });
  }
  grpc::ServerUnaryReactor* Stat(grpc::CallbackServerContext* context,
                                 const v1::StatRequest* request,
                                 v1::StatResponse* response) override {
    return UnaryReactor::Start(
        parts_, raw_, *context, kStat,
        [request, response](StreamCall& call) { return cas::Stat(call, *request, response); });
  }
  grpc::ServerUnaryReactor* List(grpc::CallbackServerContext* context,
                                 const v1::ListRequest* request,
                                 v1::ListResponse* response) override {
    return UnaryReactor::Start(
        parts_, raw_, *context, kList,
        [request, response](StreamCall& call) { return cas::List(call, *request, response); });
  }
  grpc::ServerUnaryReactor* Delete(grpc::CallbackServerContext* context,
                                   const v1::DeleteRequest* request,
                                   v1::DeleteResponse* response) override {
    return UnaryReactor::Start(
        parts_, raw_, *context, kDelete,
        [request, response](StreamCall& call) { return cas::Delete(call, *request, response); });
  }
  grpc::ServerWriteReactor<v1::GcProgress>* Gc(grpc::CallbackServerContext* context,
                                               const v1::GcRequest* request) override {
    return GcReactor::Start(
        parts_, raw_, *context, kGc,
        [copy = *request](const GcReactor::Ptr& reactor) { cas::Gc(reactor, copy); });
  }
  grpc::ServerWriteReactor<v1::ScrubProgress>* Scrub(grpc::CallbackServerContext* context,
                                                     const v1::ScrubRequest* request) override {
    return ScrubReactor::Start(
        parts_, raw_, *context, kScrub,
        [copy = *request](const ScrubReactor::Ptr& reactor) { StartScrub(reactor, copy); });
  }

 private:
  ServiceParts& parts_;
  Raw raw_;
};

}  // namespace

std::unique_ptr<base::net::Service> MakeAdminService(ServiceParts& parts) {
  return std::make_unique<AdminService>(parts);
}

}  // namespace slipway::cas
