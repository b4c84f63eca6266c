#include "eraft/service/pipeline_stream.h"

#include <algorithm>
#include <optional>

#include "absl/strings/str_cat.h"
#include "base/status.h"
#include "eraft/service/calls.h"
#include "eraft/service/limits.h"

namespace slipway::eraft {
namespace {

constexpr char kPath[] = "/slipway.eraft.client.v1.Pipeline/Stream";
constexpr uint64_t kResultOverheadBytes = 32;

bool IsRead(v1::Op op) { return op == v1::GET || op == v1::SCAN; }

uint64_t BytesOf(const v1::Result& result) {
  uint64_t bytes = kResultOverheadBytes + result.value().size();
  for (const v1::KeyValue& row : result.kvs()) {
    bytes += kResultOverheadBytes + row.key().size() + row.value().size();
  }
  return bytes;
}

// What counts against the node's budget: all else is bounded by the commands under way.
uint64_t HeldBytesOf(const v1::Result& result) { return BytesOf(result) - kResultOverheadBytes; }

v1::Result ResultOf(uint64_t id, v1::Code code) {
  v1::Result result;
  result.set_id(id);
  result.set_code(code);
  return result;
}

}  // namespace

v1::Code CodeOf(AnswerCode code) {
  switch (code) {
    case AnswerCode::kOk:
      return v1::OK;
    case AnswerCode::kNoKey:
      return v1::NO_KEY;
    case AnswerCode::kMismatch:
      return v1::CAS_MISMATCH;
    case AnswerCode::kTooLarge:
      return v1::TOO_LARGE;
    case AnswerCode::kUnknownSession:
      return v1::SESSION_EXPIRED;
    case AnswerCode::kStale:
      return v1::UNKNOWN;  // it was executed; what it was answered is forgotten
    case AnswerCode::kWindowFull:
      return v1::BUSY;
    case AnswerCode::kInvalid:
      break;
  }
  return v1::NOT_EXECUTED;
}

v1::Code CodeOf(const absl::Status& error, const Replica& replica) {
  if (FateOf(error) == Fate::kUnknown) return v1::UNKNOWN;
  switch (error.code()) {
    case absl::StatusCode::kUnavailable:
      return v1::NOT_LEADER;
    case absl::StatusCode::kInvalidArgument:
      return v1::TOO_LARGE;
    case absl::StatusCode::kResourceExhausted:
      return replica.alarm(Alarm::kNoSpace) || replica.alarm(Alarm::kQuota) ? v1::NO_SPACE
                                                                            : v1::BUSY;
    default:
      return v1::NOT_EXECUTED;
  }
}

grpc::ServerBidiReactor<v1::Batch, v1::BatchResult>* PipelineStream::Start(
    ServiceParts& parts, base::net::Service::Raw& raw, grpc::CallbackServerContext& context) {
  auto stream = std::make_shared<PipelineStream>(parts, context);
  stream->Begin(raw);
  return stream.get();
}

PipelineStream::~PipelineStream() {
  budget_->Leave(place_);
  budget_->Release(held_);
}

void PipelineStream::Begin(base::net::Service::Raw& raw) {
  self_ = shared_from_this();
  place_ = budget_->Enter(self_);
  call_ = std::make_unique<base::net::ServerCall>(raw, context_, kPath);
  absl::Status status = call_->admitted();
  if (status.ok()) {
    status = parts_.access.Check(CallOf(*call_, context_), Role::kRead).status();
  }
  call_->OnStop([this] {
    base::MutexLock lock(mutex_);
    End(absl::CancelledError("the server stops"));
  });
  base::MutexLock lock(mutex_);
  if (!status.ok()) return End(status);
  Continue();  // tells the credit
  reading_ = true;
  StartRead(&in_);
}

// ---- In ----

void PipelineStream::OnReadDone(bool ok) {
  absl::Status status;
  if (ok) status = Take(in_);
  base::MutexLock lock(mutex_);
  reading_ = false;
  if (!ok) read_closed_ = true;
  if (!status.ok()) return End(status);
  Continue();
}

absl::Status PipelineStream::Take(const v1::Batch& batch) {
  const uint64_t count = static_cast<uint64_t>(batch.cmds_size());
  if (count > kPipelineCommandsMax) {
    return absl::InvalidArgumentError(
        absl::StrCat("take batch: ", count, " commands, at most ", kPipelineCommandsMax));
  }
  const bool writes = std::any_of(batch.cmds().begin(), batch.cmds().end(),
                                  [](const v1::Cmd& cmd) { return !IsRead(cmd.op()); });
  // Asked again for each batch: a token may have been taken away.
  SLIPWAY_RETURN_IF_ERROR(
      parts_.access.Check(CallOf(*call_, context_), writes ? Role::kWrite : Role::kRead).status());
  uint64_t room = 0;
  {
    base::MutexLock lock(mutex_);
    room = parts_.stream_commands_max - std::min(parts_.stream_commands_max, underway_);
    room = std::min(room, count);
    if (room > 0 && !parts_.replica.Enter(room)) room = 0;
    underway_ += room;
  }
  if (room < count) parts_.replica.metrics().rejected_credit.Increment();
  const absl::Status admitted = writes ? parts_.replica.AdmitWrite() : absl::OkStatus();
  const absl::Status may_free =
      admitted.ok() ? admitted : parts_.replica.AdmitWrite(/*frees=*/true);
  const bool may_read = parts_.replica.AdmitRead().ok();
  std::vector<Proposal> proposals;
  std::vector<ReadItem> reads;
  uint64_t taken = 0;
  for (const v1::Cmd& cmd : batch.cmds()) {
    if (taken == room) {
      Deliver(cmd.op(), ResultOf(cmd.id(), v1::BUSY), /*had_place=*/false);
      continue;
    }
    ++taken;
    if (IsRead(cmd.op())) {
      if (may_read) {
        reads.push_back(ReadOf(cmd));
      } else {
        Deliver(cmd.op(), ResultOf(cmd.id(), v1::NOT_LEADER), true);
      }
      continue;
    }
    const absl::Status& may = cmd.op() == v1::DELETE ? may_free : admitted;
    auto command = may.ok() ? CommandOf(batch, cmd) : absl::StatusOr<base::Bytes>(may);
    if (command.ok()) {
      proposals.push_back({cmd.id(), cmd.op(), *std::move(command)});
    } else {
      Deliver(cmd.op(), ResultOf(cmd.id(), CodeOf(command.status(), parts_.replica)), true);
    }
  }
  if (!proposals.empty()) Propose(std::move(proposals));
  base::MutexLock lock(mutex_);
  for (ReadItem& item : reads) reads_.push_back(std::move(item));
  if (finished_) DropReads();
  StartReads();
  return absl::OkStatus();
}

absl::StatusOr<base::Bytes> PipelineStream::CommandOf(const v1::Batch& batch,
                                                      const v1::Cmd& cmd) const {
  Command command;
  command.shard = kUserShard;
  switch (cmd.op()) {
    case v1::PUT:
      command.op = CommandOp::kPut;
      break;
    case v1::APPEND:
      command.op = CommandOp::kAppend;
      break;
    case v1::DELETE:
      command.op = CommandOp::kDelete;
      break;
    case v1::CAS:
      command.op = CommandOp::kCompareAndSet;
      command.expect_absent = cmd.expect_absent();
      if (!cmd.expect_absent()) command.expected = cmd.expect();
      break;
    default:  // of a newer client: never begun
      return WithFate(absl::UnimplementedError("write: no such op"), Fate::kNotExecuted);
  }
  if (batch.session() != 0) {
    command.strict = true;
    command.client = batch.session();
    command.command = cmd.id();
    command.acknowledged = std::min(batch.acked_upto(), cmd.id());
  }
  command.key = cmd.key();
  if (cmd.op() != v1::DELETE) command.value = cmd.value();
  return parts_.replica.Prepare(std::move(command));
}

PipelineStream::ReadItem PipelineStream::ReadOf(const v1::Cmd& cmd) const {
  ReadItem item{.id = cmd.id(), .op = cmd.op(), .key = cmd.key(), .end = cmd.end_key()};
  item.limit = cmd.limit() == 0 ? kScanKeysMax : std::min<uint64_t>(cmd.limit(), kScanKeysMax);
  item.deadline = parts_.replica.now() + kPipelineAnswerMax;
  switch (cmd.read_mode()) {
    case v1::READ_INDEX:
      item.mode = ReadMode::kLinearizable;
      break;
    case v1::READ_SERIALIZABLE:
      item.mode = ReadMode::kSerializable;
      break;
    default:
      // A lease is good only where the operator has said that clocks and timeouts agree (E141).
      item.mode = parts_.read_mode;
      break;
  }
  return item;
}

// ---- Commands ----

void PipelineStream::Propose(std::vector<Proposal> proposals) {
  auto shared = std::make_shared<std::vector<Proposal>>(std::move(proposals));
  parts_.replica.Post([self = shared_from_this(), shared](Node* node) {
    Replica& replica = self->parts_.replica;
    const absl::Duration deadline = replica.now() + kPipelineAnswerMax;
    for (Proposal& proposal : *shared) {
      const uint64_t id = proposal.id;
      const v1::Op op = proposal.op;
      if (node == nullptr) {
        self->Deliver(op, ResultOf(id, v1::NOT_LEADER), true);
        continue;
      }
      node->Propose(kKvGroup, std::move(proposal.command), deadline,
                    [self, id, op](const absl::StatusOr<Outcome>& outcome) {
                      Replica& own = self->parts_.replica;
                      v1::Result result =
                          ResultOf(id, outcome.ok() ? CodeOf(outcome->answer.code)
                                                    : CodeOf(outcome.status(), own));
                      if (outcome.ok()) result.set_index(outcome->answer.index);
                      self->Deliver(op, std::move(result), true);
                    });
    }
  });
}

// ---- Reads ----

// As many as may be under way, while the client takes what it is sent.
void PipelineStream::StartReads() {
  while (!reads_.empty() && read_jobs_ < static_cast<int>(kPipelineReadJobsMax) && !finished_ &&
         pending_bytes_ + writing_bytes_ < kPipelineBufferedMax) {
    const auto job = std::make_shared<ReadJob>();
    const ReadMode mode = reads_.front().mode;
    while (!reads_.empty() && reads_.front().mode == mode &&
           job->items.size() < kPipelineReadsMax) {
      job->items.push_back(std::move(reads_.front()));
      reads_.pop_front();
    }
    ++read_jobs_;
    RunReads(job);
  }
}

void PipelineStream::RunReads(const std::shared_ptr<ReadJob>& job) {
  ReadOptions options;
  options.mode = job->items.front().mode;
  options.deadline = job->items.front().deadline;
  parts_.replica.Query(
      options,
      [self = shared_from_this(), job](KvMachine& machine) { return self->Work(*job, machine); },
      [self = shared_from_this(), job](const absl::Status& status) {
        self->OnReadsDone(job, status);
      });
}

// What is over the job's share of memory waits for another one.
absl::Status PipelineStream::Work(ReadJob& job, KvMachine& machine) {
  for (const ReadItem& item : job.items) {
    if (job.bytes >= kPipelineReadBytesMax) break;
    if (budget_->full()) {
      budget_->Relieve(parts_.replica.now());
      parts_.replica.metrics().rejected_results.Increment();
      job.results.push_back(ResultOf(item.id, v1::BUSY));
      continue;
    }
    v1::Result result = ResultOf(item.id, v1::OK);
    if (item.op == v1::GET) {
      SLIPWAY_ASSIGN_OR_RETURN(auto value, machine.Get(kUserShard, item.key));
      if (value.has_value()) {
        result.set_value(*std::move(value));
      } else {
        result.set_code(v1::NO_KEY);
      }
    } else {
      const uint64_t room = std::min<uint64_t>(parts_.range_bytes_max, kScanAnswerBytesMax);
      SLIPWAY_ASSIGN_OR_RETURN(ScanResult rows,
                               machine.Scan(kUserShard, item.key, item.end, item.limit, room));
      for (auto& [key, value] : rows.rows) {
        v1::KeyValue* row = result.add_kvs();
        row->set_key(std::move(key));
        row->set_value(std::move(value));
      }
      result.set_more(rows.more);
    }
    job.bytes += BytesOf(result);
    const uint64_t held = HeldBytesOf(result);
    job.held += held;
    held_ += held;
    budget_->Hold(held);
    job.results.push_back(std::move(result));
  }
  return absl::OkStatus();
}

void PipelineStream::OnReadsDone(const std::shared_ptr<ReadJob>& job, const absl::Status& status) {
  if (!status.ok()) {
    job->results.clear();
    Release(job->held);
    const v1::Code code = absl::IsUnavailable(status) ? v1::NOT_LEADER : v1::NOT_EXECUTED;
    for (const ReadItem& item : job->items) job->results.push_back(ResultOf(item.id, code));
  }
  const size_t done = job->results.size();
  parts_.replica.Leave(done);
  base::MutexLock lock(mutex_);
  --read_jobs_;
  underway_ -= done;
  for (size_t i = 0; i < done; ++i) Add(job->items[i].op, std::move(job->results[i]));
  for (size_t i = job->items.size(); i > done; --i) reads_.push_front(std::move(job->items[i - 1]));
  if (finished_) DropReads();
  Continue();
}

// ---- Out ----

void PipelineStream::Deliver(v1::Op op, v1::Result result, bool had_place) {
  if (had_place) parts_.replica.Leave();
  base::MutexLock lock(mutex_);
  if (had_place) --underway_;
  Add(op, std::move(result));
  Continue();
}

void PipelineStream::Add(v1::Op op, v1::Result result) {
  const bool known = v1::Op_IsValid(op);  // a newer client may send any number
  parts_.replica.metrics()
      .commands(known ? static_cast<size_t>(op) : ServiceMetrics::kOps - 1,
                known ? v1::Op_Name(op) : "other", static_cast<size_t>(result.code()),
                v1::Code_Name(result.code()))
      .Increment();
  if (finished_) return;
  hint_ = hint_ || result.code() == v1::NOT_LEADER;
  pending_bytes_ += BytesOf(result);
  pending_.push_back(std::move(result));
}

// Whatever is possible now: one write, one read, reads of keys; or the end.
void PipelineStream::Continue() {
  if (finished_) return;
  if (!writing_ && (!pending_.empty() || !greeted_)) Send();
  StartReads();
  if (read_closed_) {
    if (underway_ == 0 && !writing_ && pending_.empty()) End(absl::OkStatus());
    return;
  }
  if (!reading_ && pending_bytes_ + writing_bytes_ < kPipelineBufferedMax) {
    reading_ = true;
    StartRead(&in_);
  }
}

// What has come together so far, up to the size of a message.
void PipelineStream::Send() {
  greeted_ = true;
  out_.Clear();
  out_.set_credit(parts_.stream_commands_max);
  if (std::exchange(hint_, false)) {
    out_.set_leader_hint(parts_.replica.view()->leader_address());
  }
  while (!pending_.empty()) {
    const uint64_t bytes = BytesOf(pending_.front());
    if (out_.r_size() > 0 && writing_bytes_ + bytes > kPipelineMessageBytesMax) break;
    const uint64_t held = HeldBytesOf(pending_.front());
    *out_.add_r() = std::move(pending_.front());
    pending_.pop_front();
    writing_bytes_ += bytes;
    writing_held_ += held;
  }
  pending_bytes_ -= writing_bytes_;
  writing_ = true;
  write_begun_ = parts_.replica.now();
  StartWrite(&out_);
}

void PipelineStream::OnWriteDone(bool ok) {
  base::MutexLock lock(mutex_);
  writing_ = false;
  if (writing_held_ > 0) v1::BatchResult().Swap(&out_);  // it would keep its memory
  Release(std::exchange(writing_held_, 0));
  writing_bytes_ = 0;
  if (!ok) return End(absl::CancelledError("the client went away"));
  Continue();
}

void PipelineStream::OnCancel() {
  base::MutexLock lock(mutex_);
  End(absl::CancelledError("the client went away"));
}

// Its memory is for those who read; the client does not hear more than that the call is over.
void PipelineStream::EndIfStalled(absl::Duration now) {
  base::MutexLock lock(mutex_);
  if (finished_ || !writing_ || now - write_begun_ < kPipelineStallMax) return;
  End(absl::ResourceExhaustedError("the client does not take its results"));
  context_.TryCancel();  // else the end would wait for it as well
}

void PipelineStream::Release(uint64_t bytes) {
  held_ -= bytes;
  budget_->Release(bytes);
}

void PipelineStream::End(const absl::Status& status) {
  if (std::exchange(finished_, true)) return;
  DropReads();
  for (const v1::Result& result : pending_) Release(HeldBytesOf(result));
  pending_.clear();
  Finish(call_->Finish(status));
}

void PipelineStream::DropReads() {
  parts_.replica.Leave(reads_.size());
  underway_ -= reads_.size();
  reads_.clear();
}

void PipelineStream::OnDone() {
  // Not before EndIfStalled has left the context, which then goes.
  { const base::MutexLock lock(mutex_); }
  call_.reset();
  const Ptr self = std::move(self_);
}

}  // namespace slipway::eraft
