// Planted bugs. `if (SLIPWAY_MUTANT("no-fsync")) return OkStatus();` is compiled in only with
// SLIPWAY_MUTANTS, and is on only while the environment variable of that name chooses it: so that
// `make mutants` can show that a test turns red. Product builds never contain them.
#pragma once

#ifdef SLIPWAY_MUTANTS
namespace slipway::base {
bool MutantChosen(const char* name);
}  // namespace slipway::base
#define SLIPWAY_MUTANT(name) (::slipway::base::MutantChosen(name))
#else
#define SLIPWAY_MUTANT(name) (false)
#endif
