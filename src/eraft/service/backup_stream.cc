#include "eraft/service/backup_stream.h"

#include <algorithm>
#include <utility>

#include "absl/strings/str_cat.h"
#include "base/bytes.h"
#include "base/status.h"
#include "eraft/service/calls.h"
#include "eraft/service/limits.h"

namespace slipway::eraft {
namespace {

namespace pb = slipway::eraft::admin::v1;

constexpr char kPath[] = "/slipway.eraft.admin.v1.Admin/Backup";
constexpr absl::Duration kLookAgain = absl::Milliseconds(10);
constexpr absl::Duration kTakeAgain = absl::Seconds(1);

void ToProto(const BackupHeader& header, pb::BackupHeader* out) {
  out->set_cluster_id(header.cluster.data(), header.cluster.size());
  out->set_node_id(header.node);
  out->set_group(header.group);
  out->set_term(header.term);
  out->set_index(header.index);
  out->set_engine(std::string(EngineKindName(header.engine)));
  for (const auto& [id, address] : header.members) {
    pb::Member* member = out->add_members();
    member->set_node_id(id);
    member->set_address(address);
  }
}

void ToProto(BackupPart part, pb::BackupChunk* out) {
  out->set_file(std::move(part.file));
  out->set_offset(part.offset_bytes);
  out->set_data(std::move(part.data));
  out->set_crc32c(part.crc32c);
  out->set_last(part.last);
  out->set_unchanged(part.unchanged);
  if (part.last) out->set_sha256(part.sha256.data(), part.sha256.size());
}

absl::StatusOr<std::set<base::Sha256Digest>> KnownOf(const pb::BackupRequest& request) {
  std::set<base::Sha256Digest> known;
  for (const std::string& text : request.have_sha256()) {
    base::Sha256Digest digest{};
    if (text.size() != digest.size()) {
      return absl::InvalidArgumentError("back up: have_sha256 has an entry that is no hash");
    }
    std::copy(text.begin(), text.end(), digest.begin());
    known.insert(digest);
  }
  return known;
}

}  // namespace

grpc::ServerWriteReactor<pb::BackupChunk>* BackupStream::Start(ServiceParts& parts,
                                                               base::net::Service::Raw& raw,
                                                               grpc::CallbackServerContext& context,
                                                               const pb::BackupRequest& request) {
  auto stream = std::make_shared<BackupStream>(parts, context,
                                               static_cast<double>(request.bytes_per_second()));
  stream->self_ = stream;
  const absl::Status admitted = stream->Admit(raw, request);
  if (admitted.ok()) {
    stream->Begin();
  } else {
    stream->End(admitted);
  }
  return stream.get();
}

absl::Status BackupStream::Admit(base::net::Service::Raw& raw, const pb::BackupRequest& request) {
  call_ = std::make_unique<base::net::ServerCall>(raw, context_, kPath);
  peer_ = call_->call().peer;
  SLIPWAY_RETURN_IF_ERROR(call_->admitted());
  SLIPWAY_ASSIGN_OR_RETURN(
      caller_, parts_.access.Check(CallOf(*call_, context_), Role::kAdmin, &caller_.subject));
  if (request.group() != 0 && request.group() != kKvGroup) {
    return absl::NotFoundError(absl::StrCat("back up: no group ", request.group(), " here"));
  }
  SLIPWAY_ASSIGN_OR_RETURN(known_, KnownOf(request));
  if (parts_.backups.fetch_add(1) >= kBackupsMax) {
    parts_.backups.fetch_sub(1);
    return absl::ResourceExhaustedError(absl::StrCat(
        "back up: ", kBackupsMax, " backups are taken from this node already; try again later"));
  }
  counted_ = true;
  call_->OnStop([this] { End(absl::CancelledError("the server stops")); });
  return absl::OkStatus();
}

// All that was acknowledged until now is to be in it, also where this node does not lead.
void BackupStream::Begin() {
  until_ = parts_.replica.now() + kBackupPrepareMax;
  parts_.replica.Post([self = shared_from_this()](Node* node) {
    if (node == nullptr) return self->End(absl::UnavailableError("back up: this node stops"));
    ReadOptions options;
    options.deadline = self->parts_.replica.now() + kPipelineAnswerMax;
    node->Read(kKvGroup, options, [self](const absl::StatusOr<raft::Index>& index) {
      if (!index.ok()) return self->End(base::Annotate(index.status(), "back up"));
      self->index_ = *index;
      self->AwaitSnapshot();
    });
  });
}

void BackupStream::AwaitSnapshot() {
  if (ended()) return;
  Replica& replica = parts_.replica;
  replica.Look();
  if (replica.view()->status.snapshot >= index_) return RunJob(&BackupStream::Open);
  const absl::Duration now = replica.now();
  if (replica.node() == nullptr || now > until_) {
    return End(absl::DeadlineExceededError("back up: no snapshot could be taken; see the log"));
  }
  if (now >= try_at_) {
    // Refused while another one is taken: then that one, or the next, will do.
    replica.node()->TakeSnapshot(kKvGroup).IgnoreError();
    try_at_ = now + kTakeAgain;
  }
  replica.loop().After(kLookAgain, [self = shared_from_this()] { self->AwaitSnapshot(); });
}

void BackupStream::RunJob(void (BackupStream::*work)()) {
  {
    const base::MutexLock lock(mutex_);
    if (end_.has_value()) return;
    job_ = true;
  }
  const absl::Status submitted =
      parts_.pool.Submit([self = shared_from_this(), work] { (self.get()->*work)(); });
  if (!submitted.ok()) OnJobDone(submitted, absl::ZeroDuration());
}

void BackupStream::Open() {
  BackupHeader header;
  auto source = parts_.control.OpenBackup(index_, std::move(known_), header);
  if (!source.ok()) return OnJobDone(source.status(), absl::ZeroDuration());
  source_ = *std::move(source);
  out_.Clear();
  ToProto(header, out_.mutable_header());
  OnJobDone(absl::OkStatus(), absl::ZeroDuration());
}

void BackupStream::ReadNext() {
  auto part = source_->Next();
  if (!part.ok()) return OnJobDone(part.status(), absl::ZeroDuration());
  if (!part->has_value()) return OnJobDone(std::nullopt, absl::ZeroDuration());
  const size_t bytes = (*part)->data.size();
  bytes_ += bytes;
  out_.Clear();
  ToProto(**std::move(part), &out_);
  OnJobDone(absl::OkStatus(), limiter_.Take(static_cast<double>(bytes), parts_.replica.now()));
}

// OK: what it has made goes out, after `wait`. Nothing: that was all.
void BackupStream::OnJobDone(const std::optional<absl::Status>& done, absl::Duration wait) {
  std::optional<absl::Status> end;
  {
    const base::MutexLock lock(mutex_);
    job_ = false;
    end = std::exchange(end_, std::nullopt);
    if (!end.has_value() && !done.has_value()) end = absl::OkStatus();
    if (!end.has_value() && !done->ok()) end = *done;
    if (!end.has_value() && wait <= absl::ZeroDuration()) return StartWrite(&out_);
  }
  if (end.has_value()) return End(*end);
  parts_.replica.Post([self = shared_from_this(), wait](Node*) {
    self->parts_.replica.loop().After(wait, [self] {
      const base::MutexLock lock(self->mutex_);
      if (!self->end_.has_value()) self->StartWrite(&self->out_);
    });
  });
}

void BackupStream::OnWriteDone(bool ok) {
  if (!ok) return End(absl::CancelledError("the client went away"));
  RunJob(&BackupStream::ReadNext);
}

void BackupStream::OnCancel() { End(absl::CancelledError("the client went away")); }

// The first reason counts. A job that runs ends it when it is over.
void BackupStream::End(const absl::Status& status) {
  {
    const base::MutexLock lock(mutex_);
    if (end_.has_value()) return;
    end_ = status;
    if (job_) return;
  }
  // Blocks on the disk. Where the pool is full this thread waits, at worst.
  auto close = [self = shared_from_this()] { self->Close(); };
  if (!parts_.pool.Submit(close).ok()) close();
}

void BackupStream::Close() {
  absl::Status status;
  {
    const base::MutexLock lock(mutex_);
    status = *end_;
  }
  source_ = nullptr;
  if (std::exchange(counted_, false)) parts_.backups.fetch_sub(1);
  if (parts_.audit != nullptr) {
    parts_.audit->Write({.actor = caller_.subject,
                         .peer = peer_,
                         .op = "backup",
                         .target = absl::StrCat("group ", kKvGroup),
                         .request_id = "",
                         .outcome = status,
                         .fields = base::Json::MakeObject({{"index", index_}, {"bytes", bytes_}})});
  }
  Finish(call_->Finish(status));
}

void BackupStream::OnDone() {
  call_.reset();
  const Ptr self = std::move(self_);
}

}  // namespace slipway::eraft
