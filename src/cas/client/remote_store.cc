#include "cas/client/remote_store.h"

#include <algorithm>
#include <deque>
#include <utility>

#include "absl/container/flat_hash_set.h"
#include "absl/strings/str_cat.h"
#include "base/digest/blake3.h"
#include "base/mutant.h"
#include "base/net/call.h"
#include "base/net/grpc/grpc_client.h"
#include "cas/client/grpc_convert.h"
#include "cas/client/grpc_session.h"
#include "cas/errors.h"
#include "compat/zako/v1/cas.grpc.pb.h"
#include "compat/zako/v1/transport.grpc.pb.h"

namespace slipway::cas {
namespace {

namespace pb = ::zako::v1::cas;
namespace tp = ::zako::v1::transport;

// One message of NegotiateBlobs: some 40 bytes a digest.
constexpr size_t kBatchDigests = 16'384;
// What a writer keeps to send it again when the call fails at its start.
constexpr uint64_t kReplayBytesMax = 4 << 20;

tp::BlobResource Resource(const Digest& digest, const BlobRange& range) {
  tp::BlobResource resource;
  *resource.mutable_digest() = ToProto(digest);
  resource.mutable_range()->set_start(range.start);
  if (range.length) resource.mutable_range()->set_length(*range.length);
  return resource;
}

absl::Status WrongBytes(const Digest& digest, absl::string_view what) {
  return base::MakeError(absl::StatusCode::kDataLoss,
                         absl::StrCat("read blob ", digest.ToString(), ": ", what),
                         {"ZK4005", "store the blob again; zako cas verify finds what is damaged"});
}

using DownloadStream = ReadStream<tp::DownloadResponse>;
using UploadStream = WriteStream<tp::UploadRequest, tp::UploadResponse>;

class Reader : public BlobReader {
 public:
  Reader(std::unique_ptr<DownloadStream> stream, const Digest& digest, uint64_t size_bytes,
         std::string first)
      : stream_(std::move(stream)),
        digest_(digest),
        size_bytes_(size_bytes),
        whole_(size_bytes == digest.size_bytes),
        data_(std::move(first)) {}

  absl::StatusOr<size_t> Read(absl::Span<uint8_t> out) override {
    size_t filled = 0;
    while (filled < out.size()) {
      if (at_ == data_.size()) {
        SLIPWAY_ASSIGN_OR_RETURN(const bool more, Fill());
        if (!more) break;
      }
      const size_t count = std::min(out.size() - filled, data_.size() - at_);
      std::memcpy(out.data() + filled, data_.data() + at_, count);
      at_ += count;
      filled += count;
      given_bytes_ += count;
      if (given_bytes_ > size_bytes_) return WrongBytes(digest_, "more bytes came than it has");
    }
    if (whole_) hash_.Update(base::BytesView(out.data(), filled));
    // Whoever stops at the last byte, without asking for the end, learns of wrong bytes all the
    // same.
    if (given_bytes_ == size_bytes_ && !checked_) SLIPWAY_RETURN_IF_ERROR(CheckWhole());
    return filled;
  }

 private:
  // The next message that is not empty; false at the end.
  absl::StatusOr<bool> Fill() {
    tp::DownloadResponse message;
    while (stream_ != nullptr) {
      if (!stream_->Next(message)) {
        const auto stream = std::move(stream_);
        SLIPWAY_RETURN_IF_ERROR(stream->Finish(absl::StrCat("read blob ", digest_.ToString())));
        break;
      }
      if (message.data().empty()) continue;
      data_.swap(*message.mutable_data());
      at_ = 0;
      return true;
    }
    if (given_bytes_ == size_bytes_) return false;
    return WrongBytes(digest_,
                      absl::StrCat("only ", given_bytes_, " of ", size_bytes_, " bytes came"));
  }

  absl::Status CheckWhole() {
    checked_ = true;
    if (!whole_ || SLIPWAY_MUTANT("skip-digest")) return absl::OkStatus();
    const Digest got{hash_.Finish(), given_bytes_};
    if (got == digest_) return absl::OkStatus();
    return WrongBytes(digest_, absl::StrCat("what came is ", got.ToString()));
  }

  std::unique_ptr<DownloadStream> stream_;
  const Digest digest_;
  const uint64_t size_bytes_;  // of the range
  const bool whole_;
  std::string data_;
  size_t at_ = 0;
  uint64_t given_bytes_ = 0;
  base::Blake3 hash_;
  bool checked_ = false;
};

class Writer : public BlobWriter {
 public:
  using Open = std::function<std::unique_ptr<UploadStream>(const Transport&)>;
  Writer(Caller& caller, Session& session, Open open, const Digest& digest)
      : caller_(caller),
        session_(session),
        open_(std::move(open)),
        digest_(digest),
        retry_(caller.MakeRetry()) {}

  absl::Status Append(base::BytesView data) override {
    appended_bytes_ += data.size();
    if (appended_bytes_ > digest_.size_bytes) {
      stream_ = nullptr;
      return SizeMismatchError(digest_, appended_bytes_);
    }
    hash_.Update(data);
    while (!data.empty() && !exists_) {
      const size_t count = std::min(data.size(), caller_.options().chunk_bytes - chunk_.size());
      const absl::string_view text = base::AsText(data.subspan(0, count));
      chunk_.append(text.data(), text.size());
      data.remove_prefix(count);
      if (chunk_.size() == caller_.options().chunk_bytes) {
        SLIPWAY_RETURN_IF_ERROR(Send(/*last=*/false));
      }
    }
    return absl::OkStatus();
  }

  absl::Status Commit() override {
    const Digest got{hash_.Finish(), appended_bytes_};
    if (appended_bytes_ < digest_.size_bytes) {
      stream_ = nullptr;
      return SizeMismatchError(digest_, appended_bytes_);
    }
    if (got != digest_) {
      stream_ = nullptr;
      return DigestMismatchError(digest_, got);
    }
    return exists_ ? absl::OkStatus() : Send(/*last=*/true);
  }

 private:
  std::string What() const { return absl::StrCat("store blob ", digest_.ToString()); }

  // Sends what is at hand, and again from the beginning where that can do no harm.
  absl::Status Send(bool last) {
    if (!chunk_.empty()) {
      kept_bytes_ += chunk_.size();
      chunks_.push_back(std::move(chunk_));
      chunk_.clear();
    }
    for (;;) {
      const absl::Status status = Try(last);
      if (absl::IsAlreadyExists(status)) {
        exists_ = true;
        stream_ = nullptr;
        chunks_.clear();
        return absl::OkStatus();
      }
      if (status.ok()) {
        Forget();
        return status;
      }
      stream_ = nullptr;
      if (!replayable_ || !Again(status)) return status;
      next_ = 0;
    }
  }

  absl::Status Try(bool last) {
    if (stream_ == nullptr) {
      SLIPWAY_ASSIGN_OR_RETURN(transport_, session_.Get());
      stream_ = open_(*transport_);
      tp::UploadRequest head;
      *head.mutable_metadata() = Resource(digest_, {});
      if (!stream_->Write(head)) return Failure();
    }
    for (; next_ < chunks_.size(); ++next_) {
      tp::UploadRequest message;
      if (replayable_) {
        message.set_chunk(chunks_[next_]);
      } else {
        message.set_chunk(std::move(chunks_[next_]));
      }
      if (!stream_->Write(message)) return Failure();
    }
    if (!last) return absl::OkStatus();
    SLIPWAY_RETURN_IF_ERROR(stream_->Finish(What()));
    session_.Accepted(*transport_);
    const uint64_t committed = stream_->response().committed_size();
    stream_ = nullptr;
    if (committed == digest_.size_bytes) return absl::OkStatus();
    return absl::InternalError(
        absl::StrCat(What(), ": the server says that it has ", committed, " bytes"));
  }

  // Why the call ended before it was finished.
  absl::Status Failure() {
    const absl::Status status = stream_->Finish(What());
    return status.ok() ? absl::InternalError(absl::StrCat(
                             What(), ": the server answered before everything was sent"))
                       : status;
  }

  bool Again(const absl::Status& status) {
    // Without a transport it was the server's answer to who we are, and not to a token of its own.
    if (absl::IsUnauthenticated(status) && transport_ != nullptr &&
        !std::exchange(renewed_, true)) {
      session_.Refused(*transport_);
      return true;
    }
    // A full disk stays full: only when the server says when to come back.
    if (absl::IsResourceExhausted(status) &&
        base::net::GetRetryAfter(status) == absl::ZeroDuration()) {
      return false;
    }
    return caller_.PauseFor(retry_, status);
  }

  // Too much was sent to keep it.
  void Forget() {
    if (kept_bytes_ <= kReplayBytesMax) return;
    replayable_ = false;
    chunks_.clear();
    next_ = 0;
  }

  Caller& caller_;
  Session& session_;
  const Open open_;
  const Digest digest_;
  base::Retry retry_;
  std::shared_ptr<const Transport> transport_;
  std::unique_ptr<UploadStream> stream_;
  base::Blake3 hash_;
  uint64_t appended_bytes_ = 0;
  std::string chunk_;               // not full yet
  std::deque<std::string> chunks_;  // in order; those before next_ are sent
  size_t next_ = 0;
  uint64_t kept_bytes_ = 0;
  bool replayable_ = true;  // chunks_ is all that was appended
  bool renewed_ = false;
  bool exists_ = false;
};

class StoreClient : public RemoteStore {
 public:
  StoreClient(const RemoteOptions& options, std::shared_ptr<base::net::Channel> channel,
              base::Files& files, base::Clock& clock, base::Random& random)
      : caller_(options, random),
        channel_(std::move(channel)),
        cas_(pb::ContentAddressableStorage::NewStub(channel_->raw().channel)),
        session_(channel_, caller_, files, clock, [this] { return Ask(); }) {}

  absl::StatusOr<std::vector<Digest>> Missing(absl::Span<const Digest> digests) override {
    std::vector<Digest> missing;
    absl::flat_hash_set<Digest> seen;
    while (!digests.empty()) {
      const auto batch = digests.subspan(0, kBatchDigests);
      digests.remove_prefix(batch.size());
      SLIPWAY_ASSIGN_OR_RETURN(const std::vector<Digest> some, Negotiate(batch));
      for (const Digest& digest : some) {
        if (seen.insert(digest).second) missing.push_back(digest);
      }
    }
    return missing;
  }

  int recommended_concurrency() override {
    const auto transport = session_.Get();
    return transport.ok() ? (*transport)->concurrency : 1;
  }

  absl::StatusOr<std::optional<uint64_t>> Check(const Digest& digest) override {
    SLIPWAY_ASSIGN_OR_RETURN(const std::vector<Digest> missing,
                             Negotiate(absl::MakeSpan(&digest, 1)));
    if (!missing.empty()) return std::optional<uint64_t>();
    return std::optional<uint64_t>(digest.size_bytes);
  }

  absl::StatusOr<bool> Contains(const Digest& digest) override {
    SLIPWAY_ASSIGN_OR_RETURN(const std::optional<uint64_t> size, Check(digest));
    return size.has_value();
  }

  base::Owned<BlobWriter> Store(const Digest& digest) override {
    SLIPWAY_ASSIGN_OR_RETURN(const bool there, Contains(digest));
    if (there) return AlreadyExistsError(digest);
    return std::make_unique<Writer>(
        caller_, session_, [this](const Transport& transport) { return OpenUpload(transport); },
        digest);
  }

  base::Owned<BlobReader> Fetch(const Digest& digest, BlobRange range) override {
    SLIPWAY_ASSIGN_OR_RETURN(const Extent extent, Resolve(range, digest));
    std::unique_ptr<BlobReader> reader;
    const absl::Status status = session_.Run([&](const Transport& transport) -> absl::Status {
      tp::DownloadRequest request;
      *request.mutable_metadata() = Resource(digest, range);
      auto stream = std::make_unique<DownloadStream>(caller_);
      caller_.Prepare(stream->context(), transport.token);
      const auto stub = tp::Transport::NewStub(transport.channel->raw().channel);
      stub->async()->Download(&stream->context(), &request, stream.get());
      stream->Start();
      tp::DownloadResponse first;
      if (!stream->Next(first)) {
        SLIPWAY_RETURN_IF_ERROR(stream->Finish(absl::StrCat("read blob ", digest.ToString())));
        stream = nullptr;  // an empty blob
      }
      reader = std::make_unique<Reader>(std::move(stream), digest, extent.size_bytes,
                                        std::move(*first.mutable_data()));
      return absl::OkStatus();
    });
    if (absl::IsNotFound(status)) return NotFoundError(digest);
    if (!status.ok()) return status;
    return reader;
  }

  std::optional<std::string> GetLocalPath(const Digest&) override { return std::nullopt; }

 private:
  std::unique_ptr<UploadStream> OpenUpload(const Transport& transport) {
    auto stream = std::make_unique<UploadStream>(caller_);
    caller_.Prepare(stream->context(), transport.token);
    const auto stub = tp::Transport::NewStub(transport.channel->raw().channel);
    stub->async()->Upload(&stream->context(), &stream->response(), stream.get());
    stream->Start();
    return stream;
  }

  absl::StatusOr<TransportDetails> Ask() {
    pb::GetTransportDetailsRequest request;
    request.add_supported_protocols(::zako::v1::net::grpc);
    pb::TransportDetails answer;
    SLIPWAY_RETURN_IF_ERROR(
        caller_.Once("find the transport of the CAS server", caller_.options().token,
                     [&](grpc::ClientContext& context) {
                       return cas_->GetTransportDetails(&context, request, &answer);
                     }));
    TransportDetails details;
    const auto& address = answer.server_addr();
    if (address.ip().has_v4()) details.address.v4 = address.ip().v4();
    if (address.ip().has_v6()) details.address.v6 = address.ip().v6();
    details.address.port = address.port();
    details.token = std::move(*answer.mutable_auth_token());
    details.concurrency = answer.recommended_concurrency();
    return details;
  }

  // One batch: one stream, one request, one answer.
  absl::StatusOr<std::vector<Digest>> Negotiate(absl::Span<const Digest> batch) {
    pb::NegotiateBlobsRequest request;
    for (const Digest& digest : batch) *request.add_blob_digests() = ToProto(digest);
    pb::NegotiateBlobsResponse answer;
    SLIPWAY_RETURN_IF_ERROR(caller_.Unary(
        "ask which blobs are missing", caller_.options().token, [&](grpc::ClientContext& context) {
          const auto stream = cas_->NegotiateBlobs(&context);
          answer.Clear();
          const bool asked = stream->Write(request);
          stream->WritesDone();
          const bool answered = stream->Read(&answer);
          pb::NegotiateBlobsResponse rest;
          while (stream->Read(&rest)) {
          }
          const grpc::Status status = stream->Finish();
          if (!status.ok() || (asked && answered)) return status;
          return grpc::Status(grpc::StatusCode::INTERNAL, "the server did not answer");
        }));
    std::vector<Digest> missing;
    missing.reserve(static_cast<size_t>(answer.missing_blob_digests_size()));
    for (const auto& proto : answer.missing_blob_digests()) {
      SLIPWAY_ASSIGN_OR_RETURN(const Digest digest, FromProto(proto));
      missing.push_back(digest);
    }
    return missing;
  }

  Caller caller_;
  const std::shared_ptr<base::net::Channel> channel_;
  const std::unique_ptr<pb::ContentAddressableStorage::Stub> cas_;
  Session session_;
};

}  // namespace

base::Owned<RemoteStore> OpenRemoteStore(const RemoteOptions& options, base::Files& files,
                                         base::Clock& clock, base::Random& random) {
  SLIPWAY_RETURN_IF_ERROR(CheckToken(options.token));
  SLIPWAY_ASSIGN_OR_RETURN(std::unique_ptr<base::net::Channel> channel,
                           base::net::Channel::Open(options.channel, files, clock.Wall()));
  return std::make_unique<StoreClient>(options, std::move(channel), files, clock, random);
}

}  // namespace slipway::cas
