// What the tests of the simulated disk share.
#pragma once

#include <algorithm>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/str_join.h"
#include "base/sim/files.h"
#include "base/testing/status_matchers.h"

namespace slipway::base::sim {

inline constexpr Loss kEveryLoss[] = {Loss::kSeeded, Loss::kOrdered, Loss::kLoseAllUnsynced,
                                      Loss::kKeepAll};
inline constexpr OpenOptions kCreate{.write = true, .create = true};

inline std::unique_ptr<Dir> Root(Files& files) {
  Owned<Dir> root = files.OpenRoot("/");
  EXPECT_OK(root);
  return std::move(root).value();
}

inline std::unique_ptr<File> Create(Dir& dir, absl::string_view path, absl::string_view text) {
  Owned<File> file = dir.Open(path, kCreate);
  EXPECT_OK(file);
  EXPECT_OK((*file)->WriteAt(0, AsBytes(text)));
  return std::move(file).value();
}

// Those of `names` that exist.
inline std::string NamesOf(const Files& files, std::vector<std::string> names) {
  std::erase_if(names, [&](const std::string& name) { return !files.Exists(name); });
  return absl::StrJoin(names, " ");
}

}  // namespace slipway::base::sim
