// The official test data, which is not part of the project (spec 6.8): in $SLIPWAY_TEST_DATA/kzg,
// else in shared/data/kzg beside the checkout. Of tests only. Thread-compatible.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "kzg/scheme/setup.h"

namespace slipway::kzg::testing {

// The path of a file of the data; nullopt, after a loud word on stderr, where there is none.
std::optional<std::string> OfficialFile(const std::string& name);

// The bytes of a file. CHECK: it can be read.
std::string ReadWhole(const std::string& path);

// The ceremony's setup, decoded once a process; null where there is no data.
std::shared_ptr<const Setup> OfficialSetup();

struct OfficialCase {
  std::string function, name, text;
};
// All cases of the archive; empty where there is no data.
std::vector<OfficialCase> OfficialCases();

}  // namespace slipway::kzg::testing
