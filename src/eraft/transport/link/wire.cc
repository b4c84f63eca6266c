#include "eraft/transport/link/wire.h"

#include <algorithm>
#include <utility>

#include "absl/status/status.h"
#include "base/check.h"
#include "base/protobuf_reader.h"
#include "eraft/transport/link/limits.h"

namespace slipway::eraft::link {
namespace {

using base::ProtobufReader;
using Type = base::ProtobufType;

// As they are written.
constexpr uint32_t kVarint = static_cast<uint32_t>(Type::kVarint);
constexpr uint32_t kLength = static_cast<uint32_t>(Type::kBytes);

// Fields of transport.proto.
namespace frame {
constexpr uint32_t kSeq = 1, kSent = 4, kHello = 5, kEcho = 6, kWall = 7, kLeaving = 8, kPart = 16;
}  // namespace frame
namespace part {
constexpr uint32_t kData = 1, kMore = 2, kUrgent = 3;
}  // namespace part
namespace hello {
constexpr uint32_t kCluster = 1, kNode = 2, kIncarnation = 3, kFeature = 4, kAddress = 5, kPeer = 6,
                   kLane = 7, kPeerIncarnation = 8;
}  // namespace hello

// ---- Reading ----

bool ReadHello(ProtobufReader& in, size_t end, Hello* out) {
  std::string cluster;
  uint64_t feature_level = 0;
  uint64_t lane = 0;
  const bool ok = in.Fields(end, [&](uint32_t field, Type type) -> std::optional<bool> {
    if (type == Type::kBytes && field == hello::kCluster)
      return in.Text(out->cluster.size(), &cluster);
    if (type == Type::kBytes && field == hello::kAddress) {
      return in.Text(kAddressBytesMax, &out->address);
    }
    if (type != Type::kVarint) return std::nullopt;
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
      case hello::kPeerIncarnation:
        return in.Varint(&out->peer_incarnation);
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

bool ReadPart(ProtobufReader& in, size_t end, Message* message) {
  PartView view;
  view.first = message->pieces.size();
  bool has_data = false;
  const bool ok = in.Fields(end, [&](uint32_t field, Type type) -> std::optional<bool> {
    if (field == part::kMore && type == Type::kVarint) return in.Bool(&view.more);
    if (field == part::kUrgent && type == Type::kVarint) return in.Bool(&view.urgent);
    if (field != part::kData || type != Type::kBytes) return std::nullopt;
    uint64_t length = 0;
    if (has_data || !in.Length(&length)) return false;
    has_data = true;
    view.bytes = static_cast<size_t>(length);
    return in.Pieces(length, [&](base::BytesView piece) { message->pieces.push_back(piece); });
  });
  view.count = message->pieces.size() - view.first;
  message->parts.push_back(view);
  return ok;
}

std::optional<bool> ReadFrameField(ProtobufReader& in, uint32_t field, Type type,
                                   Message* message) {
  Envelope& envelope = message->envelope;
  size_t end = 0;
  if (type == Type::kVarint && field == frame::kSeq) return in.Varint(&envelope.seq);
  if (type == Type::kVarint && field == frame::kSent) return in.Varint(&envelope.sent_ns);
  if (type == Type::kVarint && field == frame::kEcho) return in.Varint(&envelope.echo_ns);
  if (type == Type::kVarint && field == frame::kWall) return in.Varint(&envelope.wall_ns);
  if (type == Type::kVarint && field == frame::kLeaving) return in.Bool(&envelope.leaving);
  if (type == Type::kBytes && field == frame::kHello) {
    if (envelope.hello.has_value()) return false;
    return in.Enter(0, &end) && ReadHello(in, end, &envelope.hello.emplace());
  }
  if (type == Type::kBytes && field == frame::kPart) {
    if (message->parts.size() == kPartsMax) return false;
    return in.Enter(0, &end) && ReadPart(in, end, message);
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
  PutNumber(out, hello::kPeerIncarnation, hello.peer_incarnation);
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
  ProtobufReader in(slices, ProtobufReader::Rules::kStrict);
  Message message;
  const bool ok = in.Fields(0, [&](uint32_t field, Type type) -> std::optional<bool> {
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
  PutNumber(run_, frame::kLeaving, envelope.leaving ? 1 : 0);
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
