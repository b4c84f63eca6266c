#include "base/testing/temp_dir.h"

#include <gtest/gtest.h>

#include <cstdlib>
#include <filesystem>
#include <system_error>
#include <vector>

#include "absl/strings/str_cat.h"
#include "base/check.h"

namespace slipway::base::testing {
namespace {

namespace fs = std::filesystem;

// Gives the owner every right on the directories of the tree, so that it can be removed.
void MakeWritable(const fs::path& directory) {
  std::error_code error;
  fs::permissions(directory, fs::perms::owner_all, fs::perm_options::add, error);
  // The names first: the iterator must not be open once for each level of a deep tree.
  std::vector<fs::path> directories;
  for (fs::directory_iterator it(directory, error), end; !error && it != end; it.increment(error)) {
    if (fs::is_directory(it->symlink_status(error))) directories.push_back(it->path());
  }
  for (const fs::path& child : directories) MakeWritable(child);
}

}  // namespace

TempDir::TempDir() {
  const char* parent = std::getenv("TMPDIR");
  std::string name =
      absl::StrCat(parent == nullptr || *parent == '\0' ? "/tmp" : parent, "/slipway-test-XXXXXX");
  SLIPWAY_CHECK(mkdtemp(name.data()) != nullptr);
  std::error_code error;
  path_ = fs::canonical(name, error).string();
  SLIPWAY_CHECK(!error);
}

TempDir::~TempDir() {
  std::error_code error;
  fs::remove_all(path_, error);
  if (!error) return;
  MakeWritable(path_);
  fs::remove_all(path_, error);
  if (error) ADD_FAILURE() << "remove " << path_ << ": " << error.message();
}

std::string TempDir::Join(absl::string_view relative) const {
  return absl::StrCat(path_, "/", relative);
}

}  // namespace slipway::base::testing
