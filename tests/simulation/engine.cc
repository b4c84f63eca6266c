#include "engine.h"

#include <string>
#include <utility>

#include "base/sim/random.h"

namespace slipway::eraft::simulation {
namespace {

class FlushingEngine : public Engine {
 public:
  FlushingEngine(std::unique_ptr<Engine> engine, uint64_t seed, uint64_t percent)
      : engine_(std::move(engine)), choices_(seed), percent_(percent) {}

  absl::Status Write(const Batch& batch) override {
    SLIPWAY_RETURN_IF_ERROR(engine_->Write(batch));
    if (!choices_.Chance(percent_)) return absl::OkStatus();
    // An engine that gave up says so at once: there may be no later write.
    if (absl::Status flushed = engine_->Flush(); !absl::IsResourceExhausted(flushed))
      return flushed;
    return absl::OkStatus();
  }
  absl::StatusOr<std::optional<std::string>> Get(absl::string_view key) override {
    return engine_->Get(key);
  }
  base::Owned<View> NewView() override { return engine_->NewView(); }
  absl::Status Flush() override { return engine_->Flush(); }
  absl::StatusOr<std::optional<std::string>> GetDurable(absl::string_view key) override {
    return engine_->GetDurable(key);
  }
  absl::Status Checkpoint(absl::string_view path) override { return engine_->Checkpoint(path); }
  absl::Status Ingest(Iterator& source) override { return engine_->Ingest(source); }
  absl::StatusOr<uint64_t> ApproximateBytes(const KeyRange& range) override {
    return engine_->ApproximateBytes(range);
  }
  EngineKind kind() const override { return engine_->kind(); }
  absl::Status Close() override { return engine_->Close(); }

 private:
  const std::unique_ptr<Engine> engine_;
  base::sim::Stream choices_;
  const uint64_t percent_;
};

class Home : public EngineHome {
 public:
  Home(std::unique_ptr<EngineHome> home, uint64_t seed, uint64_t percent)
      : home_(std::move(home)), seed_(seed), percent_(percent) {}

  base::Owned<Engine> Open(absl::string_view path) override {
    SLIPWAY_ASSIGN_OR_RETURN(std::unique_ptr<Engine> engine, home_->Open(path));
    return std::make_unique<FlushingEngine>(std::move(engine), base::sim::Mix(seed_, ++opened_),
                                            percent_);
  }
  EngineKind kind() const override { return home_->kind(); }
  bool IsImmutable(absl::string_view file_name) const override {
    return home_->IsImmutable(file_name);
  }

 private:
  const std::unique_ptr<EngineHome> home_;
  const uint64_t seed_;
  const uint64_t percent_;
  uint64_t opened_ = 0;
};

}  // namespace

std::unique_ptr<EngineHome> FlushingHome(std::unique_ptr<EngineHome> home, uint64_t seed,
                                         uint64_t percent) {
  return std::make_unique<Home>(std::move(home), seed, percent);
}

}  // namespace slipway::eraft::simulation
