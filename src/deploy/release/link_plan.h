// What links should be, and what has to change for it (D20, D26, D173). Reads only.
// Thread-safe: free functions.
#pragma once

#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "deploy/release/layout.h"
#include "deploy/release/options.h"
#include "deploy/release/steps.h"

namespace slipway::deploy {

// A custom link as it should be.
struct WantedLink {
  std::string path;  // relative to the root, or absolute outside it
  std::string text;  // of the symlink
  std::string type;  // the component it leads to; empty: something else
};

// DT001: a path twice or below another one, inside components/, generations/ or .deploy-tool/, one
// of the built-in links, with ".." in it, or one at or above the root or one of options.keep.
absl::StatusOr<std::vector<WantedLink>> WantedCustomLinks(const Root& root,
                                                          const LinkOptions& options);

// Plans that `activate` become current, in this order, and that their links and the custom links
// are right. Nothing to do: an empty plan. DT012: something that is no symlink lies at a link's
// path (unless options.adopt, for links/ and custom links). DT002: the directory of a custom link
// is missing and create_parents is off.
absl::StatusOr<LinkPlan> PlanLinks(const Root& root, const std::vector<Component>& activate,
                                   const LinkOptions& options);

// Adds what makes `link` lead to `text`, if it does not.
absl::Status PlanLink(const Root& root, const std::string& path, const std::string& text,
                      const LinkOptions& options, LinkPlan& plan);
// Adds what the custom links need; those that lead to a component that is not in the set of `plan`
// wait, with a warning.
absl::Status PlanCustomLinks(const Root& root, const LinkOptions& options, LinkPlan& plan);
// Adds the generation and `active` for the set of `plan`.
absl::Status PlanGeneration(const Root& root, LinkPlan& plan);

// After the links were changed: every switched component is where its links say, and a file of it
// opens through them (D30).
absl::Status VerifyLinked(const Root& root, const std::vector<Component>& activated, bool links);

}  // namespace slipway::deploy
