#include "eraft/client/session/dispatcher.h"

#include <algorithm>

#include "absl/strings/str_cat.h"
#include "base/mutant.h"
#include "base/status.h"

namespace slipway::eraft::client {
namespace {

absl::string_view NameOf(Op op) {
  switch (op) {
    case Op::kGet:
      return "get";
    case Op::kPut:
      return "put";
    case Op::kAppend:
      return "append";
    case Op::kDelete:
      return "delete";
    case Op::kCompareAndSet:
      return "compare and set";
    case Op::kScan:
      return "scan";
  }
  return "operation";
}

// No other node and no later time would give another answer.
bool IsPermanent(const absl::Status& status) {
  switch (status.code()) {
    case absl::StatusCode::kUnauthenticated:
    case absl::StatusCode::kPermissionDenied:
    case absl::StatusCode::kUnimplemented:
    case absl::StatusCode::kInvalidArgument:
    case absl::StatusCode::kFailedPrecondition:
      return true;
    default:
      return false;
  }
}

}  // namespace

Dispatcher::Dispatcher(DispatcherOptions options, base::Loop& loop, base::Clock& clock,
                       base::Random& random, Dialer& dialer)
    : options_(std::move(options)),
      loop_(loop),
      clock_(clock),
      dialer_(dialer),
      route_(options_.addresses, random, options_.route),
      credit_(options_.credit_first) {}

Dispatcher::~Dispatcher() { Stop(); }

void Dispatcher::Submit(Operation operation, absl::Duration deadline, Done done) {
  absl::Status refused;
  const uint64_t bytes = operation.bytes();
  if (stopped_) {
    refused = absl::CancelledError(absl::StrCat(NameOf(operation.op), ": the client was closed"));
  } else if (pending_.size() >= options_.pending_max ||
             (pending_bytes_ + bytes > options_.pending_bytes_max && !pending_.empty())) {
    refused = absl::ResourceExhaustedError(
        absl::StrCat(NameOf(operation.op), ": ", pending_.size(), " operations of ", pending_bytes_,
                     " bytes wait for answers; send fewer at a time"));
  }
  if (!refused.ok()) {
    loop_.Post([done = std::move(done), refused = std::move(refused)]() mutable {
      done(WithExecuted(refused, Executed::kNo));
    });
    return;
  }
  const Number number = next_number_++;
  Pending& pending = pending_[number];
  pending.operation = std::move(operation);
  pending.deadline = deadline;
  pending.done = std::move(done);
  pending_bytes_ += bytes;
  QueueOf(pending).insert(number);
  if (deadline < absl::InfiniteDuration()) deadlines_.insert({deadline, number});
  ArmDeadline();
  SchedulePump();
}

void Dispatcher::Stop() {
  if (stopped_) return;
  stopped_ = true;
  if (session_ != 0 && !session_dead_ && link_ != nullptr) {
    dialer_.CloseSession(route_.address(), session_);
  }
  FailAll(absl::CancelledError("the client was closed"));
  link_.reset();
  if (deadline_timer_ != 0) loop_.Cancel(deadline_timer_);
  if (stall_timer_ != 0) loop_.Cancel(stall_timer_);
}

std::set<Dispatcher::Number>& Dispatcher::QueueOf(const Pending& pending) {
  return IsWrite(pending.operation.op) ? writes_ : reads_;
}

// ---- Sending ----

void Dispatcher::SchedulePump(absl::Duration wait) {
  const std::weak_ptr<int> alive = alive_;
  const auto pump = [this, alive] {
    if (!alive.expired()) Pump();
  };
  if (wait > absl::ZeroDuration()) {
    not_before_ = std::max(not_before_, clock_.Monotonic() + wait);
    loop_.After(wait, pump);
    return;
  }
  if (pump_scheduled_) return;
  pump_scheduled_ = true;
  loop_.Post(pump);
}

bool Dispatcher::MaySend(bool writes) {
  const std::set<Number>& queue = writes ? writes_ : reads_;
  if (queue.empty() || under_way_.size() >= credit_) return false;
  if (!writes) return true;
  return session_ != 0 && !session_dead_ &&
         (pending_.at(*queue.begin()).id.has_value() || !window_.full());
}

void Dispatcher::Pump() {
  pump_scheduled_ = false;
  if (stopped_ || sending_ || clock_.Monotonic() < not_before_) return;
  if (!writes_.empty() && session_ == 0) RegisterSession();
  // Turn by turn, so that neither waits for a long row of the other.
  const bool writes = MaySend(writes_next_) ? writes_next_ : !writes_next_;
  if (!MaySend(writes)) return;
  writes_next_ = !writes;
  if (under_way_.empty()) heard_ = clock_.Monotonic();
  const WireBatch batch = NextBatch(writes);
  if (link_ == nullptr) link_ = dialer_.Dial(route_.address(), *this);
  sending_ = true;
  link_->Send(batch);
  ArmStall();
}

WireBatch Dispatcher::NextBatch(bool writes) {
  WireBatch batch;
  batch.session = writes ? session_ : 0;
  uint64_t bytes = 0;
  std::set<Number>& queue = writes ? writes_ : reads_;
  while (!queue.empty() && under_way_.size() < credit_ &&
         batch.commands.size() < options_.batch_commands_max) {
    const Number number = *queue.begin();
    Pending& pending = pending_.at(number);
    bytes += pending.operation.bytes();
    if (bytes > options_.batch_bytes_max && !batch.commands.empty()) break;
    if (writes && !pending.id.has_value()) pending.id = window_.Take();
    if (writes && !pending.id.has_value()) break;
    const uint64_t id = writes ? *pending.id : kReadBit | next_read_++;
    pending.under_way = true;
    under_way_[id] = number;
    batch.commands.push_back({id, &pending.operation});
    queue.erase(queue.begin());
  }
  batch.acknowledged = writes ? window_.acknowledged() : 0;
  return batch;
}

void Dispatcher::OnSent() {
  sending_ = false;
  SchedulePump();
}

// ---- The session ----

void Dispatcher::RegisterSession() {
  if (registering_) return;
  registering_ = true;
  const std::weak_ptr<int> alive = alive_;
  dialer_.Register(route_.address(), options_.stall, [this, alive](SessionGrant grant) {
    if (!alive.expired()) OnSession(std::move(grant));
  });
}

void Dispatcher::OnSession(SessionGrant grant) {
  registering_ = false;
  if (stopped_) return;
  if (grant.id.ok()) {
    session_ = *grant.id;
    session_dead_ = false;
    window_ = Window();
    route_.Worked();
    return SchedulePump();
  }
  MoveOn(grant.id.status(), grant.leader);
}

// The session is gone and nothing of it is under way: what was never sent, or surely not executed,
// goes with the next one. Of the rest nobody can say any more what became of it.
void Dispatcher::DropSession() {
  std::vector<Number> lost;
  for (auto& [number, pending] : pending_) {
    if (!pending.id.has_value()) continue;
    if (pending.maybe && !SLIPWAY_MUTANT("eraft-client-next-session")) {
      lost.push_back(number);
    } else {
      pending.id.reset();
    }
  }
  session_ = 0;
  session_dead_ = false;
  for (const Number number : lost) {
    pending_.at(number).id.reset();
    FinishError(number,
                absl::FailedPreconditionError(
                    "the session expired before the answer came; read what is there, then decide"),
                Executed::kUnknown);
  }
}

// ---- Answers ----

void Dispatcher::OnResults(WireResults results) {
  heard_ = clock_.Monotonic();
  stalls_ = 0;
  if (results.credit > 0) credit_ = results.credit;
  Verdict verdict;
  for (WireResult& result : results.results) OnResult(std::move(result), verdict);
  if (verdict.worked) route_.Worked();
  if (session_dead_ && std::none_of(under_way_.begin(), under_way_.end(), [](const auto& entry) {
        return (entry.first & kReadBit) == 0;
      })) {
    DropSession();
  }
  if (verdict.not_leader) {
    const std::string from = route_.address();
    trouble_ = absl::UnavailableError(absl::StrCat(from, " is not the leader"));
    const absl::Duration wait = route_.Redirected(results.leader);
    Unlink();
    return SchedulePump(wait);
  }
  SchedulePump(verdict.pause ? route_.Busy() : absl::ZeroDuration());
}

void Dispatcher::OnResult(WireResult result, Verdict& verdict) {
  const auto entry = under_way_.find(result.id);
  if (entry == under_way_.end()) return;
  const Number number = entry->second;
  under_way_.erase(entry);
  const auto found = pending_.find(number);
  if (found == pending_.end()) return;  // its time is over
  Pending& pending = found->second;
  pending.under_way = false;
  const Executed fate = FateOf(pending);
  const auto refused = [&](absl::StatusCode code, absl::string_view why) {
    FinishError(number, absl::Status(code, absl::StrCat(NameOf(pending.operation.op), ": ", why)),
                fate);
  };
  switch (result.code) {
    case Code::kOk:
    case Code::kNoKey:
    case Code::kMismatch:
      verdict.worked = true;
      result.reply.found = result.code == Code::kOk;
      return Finish(number, std::move(result.reply));
    case Code::kTooLarge:
      return refused(absl::StatusCode::kInvalidArgument,
                     "key or value is larger than the servers take; store less under one key");
    case Code::kNoSpace:
      return refused(absl::StatusCode::kResourceExhausted,
                     "the servers' disks are full; free space there");
    case Code::kNotLeader:
      verdict.not_leader = true;
      return Requeue(number);
    case Code::kUnknown:
      pending.maybe = pending.maybe || (IsWrite(pending.operation.op) &&
                                        !SLIPWAY_MUTANT("eraft-client-unknown-is-no"));
      [[fallthrough]];
    case Code::kNotExecuted:
    case Code::kBusy:
    case Code::kWrongGroup:
      verdict.pause = true;
      trouble_ = absl::UnavailableError(absl::StrCat(
          route_.address(), result.code == Code::kBusy ? " has too much to do" : " has no quorum"));
      return Requeue(number);
    case Code::kSessionExpired:
      session_dead_ = true;
      return Requeue(number);
  }
  refused(absl::StatusCode::kInternal,
          absl::StrCat("the server said ", static_cast<int>(result.code), ", which is no code"));
}

void Dispatcher::OnClosed(absl::Status status, std::string leader) {
  if (status.ok()) status = absl::UnavailableError("the server ended the stream");
  MoveOn(status, leader);
}

void Dispatcher::MoveOn(const absl::Status& why, const std::string& leader) {
  if (IsPermanent(why)) {
    Unlink();
    return FailAll(why);
  }
  trouble_ = base::Annotate(why, route_.address());
  const absl::Duration wait = leader.empty() ? route_.Failed() : route_.Redirected(leader);
  Unlink();
  SchedulePump(wait);
}

void Dispatcher::Requeue(Number number) { QueueOf(pending_.at(number)).insert(number); }

void Dispatcher::Unlink() {
  link_.reset();
  sending_ = false;
  const auto under_way = std::exchange(under_way_, {});
  for (const auto& [id, number] : under_way) {
    const auto found = pending_.find(number);
    if (found == pending_.end()) continue;
    found->second.under_way = false;
    found->second.maybe = IsWrite(found->second.operation.op);
    if (SLIPWAY_MUTANT("eraft-client-new-number")) found->second.id.reset();
    Requeue(number);
  }
  if (session_dead_) DropSession();
}

// ---- Ends ----

Executed Dispatcher::FateOf(const Pending& pending) {
  const bool out = pending.under_way && IsWrite(pending.operation.op);
  return pending.maybe || out ? Executed::kUnknown : Executed::kNo;
}

void Dispatcher::FailAll(const absl::Status& status) {
  std::vector<Number> numbers;
  numbers.reserve(pending_.size());
  for (const auto& [number, pending] : pending_) numbers.push_back(number);
  for (const Number number : numbers) {
    const auto found = pending_.find(number);
    if (found != pending_.end()) FinishError(number, status, FateOf(found->second));
  }
}

void Dispatcher::Finish(Number number, absl::StatusOr<Reply> reply) {
  const auto found = pending_.find(number);
  Pending pending = std::move(found->second);
  pending_.erase(found);
  pending_bytes_ -= pending.operation.bytes();
  QueueOf(pending).erase(number);
  deadlines_.erase({pending.deadline, number});
  if (pending.id.has_value()) window_.Close(*pending.id);
  pending.done(std::move(reply));
}

void Dispatcher::FinishError(Number number, const absl::Status& status, Executed executed) {
  Finish(number, WithExecuted(status, executed));
}

void Dispatcher::ArmDeadline() {
  if (deadlines_.empty() || deadlines_.begin()->first >= deadline_armed_) return;
  if (deadline_timer_ != 0) loop_.Cancel(deadline_timer_);
  deadline_armed_ = deadlines_.begin()->first;
  const std::weak_ptr<int> alive = alive_;
  deadline_timer_ = loop_.After(
      std::max(deadline_armed_ - clock_.Monotonic(), absl::ZeroDuration()), [this, alive] {
        if (!alive.expired()) Expire();
      });
}

void Dispatcher::Expire() {
  deadline_timer_ = 0;
  deadline_armed_ = absl::InfiniteDuration();
  const absl::Duration now = clock_.Monotonic();
  while (!deadlines_.empty() && deadlines_.begin()->first <= now) {
    const Number number = deadlines_.begin()->second;
    const Pending& pending = pending_.at(number);
    const Executed fate = FateOf(pending);
    std::string text =
        absl::StrCat(NameOf(pending.operation.op), ": no answer in time; ", ExecutedText(fate));
    if (!trouble_.ok()) absl::StrAppend(&text, "; the last trouble: ", trouble_.message());
    FinishError(number,
                base::MakeError(absl::StatusCode::kDeadlineExceeded, text,
                                {"", base::GetErrorInfo(trouble_).hint}),
                fate);
  }
  ArmDeadline();
}

void Dispatcher::ArmStall() {
  if (stall_timer_ != 0) return;
  const std::weak_ptr<int> alive = alive_;
  stall_timer_ = loop_.After(options_.stall, [this, alive] {
    if (alive.expired()) return;
    stall_timer_ = 0;
    CheckStall();
  });
}

void Dispatcher::CheckStall() {
  if (link_ == nullptr || under_way_.empty()) return;
  const absl::Duration limit =
      std::min(options_.stall * (int64_t{1} << std::min(stalls_, 10)), options_.stall_max);
  if (clock_.Monotonic() - heard_ < limit) return ArmStall();
  ++stalls_;
  MoveOn(absl::UnavailableError(absl::StrCat("no answer for ", absl::FormatDuration(limit))), "");
}

}  // namespace slipway::eraft::client
