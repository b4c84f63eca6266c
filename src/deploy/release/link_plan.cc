#include "deploy/release/link_plan.h"

#include <algorithm>
#include <set>
#include <utility>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "absl/strings/strip.h"
#include "deploy/model/errors.h"
#include "deploy/release/links.h"
#include "deploy/release/state.h"

namespace slipway::deploy {
namespace {

absl::Status Occupied(const std::string& path, bool adoptable) {
  return Error(
      Dt::kExists, absl::StrCat("set link ", path, ": something that is no link lies there"),
      adoptable ? "move it away, or use --adopt to have it moved to a backup" : "move it away");
}

absl::Status BadLink(const std::string& path, absl::string_view reason) {
  return Error(Dt::kConfig,
               absl::StrCat("custom link ", base::EscapeForTerminal(path), ": ", reason),
               "correct deploy.custom_links");
}

// Absolute paths beneath the root become relative ones; trailing slashes go.
absl::StatusOr<std::string> NormalPath(const Root& root, const std::string& given) {
  absl::string_view path = given;
  while (path.size() > 1 && absl::ConsumeSuffix(&path, "/")) {
  }
  const std::string prefix = root.path == "/" ? "/" : root.path + "/";
  absl::ConsumePrefix(&path, prefix);
  absl::string_view relative = path;
  absl::ConsumePrefix(&relative, "/");
  if (!base::CheckRelative(relative).ok()) return BadLink(given, "no plain path");
  return std::string(path);
}

bool IsAtOrAbove(absl::string_view path, absl::string_view other) {
  return path == "/" || other == path || absl::StartsWith(other, absl::StrCat(path, "/"));
}

// `path`, absolute, without symbolic links above its last name, as far as it exists.
std::string RealPlace(const Root& root, const std::string& path) {
  auto [parent, rest] = base::SplitPath(path);
  while (!parent.empty()) {
    const auto real = root.world.files.Canonical(parent);
    if (real.ok()) return base::JoinPath(*real, path.substr(parent.size() + 1));
    parent = base::SplitPath(parent).first;
  }
  return path;
}

// What a link at `path` would take away, were it to replace what lies there (D26).
absl::Status CheckTakesNothing(const Root& root, const LinkOptions& options,
                               const std::string& given, const std::string& path) {
  const std::string real =
      RealPlace(root, absl::StartsWith(path, "/") ? path : base::JoinPath(root.path, path));
  if (IsAtOrAbove(real, root.path)) return BadLink(given, "the deploy root is there, or below it");
  for (const std::string& kept : options.keep) {
    if (!IsAtOrAbove(real, RealPlace(root, kept))) continue;
    return BadLink(given, absl::StrCat(base::EscapeForTerminal(kept), " is there, or below it"));
  }
  return absl::OkStatus();
}

// The type in "links/<type>[/…]" or "components/<type>/current[/…]", else empty.
std::string TypeInTarget(absl::string_view target) {
  const std::vector<absl::string_view> parts = absl::StrSplit(target, '/');
  const bool link = parts.size() >= 2 && parts[0] == kLinksDir;
  const bool current = parts.size() >= 3 && parts[0] == kComponentsDir && parts[2] == kCurrentName;
  return link || current ? std::string(parts[1]) : "";
}

absl::StatusOr<WantedLink> Wanted(const Root& root, const CustomLink& custom) {
  WantedLink wanted;
  SLIPWAY_ASSIGN_OR_RETURN(wanted.path, NormalPath(root, custom.path));
  const bool inside = !absl::StartsWith(wanted.path, "/");
  if (inside) {
    const absl::string_view top = absl::string_view(wanted.path).substr(0, wanted.path.find('/'));
    for (const absl::string_view own : {kComponentsDir, kGenerationsDir, kToolDir, kActiveLink}) {
      if (top == own) return BadLink(custom.path, absl::StrCat(own, " belongs to deploy-tool"));
    }
    const auto [parent, name] = base::SplitPath(wanted.path);
    if (top == kLinksDir && (parent.empty() || CheckType(name).ok())) {
      return BadLink(custom.path, "links/<type> belongs to deploy-tool");
    }
  }
  SLIPWAY_ASSIGN_OR_RETURN(const std::string target, NormalPath(root, custom.target));
  wanted.type = TypeInTarget(target);
  if (absl::StartsWith(target, "/")) {
    wanted.text = target;
  } else if (inside) {
    // Relative, so that the root may move.
    const auto depth = std::count(wanted.path.begin(), wanted.path.end(), '/');
    for (auto i = depth; i > 0; --i) wanted.text += "../";
    wanted.text += target;
  } else {
    wanted.text = base::JoinPath(root.path, target);
  }
  return wanted;
}

// Directories above `path` that are missing, topmost first.
absl::StatusOr<std::vector<std::string>> MissingParents(const Root& root, const std::string& path) {
  std::vector<std::string> missing;
  std::string parent(base::SplitPath(path).first);
  while (!parent.empty() && parent != "/") {
    const auto there = absl::StartsWith(parent, "/") ? root.world.files.OpenRoot(parent)
                                                     : root.dir->OpenDir(parent);
    if (there.ok()) break;
    if (!absl::IsNotFound(there.status())) {
      return RootError(there.status(), absl::StrCat("set link ", path));
    }
    missing.insert(missing.begin(), parent);
    parent = std::string(base::SplitPath(parent).first);
  }
  return missing;
}

std::string BackupName(const Root& root, const std::string& path) {
  return absl::StrCat(
      path, ".bak-",
      absl::FormatTime("%Y%m%dT%H%M%SZ", root.world.clock.Wall(), absl::UTCTimeZone()));
}

// The first regular file below `dir`, opened; or any directory at all, if there is no file.
absl::Status OpenAnyFile(base::Dir& dir, int depth) {
  SLIPWAY_ASSIGN_OR_RETURN(const auto cursor, dir.List());
  for (;;) {
    SLIPWAY_ASSIGN_OR_RETURN(const auto entry, cursor->Next());
    if (!entry) return absl::OkStatus();
    if (entry->kind == base::FileKind::kFile) {
      const auto opened = dir.Open(entry->name, base::OpenOptions());
      // A file that was packed unreadable is not the links' fault.
      return absl::IsPermissionDenied(opened.status()) ? absl::OkStatus() : opened.status();
    }
    if (entry->kind == base::FileKind::kDirectory && depth > 0) {
      const auto below = dir.OpenDir(entry->name);
      if (below.ok()) return OpenAnyFile(**below, depth - 1);
    }
  }
}

absl::Status VerifyOne(const Root& root, const Component& component, bool links) {
  SLIPWAY_ASSIGN_OR_RETURN(const std::string current, ReadCurrent(*root.dir, component.type));
  if (current != component.version) {
    return absl::AbortedError(absl::StrCat("current names \"", current, "\""));
  }
  constexpr int kDepth = 8;
  const std::string path = links ? TypeLink(component.type) : CurrentLink(component.type);
  SLIPWAY_ASSIGN_OR_RETURN(const auto dir,
                           root.world.files.OpenRoot(base::JoinPath(root.path, path)));
  SLIPWAY_ASSIGN_OR_RETURN(const auto real, dir->Stat("."));
  SLIPWAY_ASSIGN_OR_RETURN(const auto direct, root.dir->Stat(VersionDir(component)));
  if (real.inode != direct.inode) return absl::AbortedError("it leads elsewhere");
  return OpenAnyFile(*dir, kDepth);
}

}  // namespace

absl::StatusOr<std::vector<WantedLink>> WantedCustomLinks(const Root& root,
                                                          const LinkOptions& options) {
  std::vector<WantedLink> wanted;
  std::set<std::string> paths;
  for (const CustomLink& custom : options.custom) {
    SLIPWAY_ASSIGN_OR_RETURN(WantedLink link, Wanted(root, custom));
    if (!paths.insert(link.path).second) return BadLink(custom.path, "the path is given twice");
    SLIPWAY_RETURN_IF_ERROR(CheckTakesNothing(root, options, custom.path, link.path));
    wanted.push_back(std::move(link));
  }
  for (const WantedLink& link : wanted) {
    const auto above = std::find_if(paths.begin(), paths.end(), [&](const std::string& path) {
      return path != link.path && IsAtOrAbove(path, link.path);
    });
    if (above != paths.end()) {
      return BadLink(link.path, absl::StrCat("it is below the custom link ", *above));
    }
  }
  return wanted;
}

absl::Status PlanLink(const Root& root, const std::string& path, const std::string& text,
                      const LinkOptions& options, LinkPlan& plan) {
  SLIPWAY_ASSIGN_OR_RETURN(const LinkAt at, ReadLinkAt(root, path));
  if (at.is_link && SameTarget(at.target, text)) return absl::OkStatus();
  LinkChange change{path, at.target, text, ""};
  if (at.exists && !at.is_link) {
    if (!options.adopt) return Occupied(path, true);
    change.moved_to = BackupName(root, path);
  }
  plan.links.push_back(std::move(change));
  return absl::OkStatus();
}

absl::Status PlanCustomLinks(const Root& root, const LinkOptions& options, LinkPlan& plan) {
  SLIPWAY_ASSIGN_OR_RETURN(const auto wanted, WantedCustomLinks(root, options));
  for (const WantedLink& link : wanted) {
    if (!link.type.empty() && plan.set.count(link.type) == 0) {
      plan.warnings.push_back(
          absl::StrCat("custom link ", link.path, " waits for a deployed ", link.type));
      continue;
    }
    SLIPWAY_ASSIGN_OR_RETURN(const auto missing, MissingParents(root, link.path));
    if (!missing.empty() && !options.create_parents) {
      return Error(Dt::kPathNotFound,
                   absl::StrCat("set link ", link.path, ": the directory ", missing.back(),
                                " does not exist"),
                   "make it, or set deploy.create_parents: true");
    }
    for (const std::string& dir : missing) {
      if (std::find(plan.dirs.begin(), plan.dirs.end(), dir) == plan.dirs.end()) {
        plan.dirs.push_back(dir);
      }
    }
    SLIPWAY_RETURN_IF_ERROR(PlanLink(root, link.path, link.text, options, plan));
  }
  return absl::OkStatus();
}

absl::Status PlanGeneration(const Root& root, LinkPlan& plan) {
  SLIPWAY_ASSIGN_OR_RETURN(const LinkAt at, ReadLinkAt(root, kActiveLink));
  if (at.exists && !at.is_link) return Occupied(kActiveLink, false);
  SLIPWAY_ASSIGN_OR_RETURN(plan.generation, NextGenerationNumber(*root.dir));
  plan.active.push_back({kActiveLink, at.target, GenerationDir(*plan.generation), ""});
  return absl::OkStatus();
}

absl::StatusOr<LinkPlan> PlanLinks(const Root& root, const std::vector<Component>& activate,
                                   const LinkOptions& options) {
  LinkPlan plan;
  SLIPWAY_ASSIGN_OR_RETURN(plan.set, ReadActiveSet(*root.dir));
  for (const Component& component : activate) {
    const std::string path = CurrentLink(component.type);
    SLIPWAY_ASSIGN_OR_RETURN(const LinkAt at, ReadLinkAt(root, path));
    if (at.exists && !at.is_link) return Occupied(path, false);
    plan.set[component.type] = component.version;
    if (at.is_link && SameTarget(at.target, component.version)) continue;
    plan.switches.push_back({path, at.target, component.version, ""});
  }
  SLIPWAY_ASSIGN_OR_RETURN(const auto active, ReadActiveGeneration(*root.dir));
  if (!plan.switches.empty() || (!active && !plan.set.empty())) {
    SLIPWAY_RETURN_IF_ERROR(PlanGeneration(root, plan));
  }
  for (const Component& component : activate) {
    if (!options.enabled) break;
    SLIPWAY_RETURN_IF_ERROR(
        PlanLink(root, TypeLink(component.type), TypeLinkTarget(component.type), options, plan));
  }
  SLIPWAY_RETURN_IF_ERROR(PlanCustomLinks(root, options, plan));
  return plan;
}

absl::Status VerifyLinked(const Root& root, const std::vector<Component>& activated, bool links) {
  for (const Component& component : activated) {
    const absl::Status verified = VerifyOne(root, component, links);
    if (!verified.ok()) {
      return RootError(verified, absl::StrCat("verify the links of ", component.ToString()));
    }
  }
  return absl::OkStatus();
}

}  // namespace slipway::deploy
