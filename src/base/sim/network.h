// A network between simulated nodes in virtual time: frames take as long as the seed says, get
// lost, come twice, overtake each other; links are cut in one direction or both, and have little
// bandwidth. One thread: that of the loop.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <utility>

#include "absl/time/time.h"
#include "base/clock.h"
#include "base/loop.h"
#include "base/sim/random.h"
#include "base/transport.h"

namespace slipway::base::sim {

// One direction between two nodes.
struct Link {
  absl::Duration delay_min = absl::Microseconds(100);  // uniform between the two, for each frame
  absl::Duration delay_max = absl::Milliseconds(1);
  uint64_t drop_percent = 0;
  uint64_t duplicate_percent = 0;  // come twice, each in its own time
  uint64_t late_percent = 0;       // take up to late_max: others overtake them
  absl::Duration late_max = absl::Milliseconds(500);
  // False: frames of the same moment or near each other may swap; true: as they were sent, but for
  // late ones and second copies.
  bool ordered = true;
  uint64_t bytes_per_second = 0;  // 0: no limit
  bool cut = false;               // nothing arrives any more, not even what is under way
  // What may be under way; kBulk above it is refused. kControl never is.
  size_t bulk_frames_max = 256;
  uint64_t bulk_bytes_max = 16 << 20;
};

class Network {
 public:
  // Both outlive it and what Attach gives.
  Network(uint64_t seed, base::Loop& loop, base::Clock& clock);
  ~Network();

  // The place of node `id`. Frames come on `loop`, the node's, which outlives the result; `is_up`
  // (may be null) tells whether the node's machine has power: nothing leaves it without. CHECK: the
  // id is not attached. Destroy it when the process ends; what is under way then may reach the
  // next one.
  std::unique_ptr<Transport> Attach(uint64_t id, base::Loop& loop,
                                    std::function<bool()> is_up = nullptr);

  // What links are that nobody set; and of those set, what they are.
  void SetDefault(Link link);
  Link& At(uint64_t from, uint64_t to);
  // Both directions.
  void Cut(uint64_t a, uint64_t b, bool cut);
  // All links are what the default says.
  void Heal();

  // Each frame when it is handed over to a receiver.
  using Tap = std::function<void(uint64_t from, uint64_t to, BytesView frame)>;
  void OnDelivery(Tap tap) { tap_ = std::move(tap); }

  struct Counts {
    uint64_t sent = 0, delivered = 0, dropped = 0, duplicated = 0, refused = 0;
    uint64_t cut = 0;                // of those dropped: the link was
    uint64_t overtaken = 0;          // delivered after one that was sent later
    size_t control_frames_most = 0;  // ever under way on one link
  };
  const Counts& counts() const { return counts_; }

 private:
  class Endpoint;
  using Pair = std::pair<uint64_t, uint64_t>;
  struct Flow {  // of one direction
    Link link;
    bool own = false;                       // set by At
    absl::Duration free_at;                 // when the bytes sent so far are through
    absl::Duration last_delivery;           // of a frame that keeps the order
    uint64_t sent = 0, newest_arrived = 0;  // frames, numbered from 1
    size_t control_frames = 0;
    size_t bulk_frames = 0;
    uint64_t bulk_bytes = 0;
  };

  Flow& FlowOf(uint64_t from, uint64_t to);
  absl::Status Send(uint64_t from, uint64_t to, FrameClass frame_class, Bytes frame);
  void Carry(const Pair& pair, FrameClass frame_class, std::shared_ptr<const Bytes> frame);
  absl::Duration DelayOf(Flow& flow, size_t bytes);
  void Arrive(const Pair& pair, FrameClass frame_class, uint64_t number,
              const std::shared_ptr<const Bytes>& frame);

  base::Loop& loop_;
  base::Clock& clock_;
  Stream choices_;
  Link default_;
  std::map<Pair, Flow> flows_;
  std::map<uint64_t, Endpoint*> endpoints_;  // null: attached once
  Tap tap_;
  Counts counts_;
  std::shared_ptr<Network*> self_;  // null once destroyed: for frames under way
};

}  // namespace slipway::base::sim
