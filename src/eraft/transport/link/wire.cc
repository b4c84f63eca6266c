#include "eraft/transport/link/wire.h"

#include <algorithm>
#include <utility>

#include "absl/status/status.h"
#include "base/check.h"
#include "eraft/transport/link/limits.h"

namespace slipway::eraft::link {
namespace {

// Wire types of protobuf's encoding.
constexpr uint32_t kVarint = 0;
constexpr uint32_t kFixed64 = 1;
constexpr uint32_t kLength = 2;
constexpr uint32_t kFixed32 = 5;

// Fields of transport.proto.
namespace frame {
constexpr uint32_t kSeq = 1, kSent = 4, kHello = 5, kEcho = 6, kWall = 7, kPart = 16;
}  // namespace frame
namespace part {
constexpr uint32_t kData = 1, kMore = 2, kUrgent = 3;
}  // namespace part
namespace hello {
constexpr uint32_t kCluster = 1, kNode = 2, kIncarnation = 3, kFeature = 4, kAddress = 5, kPeer = 6,
                   kLane = 7;
}  // namespace hello

// ---- Reading ----

// A position in the pieces of a message. Calls return false at the end of what there is.
class Cursor {
 public:
  explicit Cursor(Slices slices) : slices_(slices) {
    for (const base::BytesView& slice : slices) left_ += slice.size();
  }

  size_t left() const { return left_; }

  bool Varint(uint64_t* out) {
    uint64_t value = 0;
    for (int shift = 0; shift < 70; shift += 7) {
      if (left_ == 0) return false;
      SkipEmpty();
      const uint8_t byte = slices_[index_][offset_++];
      --left_;
      value |= static_cast<uint64_t>(byte & 0x7f) << shift;
      if (byte < 0x80) return *out = value, shift < 63 || byte <= 1;
    }
    return false;
  }

  // Calls take(piece) for the next `count` bytes.
  template <class Take>
  bool Pieces(uint64_t count, Take take) {
    if (count > left_) return false;
    left_ -= static_cast<size_t>(count);
    while (count > 0) {
      SkipEmpty();
      const base::BytesView rest = slices_[index_].subspan(offset_);
      const size_t size = static_cast<size_t>(std::min<uint64_t>(count, rest.size()));
      take(rest.subspan(0, size));
      offset_ += size;
      count -= size;
    }
    return true;
  }

  bool Skip(uint64_t count) {
    return Pieces(count, [](base::BytesView) {});
  }

  // A length and as many bytes as text of at most `bytes_max`.
  bool Text(size_t bytes_max, std::string* out) {
    uint64_t length = 0;
    if (!Varint(&length) || length > bytes_max) return false;
    out->clear();
    return Pieces(length, [out](base::BytesView piece) {
      const absl::string_view text = base::AsText(piece);
      out->append(text.data(), text.size());
    });
  }

 private:
  void SkipEmpty() {
    while (offset_ == slices_[index_].size()) {
      ++index_;
      offset_ = 0;
    }
  }

  Slices slices_;
  size_t index_ = 0;
  size_t offset_ = 0;
  size_t left_ = 0;
};

// Calls known(field, type) for each field until `end` bytes are left; nullopt: it does not know the
// field, which is passed over.
template <class Known>
bool ReadFields(Cursor& in, size_t end, Known known) {
  while (in.left() > end) {
    uint64_t tag = 0;
    if (!in.Varint(&tag) || tag >> 3 == 0 || tag >> 32 != 0) return false;
    const uint32_t type = tag & 7;
    std::optional<bool> taken = known(static_cast<uint32_t>(tag >> 3), type);
    uint64_t value = 0;
    if (!taken.has_value()) {
      taken = (type == kVarint && in.Varint(&value)) || (type == kFixed64 && in.Skip(8)) ||
              (type == kFixed32 && in.Skip(4)) ||
              (type == kLength && in.Varint(&value) && in.Skip(value));
    }
    if (!*taken || in.left() < end) return false;
  }
  return true;
}

// The length of a submessage within one that ends when `outer_end` bytes are left.
bool Enter(Cursor& in, size_t outer_end, size_t* end) {
  uint64_t length = 0;
  if (!in.Varint(&length) || length > in.left()) return false;
  *end = in.left() - static_cast<size_t>(length);
  return *end >= outer_end;
}

bool ReadBool(Cursor& in, bool* out) {
  uint64_t value = 0;
  return in.Varint(&value) && (*out = value != 0, value <= 1);
}

bool ReadHello(Cursor& in, size_t end, Hello* out) {
  std::string cluster;
  uint64_t feature_level = 0;
  uint64_t lane = 0;
  const bool ok = ReadFields(in, end, [&](uint32_t field, uint32_t type) -> std::optional<bool> {
    if (type == kLength && field == hello::kCluster) return in.Text(out->cluster.size(), &cluster);
    if (type == kLength && field == hello::kAddress) {
      return in.Text(kAddressBytesMax, &out->address);
    }
    if (type != kVarint) return std::nullopt;
    switch (field) {
      case hello::kNode:
        return in.Varint(&out->node);
      case hello::kIncarnation:
        return in.Varint(&out->incarnation);
      case hello::kFeature:
        return in.Varint(&feature_level) && feature_level <= UINT32_MAX;
      case hello::kPeer:
        return in.Varint(&out->peer);
      case hello::kLane:
        return in.Varint(&lane) && lane < kLanes;
      default:
        return std::nullopt;
    }
  });
  if (!ok || cluster.size() != out->cluster.size()) return false;
  std::copy(cluster.begin(), cluster.end(), out->cluster.begin());
  out->feature_level = static_cast<uint32_t>(feature_level);
  out->lane = static_cast<Lane>(lane);
  return true;
}

bool ReadPart(Cursor& in, size_t end, Message* message) {
  PartView view;
  view.first = message->pieces.size();
  bool has_data = false;
  const bool ok = ReadFields(in, end, [&](uint32_t field, uint32_t type) -> std::optional<bool> {
    if (field == part::kMore && type == kVarint) return ReadBool(in, &view.more);
    if (field == part::kUrgent && type == kVarint) return ReadBool(in, &view.urgent);
    if (field != part::kData || type != kLength) return std::nullopt;
    uint64_t length = 0;
    if (has_data || !in.Varint(&length)) return false;
    has_data = true;
    view.bytes = static_cast<size_t>(length);
    return in.Pieces(length, [&](base::BytesView piece) { message->pieces.push_back(piece); });
  });
  view.count = message->pieces.size() - view.first;
  message->parts.push_back(view);
  return ok;
}

std::optional<bool> ReadFrameField(Cursor& in, uint32_t field, uint32_t type, Message* message) {
  Envelope& envelope = message->envelope;
  size_t end = 0;
  if (type == kVarint && field == frame::kSeq) return in.Varint(&envelope.seq);
  if (type == kVarint && field == frame::kSent) return in.Varint(&envelope.sent_ns);
  if (type == kVarint && field == frame::kEcho) return in.Varint(&envelope.echo_ns);
  if (type == kVarint && field == frame::kWall) return in.Varint(&envelope.wall_ns);
  if (type == kLength && field == frame::kHello) {
    if (envelope.hello.has_value()) return false;
    return Enter(in, 0, &end) && ReadHello(in, end, &envelope.hello.emplace());
  }
  if (type == kLength && field == frame::kPart) {
    if (message->parts.size() == kPartsMax) return false;
    return Enter(in, 0, &end) && ReadPart(in, end, message);
  }
  return std::nullopt;
}

// ---- Writing ----

void PutVarint(base::Bytes& out, uint64_t value) {
  for (; value >= 0x80; value >>= 7) out.push_back(static_cast<uint8_t>(value | 0x80));
  out.push_back(static_cast<uint8_t>(value));
}

void PutNumber(base::Bytes& out, uint32_t field, uint64_t value) {
  if (value == 0) return;  // the default is not sent
  PutVarint(out, field << 3 | kVarint);
  PutVarint(out, value);
}

void PutBytes(base::Bytes& out, uint32_t field, base::BytesView bytes) {
  if (bytes.empty()) return;
  PutVarint(out, field << 3 | kLength);
  PutVarint(out, bytes.size());
  out.insert(out.end(), bytes.begin(), bytes.end());
}

base::Bytes HelloBytes(const Hello& hello) {
  base::Bytes out;
  PutBytes(out, hello::kCluster, hello.cluster);
  PutNumber(out, hello::kNode, hello.node);
  PutNumber(out, hello::kIncarnation, hello.incarnation);
  PutNumber(out, hello::kFeature, hello.feature_level);
  PutBytes(out, hello::kAddress, base::AsBytes(hello.address));
  PutNumber(out, hello::kPeer, hello.peer);
  PutNumber(out, hello::kLane, static_cast<uint64_t>(hello.lane));
  return out;
}

size_t VarintBytes(uint64_t value) {
  size_t count = 1;
  for (; value >= 0x80; value >>= 7) ++count;
  return count;
}

}  // namespace

const char* LaneName(Lane lane) { return lane == Lane::kMessages ? "messages" : "snapshots"; }

absl::StatusOr<Message> ParseMessage(Slices slices) {
  Cursor in(slices);
  Message message;
  const bool ok = ReadFields(in, 0, [&](uint32_t field, uint32_t type) -> std::optional<bool> {
    return ReadFrameField(in, field, type, &message);
  });
  if (!ok) return absl::InvalidArgumentError("read message: it is none of a node's");
  return message;
}

MessageWriter::MessageWriter(const Envelope& envelope) {
  PutNumber(run_, frame::kSeq, envelope.seq);
  PutNumber(run_, frame::kSent, envelope.sent_ns);
  PutNumber(run_, frame::kEcho, envelope.echo_ns);
  PutNumber(run_, frame::kWall, envelope.wall_ns);
  if (envelope.hello.has_value()) PutBytes(run_, frame::kHello, HelloBytes(*envelope.hello));
}

void MessageWriter::AddPart(const std::shared_ptr<const base::Bytes>& frame, size_t offset,
                            size_t count, bool more, bool urgent) {
  SLIPWAY_CHECK(offset <= frame->size());
  SLIPWAY_CHECK(count <= frame->size() - offset);
  const size_t flags = (more ? 2 : 0) + (urgent ? 2 : 0);
  const size_t head = count == 0 ? 0 : 1 + VarintBytes(count);
  PutVarint(run_, frame::kPart << 3 | kLength);
  PutVarint(run_, flags + head + count);
  PutNumber(run_, part::kMore, more ? 1 : 0);
  PutNumber(run_, part::kUrgent, urgent ? 1 : 0);
  if (count == 0) return;
  const base::BytesView data = base::BytesView(*frame).subspan(offset, count);
  if (count <= kCopyBytesMax) return PutBytes(run_, part::kData, data);
  PutVarint(run_, part::kData << 3 | kLength);
  PutVarint(run_, count);
  EndRun();
  message_.pieces.push_back({frame, data});
  message_.bytes += count;
}

void MessageWriter::EndRun() {
  if (run_.empty()) return;
  auto owner = std::make_shared<const base::Bytes>(std::move(run_));
  run_ = base::Bytes();
  message_.bytes += owner->size();
  const base::BytesView view(*owner);
  message_.pieces.push_back({std::move(owner), view});
}

OutMessage MessageWriter::Finish() {
  EndRun();
  return std::move(message_);
}

}  // namespace slipway::eraft::link
