// The files of RocksDB, for rocksdb_engine.cc; the two are the only ones that include RocksDB. What
// it writes waits for room on the disk, but for the tables of compactions, which fail.
#pragma once

#include <rocksdb/env.h>

#include <memory>
#include <string>

#include "eraft/store/disk_room.h"

namespace slipway::eraft {

// `room` outlives it. Thread-safe.
std::unique_ptr<rocksdb::Env> RocksDbEnv(DiskRoom& room);

// The table that this thread is about to write is of a compaction; empty: it is not. RocksDB tells
// only listeners why a table is written, on the same thread just before.
void NoteTableOfCompaction(std::string path);

}  // namespace slipway::eraft
