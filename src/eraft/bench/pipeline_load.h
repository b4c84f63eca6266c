// Drives a Load over the pipeline API, through the C++ client (E145).
#pragma once

#include <functional>
#include <memory>

#include "absl/time/time.h"
#include "base/loop.h"
#include "eraft/bench/load.h"
#include "eraft/client/session/client.h"

namespace slipway::eraft::bench {

// Loop-only but for the constructor. Everything outlives it; destroyed when `done` has come, or
// after the client's Close.
class PipelineLoad {
 public:
  // `loop` is the client's.
  PipelineLoad(Load& load, client::Client& client, base::Loop& loop, client::ReadFrom read_from,
               absl::Duration timeout)
      : load_(load), client_(client), loop_(loop), read_from_(read_from), timeout_(timeout) {}

  // `done` comes on the loop when the load is over.
  void Start(std::function<void()> done);
  // Sends nothing more; `done` comes when all that is under way was answered.
  void Stop();

 private:
  void Pump();
  void Answered(uint64_t index, const absl::StatusOr<client::Reply>& reply);

  Load& load_;
  client::Client& client_;
  base::Loop& loop_;
  const client::ReadFrom read_from_;
  const absl::Duration timeout_;
  std::function<void()> done_;
  bool armed_ = false;  // a timer for the next due request
};

}  // namespace slipway::eraft::bench
