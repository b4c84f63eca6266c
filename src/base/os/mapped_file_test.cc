#include "base/os/mapped_file.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>

#include "base/testing/status_matchers.h"
#include "base/testing/temp_dir.h"

namespace slipway::base::os {
namespace {

using ::testing::HasSubstr;
using testing::StatusIs;
using testing::TempDir;

void Write(const std::string& path, const std::string& text) { std::ofstream(path) << text; }

TEST(MappedFile, ShowsTheBytesOfAFile) {
  const TempDir dir;
  Write(dir.Join("f"), "some bytes");
  ASSERT_OK_AND_ASSIGN(const auto file, MappedFile::Open(dir.Join("f")));
  EXPECT_EQ(AsText(file->bytes()), "some bytes");
}

TEST(MappedFile, AFileThatIsReplacedStaysAsItWas) {
  const TempDir dir;
  Write(dir.Join("f"), "old");
  ASSERT_OK_AND_ASSIGN(const auto file, MappedFile::Open(dir.Join("f")));
  Write(dir.Join("g"), "new, longer");
  std::filesystem::rename(dir.Join("g"), dir.Join("f"));
  EXPECT_EQ(AsText(file->bytes()), "old");
}

TEST(MappedFile, AnEmptyFileHasNoBytes) {
  const TempDir dir;
  Write(dir.Join("f"), "");
  ASSERT_OK_AND_ASSIGN(const auto file, MappedFile::Open(dir.Join("f")));
  EXPECT_TRUE(file->bytes().empty());
}

TEST(MappedFile, WhatIsNoFileIsRefused) {
  const TempDir dir;
  EXPECT_THAT(MappedFile::Open(dir.Join("none")),
              StatusIs(absl::StatusCode::kNotFound, HasSubstr("none")));
  EXPECT_THAT(MappedFile::Open(dir.path()),
              StatusIs(absl::StatusCode::kFailedPrecondition, HasSubstr("no file")));
}

}  // namespace
}  // namespace slipway::base::os
