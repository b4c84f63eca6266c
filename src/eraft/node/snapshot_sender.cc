#include "eraft/node/snapshot_sender.h"

#include <algorithm>
#include <utility>

#include "base/status.h"
#include "eraft/node/group.h"
#include "eraft/node/limits.h"
#include "eraft/store/limits.h"
#include "raft/raft.h"

namespace slipway::eraft {

SnapshotSender::~SnapshotSender() {
  *alive_ = false;
  if (state_ != State::kQueued && state_ != State::kDone) --group_.context().sending;
}

absl::Duration SnapshotSender::Silence() const { return group_.context().now() - heard_; }

// Not when the log suffices again, or another leads: its term is not this node's to speak in
// (E161).
bool SnapshotSender::Wanted() const {
  const raft::Status raft = group_.raft().GetStatus();
  const auto progress =
      std::find_if(raft.peers.begin(), raft.peers.end(),
                   [this](const raft::PeerProgress& peer) { return peer.id == peer_; });
  return raft.role == raft::Role::kLeader && progress != raft.peers.end() &&
         progress->state == raft::PeerProgress::State::kSnapshot;
}

void SnapshotSender::Tick() {
  const absl::Duration timeout = group_.context().election_timeout();
  if (state_ == State::kOpening || state_ == State::kDone) return;
  if (!Wanted()) return Finish(/*ok=*/false);
  if (state_ == State::kQueued) return Start();
  if (Silence() > timeout * kSnapshotGiveUpTimeouts) return Finish(/*ok=*/false);
  if (group_.context().now() - sent_ > timeout * kSnapshotResendTimeouts) Resend();
  if (state_ == State::kSending) Fill();
}

void SnapshotSender::Start() {
  NodeContext& context = group_.context();
  if (context.sending >= context.options.snapshot_transfers_max) return;
  if (!group_.snapshot().has_value()) return;
  name_ = group_.snapshot();
  state_ = State::kOpening;
  ++context.sending;
  auto opened = std::make_shared<absl::StatusOr<Opened>>();
  context.jobs->Run(
      [dir = &group_.dir(), name = *name_, opened] {
        *opened = [&]() -> absl::StatusOr<Opened> {
          SLIPWAY_ASSIGN_OR_RETURN(auto reader, SnapshotReader::Open(*dir, name));
          SLIPWAY_ASSIGN_OR_RETURN(Manifest manifest, DecodeManifest(reader->manifest_bytes()));
          return Opened{.reader = std::move(reader), .manifest = std::move(manifest)};
        }();
      },
      [this, alive = alive_, opened] {
        if (*alive) OnOpened(std::move(*opened));
      });
}

void SnapshotSender::OnOpened(absl::StatusOr<Opened> opened) {
  suspect_ = !opened.ok();
  if (suspect_ || !Wanted()) return Finish(/*ok=*/false);
  auto membership = raft::DecodeMembership(base::AsBytes(opened->manifest.membership));
  if (!membership.ok()) return Finish(/*ok=*/false);
  reader_ = std::move(opened->reader);
  offer_.manifest = reader_->manifest_bytes();
  raft::Message& message = offer_.message;
  message.kind = raft::MessageKind::kSnapshot;
  message.from = group_.node();
  message.to = peer_;
  message.term = group_.raft().term();
  message.snapshot = {.index = opened->manifest.index,
                      .term = opened->manifest.term,
                      .membership = *std::move(membership)};
  heard_ = group_.context().now();
  Offer();
}

// Under a new name each time that it begins again, so that late answers are told apart.
void SnapshotSender::Offer() {
  offer_.transfer = group_.context().world.random.Next();
  state_ = State::kOffered;
  parts_.clear();
  first_ = 0;
  at_end_ = false;
  Resend();
}

void SnapshotSender::Resend() {
  NodeContext& context = group_.context();
  sent_ = context.now();
  if (state_ == State::kOffered || parts_.empty()) {
    // Of what is all sent and taken, the last answer was lost: the offer asks for it.
    context.Send(peer_, base::FrameClass::kSnapshot, EncodeFrame(group_.id(), offer_))
        .IgnoreError();
    return;
  }
  for (size_t i = 0; i < parts_.size(); ++i) SendPart(i);
}

void SnapshotSender::SendPart(size_t at) {
  const SnapshotPart part = {
      .transfer = offer_.transfer, .number = first_ + at, .chunk = parts_[at]};
  sent_ = group_.context().now();
  // A full queue is a lost frame: silence brings it again.
  group_.context()
      .Send(peer_, base::FrameClass::kSnapshot, EncodeFrame(group_.id(), part))
      .IgnoreError();
}

void SnapshotSender::OnAnswer(const SnapshotAnswer& answer) {
  if (state_ == State::kOpening || state_ == State::kQueued || state_ == State::kDone ||
      answer.transfer != offer_.transfer) {
    return;
  }
  switch (answer.reply) {
    case SnapshotReply::kBegin:
      return Begin(answer.next);
    case SnapshotReply::kTaken:
      return OnTaken(answer.next);
    case SnapshotReply::kDone:
      return Finish(/*ok=*/true);
    case SnapshotReply::kBusy:
      heard_ = group_.context().now();  // offered again after a while
      return;
    case SnapshotReply::kRestart:
      suspect_ = ++attempts_ > kSnapshotAttemptsMax;
      if (suspect_) return Finish(/*ok=*/false);
      return Offer();
    case SnapshotReply::kRefused:
      return Finish(/*ok=*/false);
  }
}

void SnapshotSender::Begin(uint64_t file) {
  heard_ = group_.context().now();
  if (state_ != State::kOffered) return;  // said twice
  state_ = State::kSending;
  seek_ = static_cast<uint32_t>(std::min<uint64_t>(file, kSnapshotFilesMax + 1));
  Fill();
}

void SnapshotSender::OnTaken(uint64_t next) {
  if (state_ != State::kSending || next <= first_ || next > first_ + parts_.size()) return;
  parts_.erase(parts_.begin(), parts_.begin() + static_cast<ptrdiff_t>(next - first_));
  first_ = next;
  heard_ = group_.context().now();
  Fill();
}

// Reads the next part while the window has room.
void SnapshotSender::Fill() {
  NodeContext& context = group_.context();
  if (reading_ || at_end_ || parts_.size() >= kSnapshotWindow) return;
  if (context.now() < not_before_) return;  // at a later tick or answer
  reading_ = true;
  auto chunk = std::make_shared<absl::StatusOr<std::optional<base::Bytes>>>();
  context.jobs->Run(
      [reader = reader_, seek = std::exchange(seek_, {}), chunk] {
        const absl::Status found =
            seek.has_value() ? reader->Seek(static_cast<uint32_t>(*seek)) : absl::OkStatus();
        if (found.ok()) {
          *chunk = reader->Next();
        } else {
          *chunk = found;
        }
      },
      [this, alive = alive_, transfer = offer_.transfer, chunk] {
        if (*alive) OnRead(transfer, std::move(*chunk));
      });
}

void SnapshotSender::OnRead(uint64_t transfer, absl::StatusOr<std::optional<base::Bytes>> chunk) {
  reading_ = false;
  if (state_ == State::kDone) return;
  if (transfer != offer_.transfer) {  // begun again meanwhile
    if (state_ == State::kSending) Fill();
    return;
  }
  suspect_ = !chunk.ok();
  if (suspect_) return Finish(/*ok=*/false);
  if (!chunk->has_value()) {
    at_end_ = true;
    return;
  }
  NodeContext& context = group_.context();
  const auto bytes = static_cast<double>((*chunk)->size());
  const absl::Duration now = context.now();
  not_before_ = now + context.transfer_rate.Take(bytes, now);
  group_.metrics().snapshot_bytes.Increment(bytes);
  parts_.push_back(raft::Slice(**std::move(chunk)));
  SendPart(parts_.size() - 1);
  Fill();
}

void SnapshotSender::Finish(bool ok) {
  if (state_ == State::kDone) return;
  if (state_ != State::kQueued) --group_.context().sending;
  state_ = State::kDone;
  const raft::Index index = name_.has_value() ? name_->index : 0;
  group_.OnSenderDone(peer_, index, ok);
}

}  // namespace slipway::eraft
