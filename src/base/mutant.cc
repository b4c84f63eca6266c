#include "base/mutant.h"

#ifdef SLIPWAY_MUTANTS

#include <cstdlib>
#include <string>

namespace slipway::base {

bool MutantChosen(const char* name) {
  // The one getenv outside base/os: a planted bug must reach code that is handed no World.
  static const std::string& chosen = *[] {
    const char* value = std::getenv("SLIPWAY_MUTANT");
    return new std::string(value == nullptr ? "" : value);
  }();
  return chosen == name;
}

}  // namespace slipway::base

#endif  // SLIPWAY_MUTANTS
