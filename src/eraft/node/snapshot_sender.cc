#include "eraft/node/snapshot_sender.h"

#include <algorithm>
#include <utility>

#include "base/mutant.h"
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
  // While the rate is waited for, the peer has nothing to say.
  if (waits_) heard_ = group_.context().now();
  if (Silence() > timeout * kSnapshotGiveUpTimeouts) return Finish(/*ok=*/false);
  if (group_.context().now() - sent_ > timeout * kSnapshotResendTimeouts) Resend();
  if (state_ == State::kSending) Fill();
}

void SnapshotSender::Start() {
  NodeContext& context = group_.context();
  if (context.sending >= context.options.snapshot_transfers_max) return;
  if (!group_.snapshot().has_value() || context.now() < again_) return;
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

// A new name each time that it begins again, so that late answers are told apart.
void SnapshotSender::Rename() {
  offer_.transfer = group_.context().world.random.Next();
  state_ = State::kOffered;
  parts_.clear();
  first_ = 0;
  at_end_ = false;
  read_parts_ = 1;
}

void SnapshotSender::Offer() {
  Rename();
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
      return Wait();
    case SnapshotReply::kRestart:
      suspect_ = ++attempts_ > kSnapshotAttemptsMax;
      if (suspect_) return Finish(/*ok=*/false);
      return Offer();
    case SnapshotReply::kRefused:
      return Finish(/*ok=*/false);
  }
}

// Offered again after a while, by another name; of what it took of this one it keeps what is whole.
// A peer without room may wait for days: whoever else needs a snapshot has its turn meanwhile.
void SnapshotSender::Wait() {
  NodeContext& context = group_.context();
  Rename();
  if (SLIPWAY_MUTANT("node-busy-peer-keeps-turn")) {
    heard_ = sent_ = context.now();
    return;
  }
  --context.sending;
  state_ = State::kQueued;
  name_.reset();  // there may be a newer one then
  again_ = context.now() + context.election_timeout();
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

// Reads what comes next while the window has room. The first part alone, so that the peer has it to
// write while more is read.
void SnapshotSender::Fill() {
  NodeContext& context = group_.context();
  if (reading_ || at_end_ || parts_.size() >= kSnapshotWindow) return;
  const absl::Duration wait = not_before_ - context.now();
  if (wait > absl::ZeroDuration()) return FillAfter(wait);
  const uint64_t count = std::min<uint64_t>(read_parts_, kSnapshotWindow - parts_.size());
  read_parts_ = std::min(2 * read_parts_, kSnapshotReadParts);
  reading_ = true;
  auto read = std::make_shared<Read>();
  context.jobs->Run(
      [reader = reader_, seek = std::exchange(seek_, {}), group = group_.id(), count,
       part = SnapshotPart{.transfer = offer_.transfer, .number = first_ + parts_.size()},
       read]() mutable {
        if (seek.has_value()) read->status = reader->Seek(static_cast<uint32_t>(*seek));
        for (; read->status.ok() && !read->at_end && read->chunks.size() < count; ++part.number) {
          auto chunk = reader->Next();
          read->status = chunk.status();
          read->at_end = chunk.ok() && !chunk->has_value();
          if (!chunk.ok() || read->at_end) return;
          part.chunk = raft::Slice(**std::move(chunk));
          read->frames.push_back(EncodeFrame(group, part));
          read->chunks.push_back(part.chunk);
        }
      },
      [this, alive = alive_, transfer = offer_.transfer, read] {
        if (*alive) OnRead(transfer, std::move(*read));
      });
}

void SnapshotSender::FillAfter(absl::Duration wait) {
  if (std::exchange(waits_, true)) return;
  group_.context().world.loop.After(wait, [this, alive = alive_] {
    if (!*alive) return;
    waits_ = false;
    heard_ = group_.context().now();
    if (state_ == State::kSending) Fill();
  });
}

void SnapshotSender::OnRead(uint64_t transfer, Read read) {
  reading_ = false;
  if (state_ == State::kDone) return;
  if (transfer != offer_.transfer) {  // begun again meanwhile
    if (state_ == State::kSending) Fill();
    return;
  }
  suspect_ = !read.status.ok();
  if (suspect_) return Finish(/*ok=*/false);
  NodeContext& context = group_.context();
  double bytes = 0;
  for (size_t i = 0; i < read.chunks.size(); ++i) {
    bytes += static_cast<double>(read.chunks[i].size());
    parts_.push_back(std::move(read.chunks[i]));
    // A full queue is a lost frame: silence brings it again.
    context.Send(peer_, base::FrameClass::kSnapshot, std::move(read.frames[i])).IgnoreError();
  }
  at_end_ = read.at_end;
  if (bytes > 0) sent_ = context.now();
  not_before_ = context.now() + context.transfer_rate.Take(bytes, context.now());
  group_.metrics().snapshot_bytes.Increment(bytes);
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
