// Sizes and durations as people write them (DECISIONS 3). Thread-safe: free functions.
#pragma once

#include <cstdint>
#include <string>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/time/time.h"

namespace slipway::base {

inline constexpr uint64_t kKiB = 1024;
inline constexpr uint64_t kMiB = 1024 * kKiB;
inline constexpr uint64_t kGiB = 1024 * kMiB;
inline constexpr uint64_t kTiB = 1024 * kGiB;

// "1048576", "64 KiB", "512MiB", "20GiB", "1.5GiB", "4TiB" and decimal "kB", "MB", "GB", "TB"; a
// bare integer or "B" is bytes. InvalidArgument naming the text and the accepted forms: anything
// else, a negative or fractional number of bytes, more than 2^63-1.
absl::StatusOr<uint64_t> ParseSize(absl::string_view text);

// Binary units, three significant digits at most: "512MiB", "1.5GiB", "17B".
std::string FormatSize(uint64_t bytes);

// Decimal units cut to an integer, as deploy-tool's seed log lines print them: 524288000 ->
// "524MB".
std::string FormatSizeDecimal(uint64_t bytes);

// Go syntax plus days: "30s", "1h30m", "500ms", "30d", "1.5s", "-5s", "0"; fractions of a
// nanosecond are cut off. InvalidArgument that names the units: anything else, a bare number other
// than 0, more than 290 years.
absl::StatusOr<absl::Duration> ParseDuration(absl::string_view text);

// The shortest exact text that ParseDuration reads back: "1h30m", "29s", "1.5s", "0s". Days are
// printed as hours. What is longer than ParseDuration takes, and "inf", is for people only.
std::string FormatGoDuration(absl::Duration duration);

// RFC 3339 in UTC with "Z", whole seconds: "2024-01-20T10:00:00Z"; times outside the years 0 to
// 9999 as the nearest second within. Parse takes fractions and offsets too, and nothing else.
std::string FormatRfc3339(absl::Time time);
absl::StatusOr<absl::Time> ParseRfc3339(absl::string_view text);

}  // namespace slipway::base
