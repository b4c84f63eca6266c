// The states of all links (D35).
#include <algorithm>
#include <set>
#include <utility>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/strip.h"
#include "deploy/release/generations.h"
#include "deploy/release/history.h"
#include "deploy/release/link_plan.h"
#include "deploy/release/links.h"
#include "deploy/release/operations.h"
#include "deploy/release/state.h"

namespace slipway::deploy {
namespace {

// The last version that history shows active, installed and not bad (D37): never a guess by number.
std::string HealthyVersion(const std::string& type, const TypeState& state,
                           const std::vector<HistoryEntry>& history) {
  const auto usable = [&](const std::string& version) {
    const auto known = state.versions.find(version);
    return known != state.versions.end() && !known->second.bad;
  };
  const auto version = RollbackVersion(history, type, "", false, usable);
  if (version) return *version;
  return usable(state.recorded_current) ? state.recorded_current : "";
}

bool WasEverActive(const std::string& type, const TypeState& state,
                   const std::vector<HistoryEntry>& history) {
  if (!state.recorded_current.empty()) return true;
  return RollbackVersion(history, type, "", false, [](const std::string&) { return true; })
      .has_value();
}

// components/<type>/current; nullopt: nothing of the type was ever switched to.
absl::StatusOr<std::optional<LinkInfo>> CurrentInfo(const Root& root, const std::string& type,
                                                    const std::vector<HistoryEntry>& history) {
  LinkInfo info;
  info.kind = LinkInfo::Kind::kCurrent;
  info.path = CurrentLink(type);
  info.type = type;
  SLIPWAY_ASSIGN_OR_RETURN(const TypeState state, ReadState(*root.dir, type));
  SLIPWAY_ASSIGN_OR_RETURN(const LinkAt at, ReadLinkAt(root, info.path));
  info.target = at.target;
  info.expected = HealthyVersion(type, state, history);
  if (!at.exists) {
    if (!WasEverActive(type, state, history)) return std::optional<LinkInfo>();
    info.state = LinkState::kMissing;
    info.detail = "no link";
  } else if (!at.is_link) {
    info.state = LinkState::kNotALink;
    info.detail = "a file or directory lies there";
  } else if (state.current.empty()) {
    info.state = LinkState::kWrongTarget;
    info.detail = "the target is no version";
  } else if (state.versions.count(state.current) == 0) {
    info.state = LinkState::kDangling;
    info.detail = absl::StrCat("version ", state.current, " is not installed");
  } else {
    info.version = info.expected = state.current;
    const auto opened = root.dir->OpenDir(VersionDir({type, state.current}));
    // Only what is wrong with the directory, not a disk that failed to tell.
    if (absl::IsDataLoss(opened.status()) || absl::IsUnavailable(opened.status())) {
      return opened.status();
    }
    if (!opened.ok()) {
      info.state = LinkState::kDangling;
      info.detail = std::string(opened.status().message());
    }
  }
  return std::optional<LinkInfo>(std::move(info));
}

// A link whose text must be `expected`; `reason`: why what it leads to is not usable, if it is not.
absl::StatusOr<LinkInfo> PlainInfo(const Root& root, LinkInfo::Kind kind, const std::string& path,
                                   const std::string& expected, const std::string& reason) {
  LinkInfo info;
  info.kind = kind;
  info.path = path;
  info.expected = expected;
  SLIPWAY_ASSIGN_OR_RETURN(const LinkAt at, ReadLinkAt(root, path));
  info.target = at.target;
  if (!at.exists) {
    info.state = LinkState::kMissing;
    info.detail = "no link";
  } else if (!at.is_link) {
    info.state = LinkState::kNotALink;
    info.detail = "a file or directory lies there";
  } else if (!SameTarget(at.target, expected)) {
    info.state = LinkState::kWrongTarget;
    info.detail = absl::StrCat("it should lead to ", expected);
  } else if (!reason.empty()) {
    info.state = LinkState::kDangling;
    info.detail = reason;
  }
  return info;
}

std::string DifferenceOf(const ActiveSet& record, const ActiveSet& current) {
  for (const auto& [type, version] : current) {
    const auto found = record.find(type);
    if (found == record.end()) return absl::StrCat(type, " is not in it");
    if (found->second != version) {
      return absl::StrCat("it has ", type, ":", found->second, ", current is ", version);
    }
  }
  return record.size() == current.size() ? "" : "it has types that are not current";
}

absl::StatusOr<LinkInfo> ActiveInfo(const Root& root, const ActiveSet& set) {
  SLIPWAY_ASSIGN_OR_RETURN(const LinkAt at, ReadLinkAt(root, kActiveLink));
  LinkInfo info;
  info.kind = LinkInfo::Kind::kActive;
  info.path = kActiveLink;
  info.target = at.target;
  SLIPWAY_ASSIGN_OR_RETURN(const auto number, ReadActiveGeneration(*root.dir));
  SLIPWAY_ASSIGN_OR_RETURN(const auto generations, ReadGenerations(*root.dir));
  const auto record =
      std::find_if(generations.begin(), generations.end(),
                   [&](const Generation& candidate) { return candidate.number == number; });
  if (!at.exists) {
    info.state = LinkState::kMissing;
    info.detail = "no link";
  } else if (!at.is_link) {
    info.state = LinkState::kNotALink;
    info.detail = "a file or directory lies there";
  } else if (!number) {
    info.state = LinkState::kWrongTarget;
    info.detail = "the target is no generation";
  } else if (record == generations.end()) {
    info.state = LinkState::kDangling;
    info.detail = absl::StrCat("there is no generation ", *number);
  } else {
    info.detail = DifferenceOf(SetOf(*record), set);
    info.state = info.detail.empty() ? LinkState::kOk : LinkState::kWrongTarget;
    if (info.detail.empty()) info.expected = info.target;
  }
  return info;
}

// Whether `path`, absolute, is there when links are followed.
bool Resolves(const Root& root, const std::string& path) {
  const auto real = root.world.files.Canonical(path);
  if (!real.ok()) return false;
  const auto [parent, name] = base::SplitPath(*real);
  const auto dir = root.world.files.OpenRoot(parent.empty() ? absl::string_view("/") : parent);
  return dir.ok() && (*dir)->Stat(name.empty() ? "." : name).ok();
}

absl::Status AddCustom(const Root& root, const LinkOptions& options, const ActiveSet& set,
                       std::vector<LinkInfo>& infos) {
  SLIPWAY_ASSIGN_OR_RETURN(const auto wanted, WantedCustomLinks(root, options));
  for (const WantedLink& link : wanted) {
    SLIPWAY_ASSIGN_OR_RETURN(LinkInfo info,
                             PlainInfo(root, LinkInfo::Kind::kCustom, link.path, link.text, ""));
    const auto active = set.find(link.type);
    if (!link.type.empty() && active == set.end() && info.state == LinkState::kMissing) {
      continue;  // it comes with the first deploy of its component
    }
    info.type = link.type;
    if (active != set.end()) info.version = active->second;
    const std::string path =
        absl::StartsWith(link.path, "/") ? link.path : base::JoinPath(root.path, link.path);
    if (info.state == LinkState::kOk && !Resolves(root, path)) {
      info.state = LinkState::kDangling;
      info.detail = "what it leads to does not exist";
    }
    infos.push_back(std::move(info));
  }
  return absl::OkStatus();
}

// Links in links/ that belong to no installed type.
absl::Status AddForeign(const Root& root, const std::set<std::string>& known,
                        std::vector<LinkInfo>& infos) {
  SLIPWAY_ASSIGN_OR_RETURN(const auto entries, ListSorted(*root.dir, kLinksDir));
  for (const base::DirEntry& entry : entries) {
    if (entry.kind != base::FileKind::kSymlink || known.count(entry.name) > 0) continue;
    LinkInfo info;
    info.kind = LinkInfo::Kind::kLink;
    info.path = TypeLink(entry.name);
    SLIPWAY_ASSIGN_OR_RETURN(info.target, root.dir->ReadLink(info.path));
    info.state = LinkState::kForeign;
    info.detail = "no component of this type is deployed";
    infos.push_back(std::move(info));
  }
  return absl::OkStatus();
}

}  // namespace

absl::StatusOr<std::vector<LinkInfo>> ReadLinks(const Root& root, const LinkOptions& options) {
  SLIPWAY_ASSIGN_OR_RETURN(const auto types, InstalledTypes(*root.dir));
  SLIPWAY_ASSIGN_OR_RETURN(const auto history, ReadHistory(*root.dir));
  std::vector<LinkInfo> infos;
  std::set<std::string> known;
  ActiveSet set;
  for (const std::string& type : types) {
    SLIPWAY_ASSIGN_OR_RETURN(auto current, CurrentInfo(root, type, history));
    if (!current) continue;
    known.insert(type);
    if (!current->version.empty()) set.emplace(type, current->version);
    const std::string reason =
        current->state == LinkState::kOk ? "" : absl::StrCat(current->path, ": ", current->detail);
    const std::string version = current->version;
    infos.push_back(*std::move(current));
    if (!options.enabled) continue;
    SLIPWAY_ASSIGN_OR_RETURN(LinkInfo link, PlainInfo(root, LinkInfo::Kind::kLink, TypeLink(type),
                                                      TypeLinkTarget(type), reason));
    link.type = type;
    link.version = link.state == LinkState::kOk ? version : "";
    infos.push_back(std::move(link));
  }
  if (options.enabled) SLIPWAY_RETURN_IF_ERROR(AddForeign(root, known, infos));
  if (!known.empty()) {
    SLIPWAY_ASSIGN_OR_RETURN(LinkInfo active, ActiveInfo(root, set));
    infos.push_back(std::move(active));
  }
  SLIPWAY_RETURN_IF_ERROR(AddCustom(root, options, set, infos));
  return infos;
}

}  // namespace slipway::deploy
