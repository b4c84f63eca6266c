#include "eraft/bench/pipeline_load.h"

#include <optional>
#include <utility>

namespace slipway::eraft::bench {

void PipelineLoad::Start(std::function<void()> done) {
  done_ = std::move(done);
  load_.Start();
  Pump();
}

void PipelineLoad::Stop() {
  load_.Stop();
  Pump();
}

void PipelineLoad::Pump() {
  if (done_ == nullptr) return;
  while (std::optional<Load::Send> send = load_.Next()) {
    Request& request = send->request;
    client::Operation operation = request.write ? client::PutOf(request.key, request.value)
                                                : client::GetOf(request.key, read_from_);
    client_.Start(std::move(operation), {.timeout = timeout_},
                  [this, index = send->client](const absl::StatusOr<client::Reply>& reply) {
                    Answered(index, reply);
                  });
  }
  if (load_.over()) {
    const std::function<void()> done = std::exchange(done_, nullptr);
    return done();
  }
  const absl::Duration due = load_.due();
  if (armed_ || due == absl::InfiniteDuration()) return;
  armed_ = true;
  loop_.After(due, [this] {
    armed_ = false;
    Pump();
  });
}

void PipelineLoad::Answered(uint64_t index, const absl::StatusOr<client::Reply>& reply) {
  Result result;
  if (!reply.ok()) result.error = absl::StatusCodeToString(reply.status().code());
  load_.Answered(index, result);
  Pump();
}

}  // namespace slipway::eraft::bench
