// A project with two stores and what is published from it, for the tests of this folder.
// Thread-compatible.
#pragma once

#include <gtest/gtest.h>

#include <cstdint>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "base/sim/clock.h"
#include "base/sim/files.h"
#include "base/sim/pool.h"
#include "base/status.h"
#include "deploy/repository/publisher.h"
#include "deploy/repository/test_faulty_repository.h"
#include "deploy/repository/test_project.h"

namespace slipway::deploy {

inline constexpr uint64_t kLimit = 1 << 20;

inline std::string IdOf(const absl::Status& status) { return base::GetErrorInfo(status).code; }
inline std::string HintOf(const absl::Status& status) { return base::GetErrorInfo(status).hint; }

class PublisherTest : public ::testing::Test {
 protected:
  PublisherTest() {
    project_.AddStore("east");
    project_.AddStore("west");
    project_.Pack(kModel, "model bytes");
  }

  PublishRequest Request(std::vector<Component> components = {{"model", "1.0.0"}}) {
    return project_.Request(std::move(components), clock_, pool_);
  }

  FaultyRepository& MakeFaulty(size_t target) {
    faulty_.push_back(std::make_unique<FaultyRepository>(*project_.stores[target]));
    project_.targets[target].repository = faulty_.back().get();
    return *faulty_.back();
  }

  std::string Record(const std::string& name = "model-1.0.0.publish.json") {
    return base::ReadFile(*project_.records, name, kLimit).value_or("");
  }

  const Component kModel{"model", "1.0.0"};
  base::sim::Files files_{/*seed=*/1};
  base::sim::Clock clock_;
  base::sim::Pool pool_{/*seed=*/1};
  TestProject project_{files_};
  std::vector<std::unique_ptr<FaultyRepository>> faulty_;
};

}  // namespace slipway::deploy
