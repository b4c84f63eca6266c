#include "eraft/node/snapshot_receiver.h"

#include <utility>
#include <vector>

#include "base/status.h"
#include "eraft/node/group.h"
#include "eraft/node/limits.h"
#include "raft/raft.h"

namespace slipway::eraft {

SnapshotReceiver::~SnapshotReceiver() {
  *alive_ = false;
  if (transfer_ != nullptr) --group_.context().receiving;
}

void SnapshotReceiver::Reply(raft::NodeId peer, uint64_t transfer, SnapshotReply reply,
                             uint64_t next) {
  const SnapshotAnswer answer = {.transfer = transfer, .reply = reply, .next = next};
  group_.context()
      .Send(peer, base::FrameClass::kControl, EncodeFrame(group_.id(), answer))
      .IgnoreError();
}

void SnapshotReceiver::NoteError(raft::Index index, const absl::Status& why) {
  error_ = std::string(why.message());
  error_at_ = index;
}

std::string SnapshotReceiver::error() const {
  return group_.raft().commit() < error_at_ ? error_ : "";
}

// Whether the offer needs no transfer.
bool SnapshotReceiver::AnswerAtOnce(raft::NodeId peer, const SnapshotOffer& offer) {
  const raft::Message& message = offer.message;
  raft::Raft& raft = group_.raft();
  if (message.from != peer || message.to != group_.node() || message.term < raft.term()) {
    Reply(peer, offer.transfer, SnapshotReply::kRefused);
    return true;
  }
  if (message.snapshot.index <= raft.commit() ||
      (group_.snapshot().has_value() && group_.snapshot()->index == message.snapshot.index &&
       group_.snapshot()->term == message.snapshot.term)) {
    // Here already: the Raft answers, again if need be.
    Reply(peer, offer.transfer, SnapshotReply::kDone);
    if (!raft.Step(message).ok()) group_.metrics().messages_refused.Increment();
    group_.SchedulePump();
    return true;
  }
  return false;
}

void SnapshotReceiver::OnOffer(raft::NodeId peer, SnapshotOffer offer) {
  if (AnswerAtOnce(peer, offer)) return;
  if (transfer_ != nullptr && transfer_->offer.transfer == offer.transfer &&
      transfer_->peer == peer) {
    transfer_->heard = group_.context().now();
    if (transfer_->writer == nullptr) return;  // the answer is on its way
    return transfer_->next == 0
               ? Reply(peer, offer.transfer, SnapshotReply::kBegin, transfer_->first_file)
               : Reply(peer, offer.transfer, SnapshotReply::kTaken, transfer_->next);
  }
  if (group_.installing() || (transfer_ != nullptr && transfer_->busy)) {
    return Reply(peer, offer.transfer, SnapshotReply::kBusy);
  }
  if (transfer_ != nullptr) Drop(/*failed=*/false);  // of an earlier attempt or another leader
  NodeContext& context = group_.context();
  if (context.receiving >= context.options.snapshot_transfers_max) {
    return Reply(peer, offer.transfer, SnapshotReply::kBusy);
  }
  ++context.receiving;
  transfer_ = std::make_unique<Transfer>();
  transfer_->peer = peer;
  transfer_->offer = std::move(offer);
  transfer_->heard = context.now();
  Open();
}

void SnapshotReceiver::Open() {
  transfer_->busy = true;
  auto opened = std::make_shared<absl::StatusOr<Opened>>();
  group_.context().jobs->Run(
      [dir = &group_.dir(), kind = group_.engine_kind(), group = group_.id(),
       mark = transfer_->offer.message.snapshot, manifest = transfer_->offer.manifest, opened] {
        *opened = [&]() -> absl::StatusOr<Opened> {
          SLIPWAY_ASSIGN_OR_RETURN(const Manifest listed, DecodeManifest(manifest));
          const base::Bytes members = raft::EncodeMembership(mark.membership);
          if (listed.group != group || listed.index != mark.index || listed.term != mark.term ||
              listed.membership != base::AsText(members)) {
            return absl::DataLossError("offer of a snapshot: its MANIFEST is of another one");
          }
          Opened result;
          SLIPWAY_ASSIGN_OR_RETURN(result.writer, SnapshotWriter::Begin(*dir, kind, manifest));
          if (result.writer->next_file() == listed.files.size()) {
            SLIPWAY_ASSIGN_OR_RETURN(result.manifest, result.writer->Finish());
            result.whole = true;
          }
          return result;
        }();
      },
      [this, alive = alive_, opened] {
        if (*alive) OnOpened(std::move(*opened));
      });
}

void SnapshotReceiver::OnOpened(absl::StatusOr<Opened> opened) {
  transfer_->busy = false;
  const raft::NodeId peer = transfer_->peer;
  const uint64_t transfer = transfer_->offer.transfer;
  if (!opened.ok()) {
    NoteError(transfer_->offer.message.snapshot.index, opened.status());
    const bool later = absl::IsResourceExhausted(opened.status());
    Reply(peer, transfer, later ? SnapshotReply::kBusy : SnapshotReply::kRefused);
    return Drop(/*failed=*/true);
  }
  if (opened->whole) return Finish(opened->manifest);
  transfer_->writer = std::move(opened->writer);
  transfer_->first_file = transfer_->writer->next_file();
  Reply(peer, transfer, SnapshotReply::kBegin, transfer_->first_file);
}

void SnapshotReceiver::OnPart(raft::NodeId peer, const SnapshotPart& part) {
  if (transfer_ == nullptr || transfer_->peer != peer ||
      transfer_->offer.transfer != part.transfer || transfer_->writer == nullptr) {
    return Reply(peer, part.transfer, SnapshotReply::kRestart);
  }
  transfer_->heard = group_.context().now();
  if (part.number < transfer_->next) {  // the answer was lost
    return Reply(peer, part.transfer, SnapshotReply::kTaken, transfer_->next);
  }
  if (part.number - transfer_->next >= kSnapshotEarlyMax) return;
  transfer_->early.emplace(part.number, part.chunk);
  Take();
}

// Writes what has come in a row.
void SnapshotReceiver::Take() {
  if (transfer_->busy) return;
  std::vector<raft::Slice> chunks;
  for (auto at = transfer_->early.find(transfer_->next);
       at != transfer_->early.end() && at->first == transfer_->next + chunks.size();) {
    chunks.push_back(std::move(at->second));
    at = transfer_->early.erase(at);
  }
  if (chunks.empty()) return;
  transfer_->busy = true;
  const uint64_t count = chunks.size();
  auto added = std::make_shared<Added>();
  group_.context().jobs->Run(
      [writer = transfer_->writer, chunks = std::move(chunks), added] {
        for (const raft::Slice& chunk : chunks) {
          added->status = writer->Add(chunk.view());
          if (!added->status.ok()) return;
        }
        auto manifest = writer->Finish();
        added->whole = manifest.ok();
        if (manifest.ok()) {
          added->manifest = *std::move(manifest);
        } else if (!absl::IsFailedPrecondition(manifest.status())) {  // that: files are missing yet
          added->status = manifest.status();
        }
      },
      [this, alive = alive_, count, added] {
        if (*alive) OnAdded(count, *added);
      });
}

void SnapshotReceiver::OnAdded(uint64_t count, const Added& added) {
  transfer_->busy = false;
  if (!added.status.ok()) {
    // Without room it is of no use to begin again at once.
    const bool later = absl::IsResourceExhausted(added.status);
    Reply(transfer_->peer, transfer_->offer.transfer,
          later ? SnapshotReply::kBusy : SnapshotReply::kRestart);
    return Drop(/*failed=*/true);
  }
  transfer_->next += count;
  if (added.whole) return Finish(added.manifest);
  Reply(transfer_->peer, transfer_->offer.transfer, SnapshotReply::kTaken, transfer_->next);
  Take();
}

void SnapshotReceiver::Finish(const Manifest& manifest) {
  Reply(transfer_->peer, transfer_->offer.transfer, SnapshotReply::kDone);
  const SnapshotName name = {manifest.group, manifest.term, manifest.index};
  raft::Message message = std::move(transfer_->offer.message);
  Drop(/*failed=*/false);
  group_.OnReceived(name, std::move(message));
}

void SnapshotReceiver::Drop(bool failed) {
  if (failed) group_.metrics().snapshots_receive_failed.Increment();
  transfer_.reset();
  --group_.context().receiving;
}

void SnapshotReceiver::Tick() {
  if (transfer_ == nullptr || transfer_->busy) return;
  const absl::Duration silence = group_.context().now() - transfer_->heard;
  if (silence > group_.context().election_timeout() * kSnapshotGiveUpTimeouts) {
    Drop(/*failed=*/true);
  }
}

}  // namespace slipway::eraft
