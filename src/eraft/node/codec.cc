#include "eraft/node/codec.h"

#include <algorithm>
#include <cstring>
#include <memory>
#include <utility>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "base/check.h"
#include "base/digest/crc32c.h"
#include "base/status.h"
#include "raft/raft.h"

namespace slipway::eraft {
namespace {

enum class FrameType : uint8_t { kMessage = 1, kOffer = 2, kPart = 3, kAnswer = 4 };

constexpr uint64_t kCrcOffset = 8;
constexpr uint64_t kEntryHeaderBytes = 20;

// Which fields of a message follow. A field that is zero is not written.
constexpr uint16_t kHasReject = 1 << 0;
constexpr uint16_t kHasForced = 1 << 1;
constexpr uint16_t kHasLogIndex = 1 << 2;
constexpr uint16_t kHasLogTerm = 1 << 3;
constexpr uint16_t kHasCommit = 1 << 4;
constexpr uint16_t kHasConflict = 1 << 5;  // its value may be zero
constexpr uint16_t kHasRound = 1 << 6;
constexpr uint16_t kHasContext = 1 << 7;
constexpr uint16_t kHasSnapshot = 1 << 8;
constexpr uint16_t kHasEntries = 1 << 9;
constexpr uint16_t kAllFields = (1 << 10) - 1;

absl::Status Bad(absl::string_view why) {
  return absl::DataLossError(absl::StrCat("frame of a node: ", why));
}

uint32_t FrameCrc(base::BytesView frame) {
  return base::Crc32c(frame.subspan(kFrameHeaderBytes), base::Crc32c(frame.subspan(0, kCrcOffset)));
}

// ---- Writing ----

class Writer {
 public:
  Writer(FrameType type, raft::GroupId group, uint64_t body_bytes) {
    out_.reserve(kFrameHeaderBytes + body_bytes);
    Put(kFrameVersion);
    Put(static_cast<uint8_t>(type));
    Put<uint16_t>(0);
    Put(group);
    Put<uint32_t>(0);  // CRC
  }
  template <class T>
  void Put(T value) {
    const size_t at = out_.size();
    out_.resize(at + sizeof(T));
    base::StoreLittle(&out_[at], value);
  }
  void PutBytes(base::BytesView bytes) { out_.insert(out_.end(), bytes.begin(), bytes.end()); }
  base::Bytes Finish() {
    SLIPWAY_CHECK(out_.size() <= kFrameBytesMax);
    base::StoreLittle(&out_[kCrcOffset], FrameCrc(out_));
    return std::move(out_);
  }

 private:
  base::Bytes out_;
};

uint16_t FieldsOf(const raft::Message& message) {
  const auto flag = [](bool there, uint16_t bit) { return there ? bit : uint16_t{0}; };
  return static_cast<uint16_t>(
      flag(message.reject, kHasReject) | flag(message.forced, kHasForced) |
      flag(message.log_index != 0, kHasLogIndex) | flag(message.log_term != 0, kHasLogTerm) |
      flag(message.commit != 0, kHasCommit) |
      flag(message.conflict_term.has_value(), kHasConflict) | flag(message.round != 0, kHasRound) |
      flag(message.context != 0, kHasContext) | flag(message.snapshot.index != 0, kHasSnapshot) |
      flag(!message.entries.empty(), kHasEntries));
}

void PutEntries(const std::vector<raft::Entry>& entries, Writer& out) {
  out.Put(static_cast<uint32_t>(entries.size()));
  out.Put(entries.front().index);
  for (const raft::Entry& entry : entries) {
    out.Put(entry.term);
    out.Put(static_cast<uint32_t>(entry.kind));
    out.Put(entry.payload_crc);
    out.Put(static_cast<uint32_t>(entry.payload.size()));
    out.PutBytes(entry.payload.view());
  }
}

void PutMessage(const raft::Message& message, Writer& out) {
  const uint16_t fields = FieldsOf(message);
  out.Put(static_cast<uint16_t>(message.kind));
  out.Put(fields);
  out.Put(message.from);
  out.Put(message.to);
  out.Put(message.term);
  if ((fields & kHasLogIndex) != 0) out.Put(message.log_index);
  if ((fields & kHasLogTerm) != 0) out.Put(message.log_term);
  if ((fields & kHasCommit) != 0) out.Put(message.commit);
  if ((fields & kHasConflict) != 0) out.Put(*message.conflict_term);
  if ((fields & kHasRound) != 0) out.Put(message.round);
  if ((fields & kHasContext) != 0) out.Put(message.context);
  if ((fields & kHasSnapshot) != 0) {
    const base::Bytes membership = raft::EncodeMembership(message.snapshot.membership);
    out.Put(message.snapshot.index);
    out.Put(message.snapshot.term);
    out.Put(static_cast<uint32_t>(membership.size()));
    out.PutBytes(membership);
  }
  if ((fields & kHasEntries) != 0) PutEntries(message.entries, out);
}

uint64_t RoughBytes(const raft::Message& message) {
  uint64_t bytes = 128;
  for (const raft::Entry& entry : message.entries)
    bytes += kEntryHeaderBytes + entry.payload.size();
  return bytes;
}

// ---- Reading ----

// Takes values off the front; after one that is not there `ok` is false and values are zero.
class Reader {
 public:
  explicit Reader(base::BytesView bytes) : bytes_(bytes) {}
  template <class T>
  T Take() {
    if (bytes_.size() < sizeof(T)) {
      ok_ = false;
      return 0;
    }
    const T value = base::LoadLittle<T>(bytes_.data());
    bytes_.remove_prefix(sizeof(T));
    return value;
  }
  // A field that is written only when it is not zero.
  uint64_t TakeNonzero(bool there) {
    if (!there) return 0;
    const uint64_t value = Take<uint64_t>();
    ok_ = ok_ && value != 0;
    return value;
  }
  base::BytesView TakeBytes(uint64_t size) {
    if (bytes_.size() < size) {
      ok_ = false;
      return {};
    }
    const base::BytesView taken = bytes_.subspan(0, size);
    bytes_.remove_prefix(size);
    return taken;
  }
  base::BytesView TakeRest() { return TakeBytes(bytes_.size()); }
  bool ok() const { return ok_; }
  size_t left() const { return bytes_.size(); }

 private:
  base::BytesView bytes_;
  bool ok_ = true;
};

using Owner = std::shared_ptr<const base::Bytes>;

absl::Status TakeEntries(Reader& in, const Owner& owner, std::vector<raft::Entry>& entries) {
  const uint32_t count = in.Take<uint32_t>();
  const raft::Index first = in.Take<uint64_t>();
  if (!in.ok() || count == 0 || count > in.left() / kEntryHeaderBytes) {
    return Bad("a number of entries that cannot be");
  }
  if (first == 0 || first + count < first) return Bad("indexes that no log has");
  entries.reserve(count);
  for (uint32_t i = 0; i < count; ++i) {
    raft::Entry entry;
    entry.index = first + i;
    entry.term = in.Take<uint64_t>();
    const uint32_t kind = in.Take<uint32_t>();
    entry.payload_crc = in.Take<uint32_t>();
    entry.payload = raft::Slice(owner, in.TakeBytes(in.Take<uint32_t>()));
    if (!in.ok()) return Bad("it ends within an entry");
    if (kind < 1 || kind > 3) return Bad("an entry of no known kind");
    entry.kind = static_cast<raft::EntryKind>(kind);
    if (base::Crc32c(entry.payload.view()) != entry.payload_crc) {
      return Bad(absl::StrCat("the payload of entry ", entry.index, " is not what was proposed"));
    }
    entries.push_back(std::move(entry));
  }
  return absl::OkStatus();
}

absl::Status TakeSnapshotMark(Reader& in, raft::SnapshotMark& mark) {
  mark.index = in.Take<uint64_t>();
  mark.term = in.Take<uint64_t>();
  const base::BytesView membership = in.TakeBytes(in.Take<uint32_t>());
  if (!in.ok() || mark.index == 0) return Bad("a snapshot of no index");
  SLIPWAY_ASSIGN_OR_RETURN(mark.membership, raft::DecodeMembership(membership));
  return absl::OkStatus();
}

absl::StatusOr<raft::Message> TakeMessage(Reader& in, const Owner& owner) {
  raft::Message message;
  const uint16_t kind = in.Take<uint16_t>();
  const uint16_t fields = in.Take<uint16_t>();
  if (kind < 1 || kind > static_cast<uint16_t>(raft::MessageKind::kTimeoutNow)) {
    return Bad("a message of no known kind");
  }
  if ((fields & ~kAllFields) != 0) return Bad("a message with fields that are not known");
  message.kind = static_cast<raft::MessageKind>(kind);
  message.from = in.Take<uint64_t>();
  message.to = in.Take<uint64_t>();
  message.term = in.Take<uint64_t>();
  message.reject = (fields & kHasReject) != 0;
  message.forced = (fields & kHasForced) != 0;
  message.log_index = in.TakeNonzero((fields & kHasLogIndex) != 0);
  message.log_term = in.TakeNonzero((fields & kHasLogTerm) != 0);
  message.commit = in.TakeNonzero((fields & kHasCommit) != 0);
  if ((fields & kHasConflict) != 0) message.conflict_term = in.Take<uint64_t>();
  message.round = in.TakeNonzero((fields & kHasRound) != 0);
  message.context = in.TakeNonzero((fields & kHasContext) != 0);
  if (!in.ok()) return Bad("a field is missing, or zero where it need not be there");
  if ((fields & kHasSnapshot) != 0) {
    SLIPWAY_RETURN_IF_ERROR(TakeSnapshotMark(in, message.snapshot));
  }
  if ((fields & kHasEntries) != 0) {
    SLIPWAY_RETURN_IF_ERROR(TakeEntries(in, owner, message.entries));
  }
  return message;
}

absl::StatusOr<SnapshotOffer> TakeOffer(Reader& in, const Owner& owner) {
  SnapshotOffer offer;
  offer.transfer = in.Take<uint64_t>();
  SLIPWAY_ASSIGN_OR_RETURN(offer.message, TakeMessage(in, owner));
  if (offer.message.kind != raft::MessageKind::kSnapshot || offer.message.snapshot.index == 0) {
    return Bad("an offer of no snapshot");
  }
  offer.manifest = std::string(base::AsText(in.TakeRest()));
  return offer;
}

absl::StatusOr<SnapshotAnswer> TakeAnswer(Reader& in) {
  SnapshotAnswer answer;
  answer.transfer = in.Take<uint64_t>();
  const uint32_t reply = in.Take<uint32_t>();
  if (reply < 1 || reply > static_cast<uint32_t>(SnapshotReply::kRefused)) {
    return Bad("an answer of no known kind");
  }
  answer.reply = static_cast<SnapshotReply>(reply);
  answer.next = in.Take<uint64_t>();
  if (answer.reply != SnapshotReply::kBegin && answer.reply != SnapshotReply::kTaken &&
      answer.next != 0) {
    return Bad("an answer with a place that it does not have");
  }
  return answer;
}

absl::StatusOr<FrameBody> TakeBody(uint8_t type, Reader& in, const Owner& owner) {
  switch (static_cast<FrameType>(type)) {
    case FrameType::kMessage: {
      SLIPWAY_ASSIGN_OR_RETURN(raft::Message message, TakeMessage(in, owner));
      // Its content comes by another road, and what has not come cannot be told.
      if (message.kind == raft::MessageKind::kSnapshot) return Bad("a snapshot without content");
      return FrameBody(std::move(message));
    }
    case FrameType::kOffer: {
      SLIPWAY_ASSIGN_OR_RETURN(SnapshotOffer offer, TakeOffer(in, owner));
      return FrameBody(std::move(offer));
    }
    case FrameType::kPart: {
      SnapshotPart part;
      part.transfer = in.Take<uint64_t>();
      part.number = in.Take<uint64_t>();
      part.chunk = raft::Slice(owner, in.TakeRest());
      return FrameBody(std::move(part));
    }
    case FrameType::kAnswer: {
      SLIPWAY_ASSIGN_OR_RETURN(const SnapshotAnswer answer, TakeAnswer(in));
      return FrameBody(answer);
    }
  }
  return Bad("of no known type");
}

}  // namespace

bool operator==(const SnapshotOffer& a, const SnapshotOffer& b) {
  return a.transfer == b.transfer && a.manifest == b.manifest && a.message.from == b.message.from &&
         a.message.to == b.message.to && a.message.term == b.message.term &&
         a.message.snapshot == b.message.snapshot;
}

base::Bytes EncodeFrame(raft::GroupId group, const raft::Message& message) {
  Writer out(FrameType::kMessage, group, RoughBytes(message));
  PutMessage(message, out);
  return out.Finish();
}

base::Bytes EncodeFrame(raft::GroupId group, const SnapshotOffer& offer) {
  Writer out(FrameType::kOffer, group, RoughBytes(offer.message) + offer.manifest.size());
  out.Put(offer.transfer);
  PutMessage(offer.message, out);
  out.PutBytes(base::AsBytes(offer.manifest));
  return out.Finish();
}

base::Bytes EncodeFrame(raft::GroupId group, const SnapshotPart& part) {
  Writer out(FrameType::kPart, group, 16 + part.chunk.size());
  out.Put(part.transfer);
  out.Put(part.number);
  out.PutBytes(part.chunk.view());
  return out.Finish();
}

base::Bytes EncodeFrame(raft::GroupId group, const SnapshotAnswer& answer) {
  Writer out(FrameType::kAnswer, group, 20);
  out.Put(answer.transfer);
  out.Put(static_cast<uint32_t>(answer.reply));
  out.Put(answer.next);
  return out.Finish();
}

absl::StatusOr<Frame> DecodeFrame(base::Bytes bytes) {
  if (bytes.size() < kFrameHeaderBytes || bytes.size() > kFrameBytesMax) {
    return Bad(absl::StrCat(bytes.size(), " bytes"));
  }
  const Owner owner = std::make_shared<const base::Bytes>(std::move(bytes));
  const base::BytesView whole(*owner);
  if (whole[0] != kFrameVersion) {
    return absl::FailedPreconditionError(absl::StrCat("frame of a node: version ", whole[0],
                                                      ", this program knows ", kFrameVersion));
  }
  if (base::LoadLittle<uint32_t>(whole.data() + kCrcOffset) != FrameCrc(whole)) {
    return Bad("its checksum does not match");
  }
  if (base::LoadLittle<uint16_t>(whole.data() + 2) != 0) return Bad("reserved bytes are not zero");
  Frame frame;
  frame.group = base::LoadLittle<uint32_t>(whole.data() + 4);
  Reader in(whole.subspan(kFrameHeaderBytes));
  SLIPWAY_ASSIGN_OR_RETURN(frame.body, TakeBody(whole[1], in, owner));
  if (!in.ok()) return Bad("it ends too early");
  if (in.left() > 0) return Bad(absl::StrCat(in.left(), " bytes too many"));
  return frame;
}

base::FrameClass ClassOf(const raft::Message& message) {
  return message.entries.empty() ? base::FrameClass::kControl : base::FrameClass::kBulk;
}

}  // namespace slipway::eraft
