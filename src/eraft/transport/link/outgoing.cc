#include "eraft/transport/link/outgoing.h"

#include <algorithm>
#include <limits>
#include <utility>

#include "absl/strings/str_cat.h"
#include "base/bytes.h"
#include "base/mutant.h"
#include "base/status.h"
#include "eraft/transport/link/limits.h"

namespace slipway::eraft::link {

absl::Status LinkWorld::Submit(base::Task job) const {
  return pool.Submit(
      [hold = Running(running).Hold(), job = std::move(job)]() mutable { std::move(job)(); });
}

// Takes the events of one stream along with its number.
class Outgoing::Attempt final : public ClientEvents {
 public:
  Attempt(std::shared_ptr<Outgoing> owner, uint64_t number)
      : owner_(std::move(owner)), number_(number) {}
  void OnMessage(Slices message) override { owner_->OnMessage(number_, message); }
  void OnWritten() override { owner_->OnWritten(number_); }
  void OnBroken() override { owner_->OnBroken(number_); }
  void OnClosed(const absl::Status& status) override { owner_->OnClosed(number_, status); }

 private:
  const std::shared_ptr<Outgoing> owner_;
  const uint64_t number_;
};

Outgoing::Outgoing(std::shared_ptr<const LinkWorld> world, raft::NodeId peer, Lane lane,
                   std::string address, PeerMetrics& metrics, bool remembers)
    : world_(std::move(world)),
      peer_(peer),
      lane_(lane),
      remembers_(remembers),
      echo_timeout_(lane == Lane::kMessages ? kEchoTimeout : kSnapshotEchoTimeout),
      metrics_(metrics),
      address_(std::move(address)),
      state_(lane == Lane::kMessages ? State::kWaiting : State::kIdle),
      queue_(world_->limits) {}

absl::Status Outgoing::Send(base::FrameClass frame_class, base::Bytes frame) {
  const base::MutexLock lock(mutex_);
  if (state_ == State::kStopped) {
    return absl::NotFoundError(absl::StrCat("send frame to node ", peer_, ": no such peer"));
  }
  const absl::Duration now = world_->clock.Monotonic();
  if (state_ != State::kOpen) CountDropped(queue_.DropBefore(now - kStaleAfter));
  const absl::Status pushed = queue_.Push(frame_class, std::move(frame), now);
  if (!pushed.ok()) {
    CountDropped(1);
    return base::Annotate(pushed, absl::StrCat("node ", peer_));
  }
  sent_at_ = now;
  if (state_ == State::kIdle) Dial();
  Flush();
  return absl::OkStatus();
}

void Outgoing::SetAddress(const std::string& address) {
  const base::MutexLock lock(mutex_);
  if (state_ == State::kStopped || address == address_) return;
  address_ = address;
  BeginAnew();
}

void Outgoing::Renew() {
  const base::MutexLock lock(mutex_);
  if (state_ != State::kStopped) BeginAnew();
}

void Outgoing::BeginAnew() {
  failures_ = 0;
  if (state_ == State::kIdle) return;
  EndAttempt();
  state_ = State::kWaiting;
  next_try_ = world_->clock.Monotonic();
}

void Outgoing::Announce() {
  const base::MutexLock lock(mutex_);
  Flush();
}

void Outgoing::Tick() {
  const base::MutexLock lock(mutex_);
  const absl::Duration now = world_->clock.Monotonic();
  switch (state_) {
    case State::kIdle:
    case State::kStopped:
      return;
    case State::kWaiting:
      CountDropped(queue_.DropBefore(now - kStaleAfter));
      if (lane_ == Lane::kSnapshots && queue_.empty()) {
        state_ = State::kIdle;
        error_.clear();  // nobody needs it any more
        return;
      }
      if (now >= next_try_) Dial();
      return;
    case State::kDialing:
    case State::kGreeting:
      if (now >= deadline_) {
        Fail(absl::DeadlineExceededError(absl::StrCat("connect to node ", peer_,
                                                      ": no greeting within ",
                                                      absl::FormatDuration(kGreetTimeout))));
      }
      return;
    case State::kOpen:
      CheckAlive(now);
      return;
  }
}

void Outgoing::CheckAlive(absl::Duration now) {
  if (SLIPWAY_MUTANT("transport-no-echo-needed")) return Flush();
  const bool deaf = probe_ns_ != 0 && now - probe_at_ >= echo_timeout_;
  const bool stuck = writing_ && now - write_at_ >= echo_timeout_;
  if (deaf || stuck) {
    return Fail(absl::UnavailableError(absl::StrCat("send to node ", peer_, ": no echo for ",
                                                    absl::FormatDuration(echo_timeout_))));
  }
  if (lane_ == Lane::kSnapshots && queue_.empty() && !writing_ &&
      now - sent_at_ >= kSnapshotIdleMax) {
    EndAttempt();
    state_ = State::kIdle;
    return;
  }
  Flush();
}

void Outgoing::Stop() {
  const base::MutexLock lock(mutex_);
  if (state_ == State::kStopped) return;
  EndAttempt();
  // Of no peer any more; 0 would say that one is missing.
  if (lane_ == Lane::kMessages) metrics_.connected.Set(std::numeric_limits<double>::quiet_NaN());
  queue_.Clear();
  state_ = State::kStopped;
}

LaneStatus Outgoing::status() const {
  const base::MutexLock lock(mutex_);
  return {.address = address_,
          .open = state_ == State::kOpen,
          .rtt = round_trips_.last(),
          .rtt_p99 = round_trips_.Quantile(0.99),
          .clock_difference = round_trips_.clock_difference(),
          .feature_level = feature_level_,
          .error = error_,
          .dropped = dropped_};
}

void Outgoing::Dial() {
  state_ = State::kDialing;
  greeted_ = broken_ = false;
  deadline_ = world_->clock.Monotonic() + kGreetTimeout;
  const uint64_t number = ++attempt_;
  const absl::Status submitted =
      world_->Submit([self = shared_from_this(), number, address = address_] {
        auto events = std::make_shared<Attempt>(self, number);
        self->OnDialed(number, self->world_->dialer->Dial(address, std::move(events)));
      });
  if (!submitted.ok()) Fail(submitted);
}

void Outgoing::OnDialed(uint64_t number, absl::StatusOr<std::shared_ptr<ClientStream>> stream) {
  const base::MutexLock lock(mutex_);
  if (number != attempt_ || state_ != State::kDialing) {
    if (stream.ok()) (*stream)->Cancel();
    return;
  }
  if (!stream.ok()) return Fail(stream.status());
  // Its end may come before itself; gRPC's memory of it may be gone. OnClosed says why, soon.
  if (broken_ && !SLIPWAY_MUTANT("transport-write-after-broken")) return;
  stream_ = *std::move(stream);
  state_ = State::kGreeting;
  Write({.seq = ++seq_,
         .hello = MakeHello(world_->own, peer_, lane_, world_->incarnations.Get(peer_))});
}

void Outgoing::OnMessage(uint64_t number, Slices slices) {
  absl::StatusOr<Message> message = ParseMessage(slices);
  const base::MutexLock lock(mutex_);
  if (number != attempt_ || (state_ != State::kGreeting && state_ != State::kOpen)) return;
  if (!message.ok()) return Fail(message.status());
  if (state_ == State::kGreeting) return Greet(*message);
  TakeEcho(message->envelope);
}

void Outgoing::Greet(const Message& message) {
  if (greeted_) return;
  greeted_ = true;
  if (!message.envelope.hello.has_value()) {
    return Fail(absl::FailedPreconditionError(
        absl::StrCat("greet node ", peer_, ": it did not greet; is it a node of this cluster?")));
  }
  const Hello& hello = *message.envelope.hello;
  if (hello.node != peer_) {
    return Fail(absl::FailedPreconditionError(
        absl::StrCat("greet node ", peer_, ": node ", hello.node, " answered at ", address_)));
  }
  const std::optional<uint64_t> known = world_->incarnations.Get(peer_);
  absl::Status status = CheckHello(world_->own, hello);
  if (status.ok()) status = CheckIncarnation(hello, known);
  if (!status.ok()) return Fail(status);
  feature_level_ = hello.feature_level;
  if (known.has_value() || !remembers_) return Open();
  status = world_->Submit(
      [self = shared_from_this(), number = attempt_, incarnation = hello.incarnation] {
        self->OnRemembered(number, self->world_->incarnations.Remember(self->peer_, incarnation));
      });
  if (!status.ok()) Fail(status);
}

void Outgoing::OnRemembered(uint64_t number, const absl::Status& status) {
  const base::MutexLock lock(mutex_);
  if (number != attempt_ || state_ != State::kGreeting) return;
  status.ok() ? Open() : Fail(status);
}

void Outgoing::Open() {
  if (stream_ == nullptr) return;  // broken already; OnClosed says why
  state_ = State::kOpen;
  if (opened_) metrics_.reconnects.Increment();
  if (lane_ == Lane::kMessages) metrics_.connected.Set(1);
  opened_ = true;
  failures_ = 0;
  error_.clear();
  probe_ns_ = 0;
  probe_at_ = -absl::InfiniteDuration();
  sent_at_ = world_->clock.Monotonic();
  CountDropped(queue_.DropBefore(sent_at_ - kStaleAfter));
  Flush();
}

void Outgoing::TakeEcho(const Envelope& envelope) {
  if (probe_ns_ == 0 || envelope.echo_ns != probe_ns_) return;
  const absl::Duration round_trip = absl::Nanoseconds(NowNs() - probe_ns_);
  const absl::Time middle =
      absl::FromUnixNanos(static_cast<int64_t>(probe_wall_ns_)) + round_trip / 2;
  const absl::Time theirs = absl::FromUnixNanos(static_cast<int64_t>(envelope.wall_ns));
  probe_ns_ = 0;
  round_trips_.Add(round_trip, theirs - middle);
  metrics_.rtt_seconds.Observe(absl::ToDoubleSeconds(round_trip));
}

void Outgoing::Flush() {
  if (state_ != State::kOpen || writing_ || stream_ == nullptr) return;
  const absl::Duration since = world_->clock.Monotonic() - probe_at_;
  const bool probe = probe_ns_ == 0 && since >= (queue_.empty() ? kProbeInterval : kProbeGapMin);
  const bool announce = world_->leaving->load() && !announced_;
  if (queue_.empty() && !probe && !announce) return;
  Envelope envelope{.seq = ++seq_};
  if (probe) {
    probe_at_ = world_->clock.Monotonic();
    envelope.sent_ns = probe_ns_ = NowNs();
    envelope.wall_ns = probe_wall_ns_ =
        static_cast<uint64_t>(absl::ToUnixNanos(world_->clock.Wall()));
  }
  Write(envelope);
}

void Outgoing::Write(Envelope envelope) {
  // Not with a greeting: that is of who speaks, and comes before anything is believed.
  if (!envelope.hello.has_value()) envelope.leaving = announced_ = world_->leaving->load();
  MessageWriter writer(envelope);
  if (state_ == State::kOpen) {
    metrics_.sent_frames.Increment(static_cast<double>(queue_.Fill(&writer)));
  }
  OutMessage message = writer.Finish();
  metrics_.sent_bytes.Increment(static_cast<double>(message.bytes));
  writing_ = true;
  write_at_ = world_->clock.Monotonic();
  stream_->Write(std::move(message));
}

void Outgoing::OnWritten(uint64_t number) {
  const base::MutexLock lock(mutex_);
  if (number != attempt_) return;
  writing_ = false;
  Flush();
}

void Outgoing::OnBroken(uint64_t number) {
  const base::MutexLock lock(mutex_);
  if (number != attempt_) return;
  stream_ = nullptr;
  broken_ = true;
}

void Outgoing::OnClosed(uint64_t number, const absl::Status& status) {
  const base::MutexLock lock(mutex_);
  if (number != attempt_ || state_ == State::kStopped) return;
  stream_ = nullptr;
  Fail(status.ok() ? absl::UnavailableError("the peer ended the stream") : status);
}

void Outgoing::Fail(const absl::Status& status) {
  const std::string error(status.message());
  if (error != error_) {
    error_ = error;
    world_->teller->Warn("no connection to a peer", peer_, address_, error);
  }
  EndAttempt();
  state_ = State::kWaiting;
  next_try_ = world_->clock.Monotonic() + Backoff();
}

void Outgoing::EndAttempt() {
  ++attempt_;  // from here on its events are passed over
  if (stream_ != nullptr) stream_->Cancel();
  stream_ = nullptr;
  writing_ = announced_ = false;
  if (lane_ == Lane::kMessages) metrics_.connected.Set(0);
  CountDropped(queue_.Reset());
}

void Outgoing::CountDropped(size_t frames) {
  if (frames == 0) return;
  dropped_ += frames;
  metrics_.dropped_frames.Increment(static_cast<double>(frames));
}

// Half of it by chance, so that two nodes that lost each other do not meet in step.
absl::Duration Outgoing::Backoff() {
  const absl::Duration full = std::min(kBackoffMax, kBackoffMin * (1 << std::min(failures_++, 10)));
  const uint64_t half_us = static_cast<uint64_t>(absl::ToInt64Microseconds(full / 2));
  return full / 2 + absl::Microseconds(world_->random.Below(half_us));
}

uint64_t Outgoing::NowNs() const {
  return static_cast<uint64_t>(absl::ToInt64Nanoseconds(world_->clock.Monotonic()));
}

}  // namespace slipway::eraft::link
