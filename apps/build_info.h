// What this program was built from. The definitions are generated (cmake/build_info.cmake), so that
// a new commit compiles one file of a few lines. Constants.
#pragma once

namespace slipway {

extern const char kVersion[];  // "0.1.0"
// The commit of HEAD, 12 hex digits; "unknown" outside a git checkout. Edits that were not
// committed do not show.
extern const char kCommit[];

}  // namespace slipway
