// The index in LMDB: <root>/index.mdb. lmdb.h stays in the .cc. Does its own I/O, so it is not part
// of simulation; what it loses is rebuilt.
#pragma once

#include <cstdint>
#include <string>

#include "base/files.h"
#include "base/status.h"
#include "cas/store/index.h"

namespace slipway::cas {

// Opens the index of the directory, which the caller has locked; `files` are those of the system
// and outlive it. LMDB trusts what it maps, and would crash on a damaged file: so an existing file
// is opened only when it is, byte by byte, what PutCleanMark left (index.clean has its hash), and
// is else removed: the index is then empty and TakeCleanMark says false.
//
// FailedPrecondition: a network file system. DataLoss: the file is not what was closed (move it
// away: it is rebuilt). Thread-safe. Applies durably whether asked to or not.
base::Owned<Index> OpenLmdbIndex(base::Files& files, const std::string& root);

// Whether statfs(2) calls a file system so that is shared between machines, where mappings and
// locks do not hold.
bool IsNetworkFilesystem(uint64_t magic);

}  // namespace slipway::cas
