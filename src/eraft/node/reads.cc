// Reads that cost no entry of the log (E140-E142).
#include <utility>

#include "absl/strings/str_cat.h"
#include "base/mutant.h"
#include "base/status.h"
#include "eraft/node/group.h"

namespace slipway::eraft {

void Group::Read(const ReadOptions& options, ReadDone done) {
  PendingRead read = {.options = options, .begun = context_.now(), .done = std::move(done)};
  if (options.mode == ReadMode::kSerializable) {
    const absl::Status fresh = CheckStaleness(options.staleness_max);
    if (!fresh.ok()) return read.done(fresh);
    return read.done(applied_);
  }
  if (options.mode == ReadMode::kLease && LeaseLeft() > absl::ZeroDuration()) {
    metrics_.lease_reads.Increment();
    waiting_reads_.emplace(raft_->commit(), std::move(read));
  } else {
    new_reads_.push_back(std::move(read));
  }
  SchedulePump();
}

absl::Status Group::CheckStaleness(absl::Duration staleness_max) const {
  if (staleness_max == absl::InfiniteDuration()) return absl::OkStatus();
  const bool leads = raft_->role() == raft::Role::kLeader && lease_term_ == raft_->term();
  const absl::Duration age = context_.now() - (leads ? lease_from_ : contact_);
  if (age <= staleness_max) return absl::OkStatus();
  return absl::FailedPreconditionError(
      absl::StrCat("read of group ", id_, ": no word of its leader for ", absl::FormatDuration(age),
                   ", at most ", absl::FormatDuration(staleness_max),
                   " is allowed; read elsewhere or allow more"));
}

// One question for all that came in one turn; the Raft lets questions share a round (E140).
void Group::FlushReads() {
  if (new_reads_.empty()) return;
  const uint64_t context = next_context_++;
  asked_reads_[context] = std::exchange(new_reads_, {});
  raft_->ReadIndex(context);
}

void Group::OnReadStates() {
  for (const raft::ReadState& state : ready_.read_states) {
    auto reads = asked_reads_.extract(state.context);
    if (reads.empty()) continue;
    for (PendingRead& read : reads.mapped()) {
      if (state.failed) {
        again_reads_.push_back(std::move(read));
      } else {
        waiting_reads_.emplace(state.index, std::move(read));
      }
    }
  }
}

void Group::AnswerReads() {
  while (!waiting_reads_.empty() && waiting_reads_.begin()->first <= applied_) {
    PendingRead read = std::move(waiting_reads_.extract(waiting_reads_.begin()).mapped());
    metrics_.readindex_seconds.Observe(absl::ToDoubleSeconds(context_.now() - read.begun));
    read.done(applied_);
  }
}

// What failed is asked again: a leader may be there now.
void Group::ExpireReads() {
  const absl::Duration now = context_.now();
  std::vector<PendingRead> late;
  const auto take = [&](std::vector<PendingRead>& reads) {
    std::vector<PendingRead> kept;
    for (PendingRead& read : reads) {
      (read.options.deadline < now ? late : kept).push_back(std::move(read));
    }
    reads = std::move(kept);
  };
  take(new_reads_);
  take(again_reads_);
  for (auto& [context, reads] : asked_reads_) take(reads);
  for (auto at = waiting_reads_.begin(); at != waiting_reads_.end();) {
    const auto here = at++;
    if (here->second.options.deadline >= now) continue;
    late.push_back(std::move(here->second));
    waiting_reads_.erase(here);
  }
  for (PendingRead& read : again_reads_) new_reads_.push_back(std::move(read));
  again_reads_.clear();
  for (PendingRead& read : late) {
    read.done(absl::DeadlineExceededError(absl::StrCat(
        "read of group ", id_, ": no leader confirmed it in time; try again or another node")));
  }
}

void Group::FailReads(const absl::Status& status) {
  std::vector<PendingRead> reads = std::exchange(new_reads_, {});
  for (PendingRead& read : std::exchange(again_reads_, {})) reads.push_back(std::move(read));
  for (auto& [context, asked] : std::exchange(asked_reads_, {})) {
    for (PendingRead& read : asked) reads.push_back(std::move(read));
  }
  for (auto& [index, read] : std::exchange(waiting_reads_, {})) reads.push_back(std::move(read));
  for (PendingRead& read : reads) read.done(status);
  for (PendingQuery& query : std::exchange(held_queries_, {})) {
    context_.world.loop.Post([done = std::move(query.done), status]() mutable { done(status); });
  }
  // Those that were begun end by themselves, until the jobs are stopped: then none of them runs,
  // and nobody else would answer them.
  if (!context_.jobs->stopped()) return;
  for (auto& [id, query] : std::exchange(started_queries_, {})) {
    context_.world.loop.Post([query = std::move(query), status] { query->done(status); });
  }
}

void Group::Get(ShardId shard, std::string key, const ReadOptions& options, Node::GetDone done) {
  auto value = std::make_shared<std::optional<std::string>>();
  Query(
      options,
      [shard, key = std::move(key), value](KvMachine& machine) -> absl::Status {
        SLIPWAY_ASSIGN_OR_RETURN(*value, machine.Get(shard, key));
        return absl::OkStatus();
      },
      [value, done = std::move(done)](const absl::Status& status) mutable {
        if (!status.ok()) return done(status);
        done(std::move(*value));
      });
}

void Group::Query(const ReadOptions& options, Node::QueryWork work, Node::QueryDone done) {
  PendingQuery query = {.work = std::move(work), .done = std::move(done)};
  Read(options, [this, query = std::move(query)](const absl::StatusOr<raft::Index>& point) mutable {
    if (point.ok()) return StartQuery(std::move(query));
    context_.world.loop.Post(
        [done = std::move(query.done), status = point.status()]() mutable { done(status); });
  });
}

void Group::StartQuery(PendingQuery query) {
  held_queries_.push_back(std::move(query));
  StartQueries();
}

void Group::StartQueries() {
  if (install_.has_value() && install_->prepared) return;  // the state goes away
  for (PendingQuery& query : std::exchange(held_queries_, {})) {
    ++engine_jobs_;
    auto result = std::make_shared<absl::Status>();
    auto job = std::make_shared<PendingQuery>(std::move(query));
    const uint64_t id = next_query_++;
    started_queries_[id] = job;
    context_.jobs->Run(
        [machine = store_.machine, job, result] { *result = job->work(*machine); },
        [this, id, job, result] {
          --engine_jobs_;
          started_queries_.erase(id);
          const absl::Status status = *result;
          context_.world.loop.Post([job, status] { job->done(status); });
          if (absl::IsDataLoss(status)) {
            return Fatal(base::Annotate(status, absl::StrCat("read of group ", id_)));
          }
          if (install_.has_value()) ContinueInstall();
        });
  }
}

// ---- Lease (E141; thesis, 6.4.1) ----

// Followers forget a leader after an election timeout of whole ticks, the first of which may come
// at once: so one tick less than the timeout is promised.
absl::Duration Group::Promise() const {
  return std::max(absl::ZeroDuration(), context_.election_timeout() - context_.options.tick);
}

// Members may have other timers than this one, and each says with its answers what it promises.
void Group::NotePromise(raft::NodeId peer, const raft::Message& message) {
  if (raft_->role() != raft::Role::kLeader || message.term != raft_->term()) return;
  if (message.kind != raft::MessageKind::kHeartbeatReply &&
      message.kind != raft::MessageKind::kAppendReply) {
    return;
  }
  PeerPromise& known = promises_[peer];
  if (message.round < known.round) return;  // late
  known.round = message.round;
  if (!TellsPromise(message)) return;
  const uint64_t most = static_cast<uint64_t>(absl::ToInt64Microseconds(absl::Hours(24)));
  known.promised = absl::Microseconds(static_cast<int64_t>(std::min(message.context, most)));
}

absl::Duration Group::LeaseLeft() const {
  const raft::Term term = raft_->term();
  if (raft_->role() != raft::Role::kLeader || lease_term_ != term || no_lease_term_ == term) {
    return absl::ZeroDuration();
  }
  // The first read of a term waits for its first commit.
  if (raft_->TermAt(raft_->commit()) != term) return absl::ZeroDuration();
  const double share = 1 - 2 * context_.options.clock_drift_max;
  const absl::Duration length = std::min(Promise(), lease_promised_) * share;
  return std::max(absl::ZeroDuration(), lease_from_ + length - context_.now());
}

void Group::NoteRound(const raft::Message& heartbeat) {
  if (!rounds_.empty() && rounds_.back().round >= heartbeat.round) return;
  rounds_.push_back({heartbeat.round, context_.now()});
}

void Group::NoteConfirmed() {
  if (rounds_.empty() || raft_->role() != raft::Role::kLeader) return;
  const uint64_t confirmed = raft_->round_confirmed();
  while (!rounds_.empty() && rounds_.front().round <= confirmed) {
    lease_from_ = SLIPWAY_MUTANT("node-lease-from-receive") ? context_.now() : rounds_.front().sent;
    lease_term_ = raft_->term();
    rounds_.pop_front();
  }
  // Whoever is elected has the vote of one of those that answered the round.
  lease_promised_ = absl::InfiniteDuration();
  for (const auto& [peer, promise] : promises_) {
    if (promise.round < confirmed || SLIPWAY_MUTANT("node-lease-own-timeout")) continue;
    lease_promised_ = std::min(lease_promised_, promise.promised);
  }
}

}  // namespace slipway::eraft
