#include "kzg/testing/official.h"

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <iostream>
#include <iterator>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "base/bytes.h"
#include "base/check.h"
#include "base/codec/codec.h"
#include "kzg/setup/setup_text.h"

namespace slipway::kzg::testing {
namespace {

namespace fs = std::filesystem;

constexpr uint64_t kArchiveBytesMax = 256 << 20;

std::optional<std::string> Find(const std::string& name) {
  std::error_code error;  // a folder that this user may not look into holds nothing for it
  if (const char* named = std::getenv("SLIPWAY_TEST_DATA"); named != nullptr && *named != 0) {
    const fs::path path = fs::path(named) / "kzg" / name;
    return fs::exists(path, error) ? std::optional<std::string>(path.string()) : std::nullopt;
  }
  for (fs::path at = SLIPWAY_TEST_SOURCE_DIR; at.has_relative_path(); at = at.parent_path()) {
    const fs::path path = at / "shared/data/kzg" / name;
    if (fs::exists(path, error)) return path.string();
  }
  return std::nullopt;
}

// A text field, which ends at a zero or with the field.
std::string Field(absl::string_view header, size_t at, size_t size) {
  const absl::string_view field = header.substr(at, size);
  return std::string(field.substr(0, field.find('\0')));
}

// The member at `at`, which moves behind it; nullopt at the end. ustar: name at 0, size in octal at
// 124, kind at 156, what stands before a long name at 345, contents in blocks of 512.
std::optional<std::pair<std::string, std::string>> NextMember(absl::string_view tar, size_t& at) {
  while (at + 512 <= tar.size() && tar[at] != 0) {
    const absl::string_view header = tar.substr(at, 512);
    const std::string prefix = Field(header, 345, 155);
    const std::string name = absl::StrCat(prefix, prefix.empty() ? "" : "/", Field(header, 0, 100));
    uint64_t size = 0;
    for (const char c : header.substr(124, 11)) size = size * 8 + static_cast<uint64_t>(c - '0');
    const absl::string_view contents = tar.substr(at + 512, size);
    at += 512 + (size + 511) / 512 * 512;
    if (header[156] == '0' || header[156] == 0) return std::pair(name, std::string(contents));
  }
  return std::nullopt;
}

}  // namespace

std::optional<std::string> OfficialFile(const std::string& name) {
  std::optional<std::string> path = Find(name);
  if (!path.has_value()) {
    std::cerr
        << "*** NO OFFICIAL KZG DATA: " << name
        << " is not in $SLIPWAY_TEST_DATA/kzg, nor in shared/data/kzg beside the checkout; what "
           "needs it is NOT TESTED\n";
  }
  return path;
}

std::string ReadWhole(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  SLIPWAY_CHECK(file.good());
  return {std::istreambuf_iterator<char>(file), std::istreambuf_iterator<char>()};
}

std::shared_ptr<const Setup> OfficialSetup() {
  static const std::shared_ptr<const Setup> setup = []() -> std::shared_ptr<const Setup> {
    const std::optional<std::string> path = OfficialFile("trusted_setup.txt");
    if (!path.has_value()) return nullptr;
    const absl::StatusOr<base::Bytes> bytes = ParseSetup(ReadWhole(*path), *path);
    SLIPWAY_CHECK(bytes.ok());
    absl::StatusOr<SetupPoints> points = DecodeSetup(*bytes);
    if (!points.ok()) std::cerr << points.status() << "\n";
    SLIPWAY_CHECK(points.ok());
    return Setup::Make(*std::move(points), SetupIdOf(*bytes));
  }();
  return setup;
}

std::vector<OfficialCase> OfficialCases() {
  const std::optional<std::string> path = OfficialFile("vectors/vectors.tar.zst");
  if (!path.has_value()) return {};
  const std::string archive = ReadWhole(*path);
  const absl::StatusOr<base::Bytes> tar =
      base::DecompressZstd(base::AsBytes(archive), kArchiveBytesMax);
  SLIPWAY_CHECK(tar.ok());
  std::vector<OfficialCase> cases;
  size_t at = 0;
  while (auto member = NextMember(base::AsText(*tar), at)) {
    const std::vector<std::string> parts = absl::StrSplit(member->first, '/');
    if (parts.size() < 2) continue;  // a file about the cases
    cases.push_back({parts[parts.size() - 2], parts.back(), std::move(member->second)});
  }
  return cases;
}

}  // namespace slipway::kzg::testing
