// An Engine that passes every call on: a test overrides what it wants to be different. Thread-safe
// as what it stands before. Only for tests.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <utility>

#include "eraft/store/engine.h"

namespace slipway::eraft {

class ForwardingEngine : public Engine {
 public:
  explicit ForwardingEngine(Engine& engine) : engine_(engine) {}  // which outlives this
  explicit ForwardingEngine(std::unique_ptr<Engine> engine)
      : owned_(std::move(engine)), engine_(*owned_) {}
  absl::Status Write(const Batch& batch) override { return engine_.Write(batch); }
  absl::StatusOr<std::optional<std::string>> Get(absl::string_view key) override {
    return engine_.Get(key);
  }
  base::Owned<View> NewView() override { return engine_.NewView(); }
  absl::Status Flush() override { return engine_.Flush(); }
  absl::StatusOr<std::optional<std::string>> GetDurable(absl::string_view key) override {
    return engine_.GetDurable(key);
  }
  absl::Status Checkpoint(absl::string_view path) override { return engine_.Checkpoint(path); }
  absl::Status Ingest(Iterator& source) override { return engine_.Ingest(source); }
  absl::StatusOr<uint64_t> ApproximateBytes(const KeyRange& range) override {
    return engine_.ApproximateBytes(range);
  }
  EngineKind kind() const override { return engine_.kind(); }
  void StopWaiting() override { engine_.StopWaiting(); }
  absl::Status Close() override { return engine_.Close(); }

 private:
  const std::unique_ptr<Engine> owned_;
  Engine& engine_;
};

}  // namespace slipway::eraft
