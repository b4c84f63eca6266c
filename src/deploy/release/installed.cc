#include "deploy/release/installed.h"

#include <algorithm>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "base/check.h"
#include "deploy/model/errors.h"
#include "deploy/pack/file_source.h"

namespace slipway::deploy {
namespace {

constexpr size_t kNearestMax = 3;

}  // namespace

std::string DriftSummary(const std::vector<Drift>& drift) {
  SLIPWAY_CHECK(!drift.empty());
  const Drift& first = drift.front();
  const char* kinds[] = {"changed", "missing", "extra"};
  return absl::StrCat(drift.size(), drift.size() == 1 ? " difference" : " differences",
                      ", the first: ", base::EscapeForTerminal(first.path), " ",
                      kinds[static_cast<size_t>(first.kind)],
                      first.detail.empty() ? "" : absl::StrCat(" (", first.detail, ")"));
}

absl::StatusOr<Installed> CheckInstalled(const Root& root, const TypeState& state,
                                         const Component& component, bool deep) {
  Installed installed;
  const std::string path = VersionDir(component);
  const auto meta = StatIfAny(*root.dir, path);
  if (!meta.ok()) return RootError(meta.status(), absl::StrCat("look at ", path));
  if (!*meta) return installed;
  if ((*meta)->kind != base::FileKind::kDirectory) {
    return Error(Dt::kExists, absl::StrCat("look at ", path, ": it is no directory"),
                 "move it away");
  }
  installed.exists = true;
  const auto known = state.versions.find(component.version);
  const bool untouched = known != state.versions.end() && known->second.dir_stat &&
                         *known->second.dir_stat == DirStatOf(**meta);
  installed.intact = untouched;
  if (untouched && !deep) return installed;
  VerifyOptions options;
  options.deep = deep;
  const auto drift = CompareInstalled(root, component, options);
  if (absl::IsCancelled(drift.status())) return drift.status();
  installed.intact = drift.ok() && drift->empty();
  if (!drift.ok()) {
    installed.detail = std::string(drift.status().message());
  } else if (!drift->empty()) {
    installed.detail = DriftSummary(*drift);
  }
  return installed;
}

absl::StatusOr<FileIndex> ReadIndex(const Root& root, const Component& component) {
  const std::string context = absl::StrCat("read the file index of ", component.ToString());
  const std::string hint =
      absl::StrCat("install it again: deploy-tool deploy ", component.ToString(), " --force");
  const auto file = root.dir->Open(IndexPath(component), base::OpenOptions());
  if (absl::IsNotFound(file.status())) {
    return Error(Dt::kChecksum, absl::StrCat(context, ": there is none"), hint);
  }
  if (!file.ok()) return RootError(file.status(), context);
  FileSource source(**file);
  auto index = DecodeFileIndex(source);
  if (index.ok()) return index;
  if (base::GetErrorInfo(index.status()).code.empty()) return RootError(index.status(), context);
  return Wrap(index.status(), Dt::kChecksum, context, hint);
}

absl::StatusOr<std::vector<Drift>> CompareInstalled(const Root& root, const Component& component,
                                                    const VerifyOptions& options) {
  SLIPWAY_ASSIGN_OR_RETURN(const FileIndex index, ReadIndex(root, component));
  const auto tree = root.dir->OpenDir(VersionDir(component));
  if (!tree.ok()) {
    return RootError(tree.status(), absl::StrCat("verify ", component.ToString()));
  }
  return VerifyTree(**tree, index, root.world.pool, options, root.options.cancel);
}

absl::Status NotInstalled(const Component& component, const TypeState& state) {
  const std::string text = absl::StrCat("find ", component.ToString(), ": it is not installed");
  const std::string hint = absl::StrCat("deploy-tool deploy ", component.ToString());
  if (state.versions.empty()) return Error(Dt::kNotFound, text, hint);
  std::vector<std::string> versions;
  for (const auto& [version, unused] : state.versions) versions.push_back(version);
  std::sort(versions.begin(), versions.end(),
            [](const std::string& a, const std::string& b) { return CompareVersions(a, b) < 0; });
  const auto above = std::find_if(versions.begin(), versions.end(), [&](const std::string& v) {
    return CompareVersions(v, component.version) > 0;
  });
  // As many below as above, as far as there are.
  auto first = above, last = above;
  while (static_cast<size_t>(last - first) < std::min(kNearestMax, versions.size())) {
    if (first != versions.begin()) --first;
    if (last != versions.end() && static_cast<size_t>(last - first) < kNearestMax) ++last;
  }
  return Error(Dt::kNotFound,
               absl::StrCat(text, "; nearest installed are ",
                            absl::StrJoin(std::vector<std::string>(first, last), ", ")),
               hint);
}

}  // namespace slipway::deploy
