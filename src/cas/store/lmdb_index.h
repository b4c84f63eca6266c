// The index in LMDB: <root>/index.mdb. lmdb.h stays in the .cc. Does its own I/O, so it is not part
// of simulation; what it loses is rebuilt.
#pragma once

#include <string>

#include "base/status.h"
#include "cas/store/index.h"

namespace slipway::cas {

// FailedPrecondition: a network file system. DataLoss: the file is no index (remove it: it is
// rebuilt). Thread-safe.
base::Owned<Index> OpenLmdbIndex(const std::string& root);

}  // namespace slipway::cas
