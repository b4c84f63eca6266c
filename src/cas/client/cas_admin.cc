#include <memory>
#include <utility>

#include "absl/strings/str_cat.h"
#include "base/net/grpc/grpc_client.h"
#include "cas/client/grpc_call.h"
#include "cas/client/grpc_convert.h"
#include "cas/client/remote_store.h"
#include "slipway/cas/v1/admin.grpc.pb.h"

namespace slipway::cas {
namespace {

namespace pb = ::slipway::cas::v1;

// A server at work may have nothing to say for as long as it reads one blob, or leaves the disk to
// others. That it lives is known by the pings of the connection.
constexpr absl::Duration kPatience = absl::InfiniteDuration();

absl::Status Unfinished(absl::string_view what) {
  return absl::InternalError(absl::StrCat(what, ": the server stopped before it was done"));
}

class AdminClient : public CasAdmin {
 public:
  AdminClient(const RemoteOptions& options, std::unique_ptr<base::net::Channel> channel,
              base::Random& random)
      : caller_(options, random),
        channel_(std::move(channel)),
        stub_(pb::CasAdmin::NewStub(channel_->raw().channel)) {}

  absl::StatusOr<RemoteStats> Stats() override {
    pb::StatsResponse answer;
    SLIPWAY_RETURN_IF_ERROR(Call("read statistics", [&](grpc::ClientContext& context) {
      return stub_->Stats(&context, pb::StatsRequest(), &answer);
    }));
    RemoteStats stats;
    stats.blobs = answer.blobs();
    stats.bytes = answer.bytes();
    stats.max_bytes = answer.max_bytes();
    stats.uptime_s = answer.uptime_s();
    stats.version = std::move(*answer.mutable_version());
    return stats;
  }

  absl::StatusOr<RemoteStat> Stat(const Digest& digest) override {
    pb::StatRequest request;
    *request.mutable_digest() = ToProto(digest);
    pb::StatResponse answer;
    SLIPWAY_RETURN_IF_ERROR(Call(
        absl::StrCat("look at blob ", digest.ToString()),
        [&](grpc::ClientContext& context) { return stub_->Stat(&context, request, &answer); }));
    RemoteStat stat;
    stat.present = answer.present();
    stat.stored_bytes = answer.stored_bytes();
    stat.created_unix = answer.created_unix();
    stat.last_access_unix = answer.last_access_unix();
    return stat;
  }

  absl::StatusOr<Page> List(base::BytesView prefix, absl::string_view token,
                            uint32_t page_size) override {
    pb::ListRequest request;
    request.set_prefix(prefix.data(), prefix.size());
    request.set_page_token(token.data(), token.size());
    request.set_page_size(page_size);
    pb::ListResponse answer;
    SLIPWAY_RETURN_IF_ERROR(Call("list blobs", [&](grpc::ClientContext& context) {
      return stub_->List(&context, request, &answer);
    }));
    Page page;
    page.digests.reserve(static_cast<size_t>(answer.digests_size()));
    for (const auto& proto : answer.digests()) {
      SLIPWAY_ASSIGN_OR_RETURN(const Digest digest, FromProto(proto));
      page.digests.push_back(digest);
    }
    page.next_token = std::move(*answer.mutable_next_page_token());
    return page;
  }

  absl::StatusOr<bool> Delete(const Digest& digest) override {
    pb::DeleteRequest request;
    *request.mutable_digest() = ToProto(digest);
    pb::DeleteResponse answer;
    SLIPWAY_RETURN_IF_ERROR(Call(
        absl::StrCat("remove blob ", digest.ToString()),
        [&](grpc::ClientContext& context) { return stub_->Delete(&context, request, &answer); }));
    return answer.deleted();
  }

  absl::StatusOr<GcProgress> Gc(uint64_t target_bytes, bool dry_run,
                                const std::function<void(const GcProgress&)>& progress) override {
    pb::GcRequest request;
    request.set_target_bytes(target_bytes);
    request.set_dry_run(dry_run);
    ReadStream<pb::GcProgress> stream(caller_, kPatience);
    caller_.Prepare(stream.context(), caller_.options().token);
    stub_->async()->Gc(&stream.context(), &request, &stream);
    stream.Start();
    GcProgress last;
    bool done = false;
    for (pb::GcProgress message; stream.Next(message);) {
      done = message.done();
      last = {message.scanned(), message.removed_blobs(), message.removed_bytes()};
      if (progress) progress(last);
    }
    SLIPWAY_RETURN_IF_ERROR(stream.Finish("collect garbage"));
    if (!done) return Unfinished("collect garbage");
    return last;
  }

  absl::StatusOr<ScrubProgress> Scrub(
      const Digest* digest, uint64_t rate_bytes,
      const std::function<void(const ScrubProgress&)>& progress) override {
    pb::ScrubRequest request;
    if (digest != nullptr) *request.mutable_digest() = ToProto(*digest);
    request.set_rate(rate_bytes);
    ReadStream<pb::ScrubProgress> stream(caller_, kPatience);
    caller_.Prepare(stream.context(), caller_.options().token);
    stub_->async()->Scrub(&stream.context(), &request, &stream);
    stream.Start();
    ScrubProgress all;
    absl::Status wrong;
    bool done = false;
    for (pb::ScrubProgress message; stream.Next(message);) {
      done = message.done();
      all.blobs = message.blobs();
      all.bytes = message.bytes();
      for (const auto& proto : message.corrupt()) {
        const absl::StatusOr<Digest> bad = FromProto(proto);
        wrong.Update(bad.status());
        if (bad.ok()) all.corrupt.push_back(*bad);
      }
      if (progress) progress(all);
    }
    const std::string what =
        digest == nullptr ? "verify all blobs" : absl::StrCat("verify blob ", digest->ToString());
    SLIPWAY_RETURN_IF_ERROR(stream.Finish(what));
    SLIPWAY_RETURN_IF_ERROR(wrong);
    if (!done) return Unfinished(what);
    return all;
  }

 private:
  absl::Status Call(absl::string_view what,
                    absl::FunctionRef<grpc::Status(grpc::ClientContext&)> call) {
    return caller_.Unary(what, caller_.options().token, call);
  }

  Caller caller_;
  const std::unique_ptr<base::net::Channel> channel_;
  const std::unique_ptr<pb::CasAdmin::Stub> stub_;
};

}  // namespace

base::Owned<CasAdmin> OpenCasAdmin(const RemoteOptions& options, base::Files& files,
                                   base::Clock& clock, base::Random& random) {
  SLIPWAY_RETURN_IF_ERROR(CheckToken(options.token));
  SLIPWAY_ASSIGN_OR_RETURN(std::unique_ptr<base::net::Channel> channel,
                           base::net::Channel::Open(options.channel, files, clock.Wall()));
  return std::make_unique<AdminClient>(options, std::move(channel), random);
}

}  // namespace slipway::cas
