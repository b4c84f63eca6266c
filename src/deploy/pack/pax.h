// The records of a pax extended header, read strictly. Thread-compatible.
#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "absl/status/status.h"
#include "absl/strings/string_view.h"
#include "base/files.h"

namespace slipway::deploy {

// What the records of one header say; absent: nothing.
struct PaxRecords {
  std::optional<std::string> path;
  std::optional<std::string> link;
  std::optional<uint64_t> size_bytes;
  std::optional<int64_t> mtime_ns;
  base::Xattrs xattrs;  // user.* only, in the order found
  // GNU.sparse.*
  std::optional<std::string> sparse_name;
  std::optional<uint64_t> sparse_realsize;
  std::optional<uint64_t> sparse_major;
  std::optional<uint64_t> sparse_minor;
  bool sparse_other = false;  // records of the older forms 0.0 and 0.1
};

// Adds the records of `text` to `into`. InvalidArgument with the reason: malformed, a key twice, a
// number that is none, an attribute above kXattrBytesMax. Unknown keys, and attributes other than
// user.*, are passed over, as POSIX asks.
absl::Status ParsePaxRecords(absl::string_view text, PaxRecords& into);

// "12", "12.5", "-0.25" as nanoseconds, cut beyond the ninth decimal; nullopt for anything else and
// outside the range of int64.
std::optional<int64_t> ParsePaxTime(absl::string_view text);

}  // namespace slipway::deploy
