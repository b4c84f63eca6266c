// A disk on which files may be larger than the machine: those whose names begin with "huge" have
// bytes that follow from their place, are made up when they are read, and compared when they are
// written. What is on the disk beneath is their length, so that power losses, names and syncs are
// as of any file. And an engine whose checkpoints have such files beside its own. Only for tests.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "absl/strings/string_view.h"
#include "absl/types/span.h"
#include "base/files.h"
#include "eraft/store/engine.h"

namespace slipway::eraft {

// Of the huge file with this number.
std::string HugeName(uint64_t number);
// Its bytes from `offset_bytes`, a multiple of 8, on. No two places of any two files are alike.
void MakeHugeBytes(uint64_t number, uint64_t offset_bytes, absl::Span<uint8_t> out);

// `disk` as such a disk. A write must go to the end of its file, as of one who receives it.
std::unique_ptr<base::Dir> HugeDisk(std::unique_ptr<base::Dir> disk);

// The memory engine beneath `root`, a HugeDisk that outlives it. Each checkpoint has huge files of
// these sizes, in the order of their numbers; a copy of one is a hard link.
std::unique_ptr<EngineHome> HugeHome(base::Dir& root, std::vector<uint64_t> sizes_bytes);

}  // namespace slipway::eraft
