// The places where a test can make a change of a deploy root fail or die (base/failpoint.h): before
// and after each step, "deploy.<step>.before" and ".after". The same steps make up deploy,
// redeploy, release, switch, rollback and repair; a test runs over this table.
#pragma once

#include "base/failpoint.h"

#ifdef SLIPWAY_FAULTS

namespace slipway::deploy {

inline constexpr const char* kFailpointSteps[] = {
    "begin",    // the journal appears
    "fetch",    // a package into the cache, once for each component
    "stage",    // extracted, verified, synced; once for each component
    "place",    // staged things get their place, all of the transaction
    "gen",      // generations/<n>
    "switch",   // all current links
    "active",   // active
    "link",     // links/<type> and custom links
    "commit",   // the COMMIT record; after it, all goes forward
    "state",    // state/<type>.json
    "history",  // history.jsonl
    "end",      // the journal goes
    "undo",     // each step that is undone, also by recovery
};
// And in each link change, between the temporary symlink and its rename: "deploy.rename.before".

}  // namespace slipway::deploy

#endif
