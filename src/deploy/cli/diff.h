// How a text would change, for people. Thread-safe: a free function.
#pragma once

#include <string>

#include "absl/strings/string_view.h"

namespace slipway::deploy::cli {

// Lines of `before` that `after` lacks with "-", new ones with "+"; common ones are left out.
// Texts of more than 2,000 lines are not compared line by line.
std::string DiffLines(absl::string_view before, absl::string_view after);

}  // namespace slipway::deploy::cli
