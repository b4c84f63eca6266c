#include "deploy/pack/folders.h"

#include <algorithm>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "base/status.h"
#include "deploy/model/errors.h"
#include "deploy/pack/names.h"

namespace slipway::deploy {

FolderCache::FolderCache(base::Dir& root)
    : root_(std::shared_ptr<base::Dir>(), &root) {}  // shares nothing: the caller keeps it

absl::StatusOr<Place> FolderCache::Find(absl::string_view path) {
  const absl::string_view parent = base::SplitPath(path).first;
  const auto holds = [&](const Level& level) {
    return absl::StartsWith(parent, level.path) &&
           (parent.size() == level.path.size() || parent[level.path.size()] == '/');
  };
  while (!branch_.empty() && !holds(branch_.back())) branch_.pop_back();
  while ((branch_.empty() ? 0 : branch_.back().path.size()) < parent.size()) {
    const size_t begin = branch_.empty() ? 0 : branch_.back().path.size() + 1;
    const size_t end = std::min(parent.find('/', begin), parent.size());
    base::Dir& above = branch_.empty() ? *root_ : *branch_.back().dir;
    base::Owned<base::Dir> opened = above.OpenDir(parent.substr(begin, end - begin));
    if (!opened.ok()) return CreationError(opened.status(), path);
    branch_.push_back({.path = std::string(parent.substr(0, end)), .dir = *std::move(opened)});
  }
  return Place{.dir = branch_.empty() ? root_ : branch_.back().dir,
               .name = std::string(base::SplitPath(path).second)};
}

absl::Status CheckCancelled(const base::CancelToken& cancel, absl::string_view what) {
  if (!cancel.cancelled()) return absl::OkStatus();
  const absl::Status status = cancel.status();
  return Wrap(status, absl::IsDeadlineExceeded(status) ? Dt::kTimeout : Dt::kCancelled, what);
}

absl::Status CreationError(const absl::Status& status, absl::string_view path) {
  if (status.ok()) return status;
  const std::string what = absl::StrCat("extract package: member ", ShowName(path));
  if (absl::IsAlreadyExists(status)) {
    return Error(Dt::kUnsafe,
                 absl::StrCat(what,
                              ": this file system takes its name for that of another member "
                              "(letter case or Unicode form)"),
                 "deploy to a file system that tells such names apart, or rename one");
  }
  return Wrap(status, FileErrorCode(status, Dt::kStorage), what,
              absl::IsPermissionDenied(status) || absl::IsResourceExhausted(status)
                  ? ""
                  : "check the file system of the deploy root");
}

absl::Status ReadingError(const absl::Status& status, absl::string_view what,
                          absl::string_view path) {
  if (status.ok()) return status;
  return Wrap(status, FileErrorCode(status, Dt::kChanged), absl::StrCat(what, " ", ShowName(path)));
}

}  // namespace slipway::deploy
