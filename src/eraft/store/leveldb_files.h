// The files of LevelDB, for leveldb_engine.cc; the two are the only ones that include LevelDB. It
// reads them as ever. What it writes waits for room on the disk, and its logs are in frames, so
// that what a crash leaves of one is a prefix: docs/formats/eraft-keys.md.
#pragma once

#include <leveldb/env.h>

#include <string>

#include "base/files.h"
#include "eraft/store/disk_room.h"

namespace slipway::eraft {

// Thread-safe. `dir` is the directory `root`, beneath which LevelDB writes; all are outlived.
class LevelDbFiles : public leveldb::EnvWrapper {
 public:
  LevelDbFiles(std::string root, base::Dir& dir, DiskRoom& room);
  leveldb::Status NewSequentialFile(const std::string& name,
                                    leveldb::SequentialFile** out) override;
  leveldb::Status NewWritableFile(const std::string& name, leveldb::WritableFile** out) override;

 private:
  std::string root_;
  base::Dir& dir_;
  DiskRoom& room_;
};

}  // namespace slipway::eraft
