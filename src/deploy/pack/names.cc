#include "deploy/pack/names.h"

#include <vector>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "absl/strings/strip.h"
#include "base/bytes.h"
#include "base/mutant.h"
#include "base/status.h"
#include "deploy/model/errors.h"

namespace slipway::deploy {
namespace {

constexpr size_t kShownBytesMax = 200;

absl::Status Unsafe(absl::string_view raw, absl::string_view reason) {
  return Error(Dt::kUnsafe, absl::StrCat("read package: member ", ShowName(raw), ": ", reason),
               "the package is refused as a whole; take it from a source you trust");
}

absl::Status CheckComponent(absl::string_view raw, absl::string_view component) {
  if (component == ".." && !SLIPWAY_MUTANT("accept-dotdot")) {
    return Unsafe(raw, "\"..\" in its name");
  }
  if (component.size() > kNameBytesMax) {
    return Unsafe(raw, absl::StrCat("a component of ", component.size(), " bytes, more than ",
                                    kNameBytesMax));
  }
  return absl::OkStatus();
}

}  // namespace

std::string ShowName(absl::string_view name) {
  if (name.size() <= kShownBytesMax) return base::EscapeForTerminal(name);
  return absl::StrCat(base::EscapeForTerminal(name.substr(0, kShownBytesMax / 2)), "…",
                      base::EscapeForTerminal(name.substr(name.size() - kShownBytesMax / 2)));
}

absl::StatusOr<std::string> CleanMemberName(absl::string_view raw) {
  if (raw.empty()) return Unsafe(raw, "empty name");
  if (raw.find('\0') != absl::string_view::npos) return Unsafe(raw, "NUL in its name");
  if (raw.front() == '/') return Unsafe(raw, "absolute name");
  if (raw.size() > 2 * kPathBytesMax) {
    return Unsafe(raw, absl::StrCat("a name of ", raw.size(), " bytes"));
  }
  std::string path;
  size_t levels = 0;
  for (const absl::string_view component : absl::StrSplit(raw, '/')) {
    if (component.empty() || component == ".") continue;
    SLIPWAY_RETURN_IF_ERROR(CheckComponent(raw, component));
    if (levels++ == 0 && component == kToolFolder) {
      return Unsafe(raw, absl::StrCat(kToolFolder, " is the tool's own folder"));
    }
    absl::StrAppend(&path, path.empty() ? "" : "/", component);
  }
  if (path.size() > kPathBytesMax) {
    return Unsafe(raw,
                  absl::StrCat("a path of ", path.size(), " bytes, more than ", kPathBytesMax));
  }
  if (levels > kDepthMax) {
    return Unsafe(raw, absl::StrCat(levels, " levels deep, more than ", kDepthMax));
  }
  return path;
}

absl::Status CheckSymlink(absl::string_view path, absl::string_view target, bool allow_absolute) {
  if (target.empty()) return Unsafe(path, "symlink without a target");
  if (target.find('\0') != absl::string_view::npos) {
    return Unsafe(path, "symlink with NUL in its target");
  }
  if (target.size() >= kPathBytesMax) {
    return Unsafe(path, absl::StrCat("symlink with a target of ", target.size(), " bytes"));
  }
  if (target.front() == '/') {
    if (allow_absolute) return absl::OkStatus();
    return Unsafe(path, absl::StrCat("absolute symlink to ", ShowName(target)));
  }
  int64_t depth = 0;  // of the directory reached so far
  for (const char c : path) depth += c == '/' ? 1 : 0;
  for (const absl::string_view component : absl::StrSplit(target, '/')) {
    if (component.empty() || component == ".") continue;
    depth += component == ".." ? -1 : 1;
    if (depth < 0 && !SLIPWAY_MUTANT("accept-dotdot")) {
      return Unsafe(path, absl::StrCat("symlink out of the tree to ", ShowName(target)));
    }
  }
  return absl::OkStatus();
}

}  // namespace slipway::deploy
