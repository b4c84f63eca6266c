#include <utility>

#include "absl/strings/str_cat.h"
#include "base/mutant.h"
#include "base/status.h"
#include "eraft/transport/link/greeting.h"
#include "eraft/transport/link/inbox.h"
#include "eraft/transport/link/limits.h"

namespace slipway::eraft::link {

Incoming::Incoming(std::shared_ptr<Inbox> inbox, ServerStream& stream, std::string from,
                   std::vector<std::string> names)
    : inbox_(std::move(inbox)),
      stream_(stream),
      from_(std::move(from)),
      names_(std::move(names)),
      heard_at_(inbox_->world().clock.Monotonic()) {}

void Incoming::Start() {
  const absl::Status added = inbox_->AddStranger(shared_from_this());
  if (!added.ok()) return End(added);
  const base::MutexLock lock(mutex_);
  Read();
}

void Incoming::Read() {
  if (state_ == State::kEnded || reading_) return;
  if (unhandled_messages_ >= kUnhandledMessagesMax || unhandled_bytes_ >= kUnhandledBytesMax) {
    return;
  }
  reading_ = true;
  stream_.Read();
}

void Incoming::OnReadEnd() { End(absl::OkStatus()); }

void Incoming::OnCancel() { End(absl::CancelledError("take frames: the peer went away")); }

void Incoming::OnMessage(Slices slices) {
  size_t bytes = 0;
  for (const base::BytesView& slice : slices) bytes += slice.size();
  bool greeting = false;
  {
    const base::MutexLock lock(mutex_);
    if (state_ == State::kEnded) return;
    heard_at_ = inbox_->world().clock.Monotonic();
    greeting = state_ == State::kGreeting;
    if (greeting) state_ = State::kChecking;
  }
  if (greeting && bytes > kHelloBytesMax) {
    return End(absl::FailedPreconditionError(
        absl::StrCat("greet: a greeting has at most ", kHelloBytesMax, " bytes")));
  }
  const absl::StatusOr<Message> message = ParseMessage(slices);
  if (!message.ok()) return End(message.status());
  greeting ? Greet(*message) : Take(*message, bytes);
}

void Incoming::Greet(const Message& message) {
  if (!message.envelope.hello.has_value() || !message.parts.empty()) {
    return End(absl::FailedPreconditionError("greet: the first message is a greeting, and alone"));
  }
  const Hello& hello = *message.envelope.hello;
  const LinkWorld& world = inbox_->world();
  absl::Status status = CheckHello(world.own, hello);
  if (status.ok() && !names_.empty()) status = CheckNames(hello, names_, inbox_->Addresses());
  if (!status.ok()) return Refuse(hello, status);
  const bool knows = hello.peer_incarnation != 0 && !SLIPWAY_MUTANT("transport-own-loss-unheard");
  if (knows && hello.peer_incarnation != world.own.incarnation) inbox_->NoteKnownOtherwise();
  // Before its incarnation is remembered: only members' are.
  if (!inbox_->Expects(hello.node) && !inbox_->TakeStranger(hello)) return Admit(hello);
  const std::optional<uint64_t> known = world.incarnations.Get(hello.node);
  status = CheckIncarnation(hello, known);
  if (!status.ok()) {
    inbox_->NoteOtherData(hello.node, hello.incarnation);
    return Refuse(hello, status);
  }
  if (known.has_value() || inbox_->IsGuest(hello.node)) return Admit(hello);
  status = world.Submit([self = shared_from_this(), hello] {
    Incarnations& incarnations = self->inbox_->world().incarnations;
    const absl::Status remembered = incarnations.Remember(hello.node, hello.incarnation);
    // It was removed meanwhile: what was forgotten stays so.
    if (!self->inbox_->Expects(hello.node)) incarnations.Forget(hello.node).IgnoreError();
    remembered.ok() ? self->Admit(hello) : self->Refuse(hello, remembered);
  });
  if (!status.ok()) End(base::Annotate(status, "greet"));
}

void Incoming::Admit(const Hello& hello) {
  const absl::StatusOr<PeerMetrics*> metrics = inbox_->AddPeer(shared_from_this(), hello);
  if (!metrics.ok()) return Refuse(hello, metrics.status());
  bool ended = false;
  {
    const base::MutexLock lock(mutex_);
    ended = state_ == State::kEnded;
    if (!ended) {
      state_ = State::kOpen;
      peer_ = hello.node;
      metrics_ = *metrics;
      MessageWriter writer(
          {.seq = ++seq_, .hello = MakeHello(inbox_->world().own, hello.node, hello.lane)});
      writing_ = true;
      stream_.Write(writer.Finish());
      reading_ = false;
      Read();
    }
  }
  if (ended) inbox_->Remove(shared_from_this());  // it ended meanwhile, before it was listed
}

void Incoming::Refuse(const Hello& hello, const absl::Status& status) {
  inbox_->NoteRefusal(hello.node, status);
  inbox_->world().teller->Warn("a peer's greeting is refused", hello.node, from_, status.message());
  End(status);
}

void Incoming::Take(const Message& message, size_t bytes) {
  std::vector<base::Bytes> frames;
  const absl::Status added = assembler_.Add(message, &frames);
  if (!added.ok()) return End(added);
  raft::NodeId peer = raft::kNoNode;
  const size_t count = frames.size();
  {
    const base::MutexLock lock(mutex_);
    if (state_ != State::kOpen) return;
    peer = peer_;
    metrics_->received_bytes.Increment(static_cast<double>(bytes));
    metrics_->received_frames.Increment(static_cast<double>(count));
    if (message.envelope.sent_ns != 0) {
      echo_ns_ = message.envelope.sent_ns;
      Echo();
    }
    if (count > 0) {
      ++unhandled_messages_;
      unhandled_bytes_ += bytes;
    }
  }
  if (message.envelope.leaving) inbox_->NoteLeaving(peer);
  // Before the next is read: frames stay in order.
  if (count > 0) inbox_->Deliver(peer, std::move(frames), bytes, shared_from_this());
  const base::MutexLock lock(mutex_);
  reading_ = false;
  Read();
}

void Incoming::OnHandled(size_t bytes) {
  const base::MutexLock lock(mutex_);
  --unhandled_messages_;
  unhandled_bytes_ -= bytes;
  Read();
}

void Incoming::Echo() {
  if (writing_ || echo_ns_ == 0 || state_ != State::kOpen) return;
  const absl::Time now = inbox_->world().clock.Wall();
  MessageWriter writer({.seq = ++seq_,
                        .echo_ns = std::exchange(echo_ns_, 0),
                        .wall_ns = static_cast<uint64_t>(absl::ToUnixNanos(now))});
  writing_ = true;
  stream_.Write(writer.Finish());
}

void Incoming::OnWritten(bool ok) {
  const base::MutexLock lock(mutex_);
  writing_ = false;
  if (ok) Echo();
}

std::string Incoming::host() const { return from_.substr(0, from_.rfind(':')); }

void Incoming::Tick(absl::Duration now) {
  absl::Status status;
  {
    const base::MutexLock lock(mutex_);
    const absl::Duration silent = now - heard_at_;
    if (state_ == State::kGreeting && silent >= kGreetTimeout) {
      status = absl::DeadlineExceededError(
          absl::StrCat("greet: no greeting within ", absl::FormatDuration(kGreetTimeout)));
    } else if (state_ == State::kOpen && reading_ && silent >= kSilenceMax) {
      status = absl::DeadlineExceededError(
          absl::StrCat("take frames: silence for ", absl::FormatDuration(kSilenceMax)));
    }
  }
  if (!status.ok() && !SLIPWAY_MUTANT("transport-silence-is-fine")) End(status);
}

void Incoming::End(const absl::Status& status) {
  {
    const base::MutexLock lock(mutex_);
    if (state_ == State::kEnded) return;
    state_ = State::kEnded;
  }
  inbox_->Remove(shared_from_this());
  stream_.Finish(status);
}

}  // namespace slipway::eraft::link
