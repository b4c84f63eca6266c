// The messages of slipway.eraft.transport.v1, by hand: frames are never copied on their way out,
// and once on their way in, from gRPC's slices to the receiver's bytes. Stricter than protobuf's
// parser: no groups, no field twice that is there once. Thread-safe: free functions, plain values.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/types/span.h"
#include "base/bytes.h"
#include "eraft/wal/format.h"
#include "raft/types.h"

namespace slipway::eraft::link {

using Slices = absl::Span<const base::BytesView>;  // one message in pieces; none may be there

// Numbers are the wire's.
enum class Lane : uint8_t { kMessages = 0, kSnapshots = 1 };
inline constexpr size_t kLanes = 2;
const char* LaneName(Lane lane);

struct Hello {
  wal::ClusterId cluster{};
  raft::NodeId node = raft::kNoNode;  // who speaks
  uint64_t incarnation = 0;
  uint32_t feature_level = 0;
  std::string address;                // where it is reached
  raft::NodeId peer = raft::kNoNode;  // who it believes to speak to
  Lane lane = Lane::kMessages;
  uint64_t peer_incarnation = 0;  // of the data that it knows of `peer`; 0: of none
  friend bool operator==(const Hello&, const Hello&) = default;
};

// What a message has besides parts.
struct Envelope {
  uint64_t seq = 0;
  uint64_t sent_ns = 0;  // the sender's monotonic clock; 0: no echo is asked for
  uint64_t echo_ns = 0;  // sent_ns of a message that came
  uint64_t wall_ns = 0;  // the sender's time of day
  bool leaving = false;  // the sender is about to stop (E195)
  std::optional<Hello> hello;
  friend bool operator==(const Envelope&, const Envelope&) = default;
};

// A part of a message that was read: `count` pieces of Message::pieces from `first` on.
struct PartView {
  size_t first = 0, count = 0;
  size_t bytes = 0;
  bool more = false;    // the next part of its kind continues it
  bool urgent = false;  // a whole control frame; it may come between the parts of another frame
};

struct Message {
  Envelope envelope;
  std::vector<PartView> parts;
  std::vector<base::BytesView> pieces;  // views of what was parsed

  absl::Span<const base::BytesView> PiecesOf(const PartView& part) const {
    return absl::MakeSpan(pieces).subspan(part.first, part.count);
  }
};

// InvalidArgument: the bytes are no such message, or have more parts than a message may.
absl::StatusOr<Message> ParseMessage(Slices slices);

// Bytes that `owner` keeps where they are.
struct Piece {
  std::shared_ptr<const base::Bytes> owner;
  base::BytesView view;
};
// A message to be sent, in pieces.
struct OutMessage {
  std::vector<Piece> pieces;
  size_t bytes = 0;
};

class MessageWriter {
 public:
  explicit MessageWriter(const Envelope& envelope);
  // `count` bytes of `frame` from `offset` on. CHECK: they are there.
  void AddPart(const std::shared_ptr<const base::Bytes>& frame, size_t offset, size_t count,
               bool more, bool urgent);
  // Once.
  OutMessage Finish();

 private:
  void EndRun();

  base::Bytes run_;  // small things one after the other
  OutMessage message_;
};

}  // namespace slipway::eraft::link
