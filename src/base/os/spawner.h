// base::Spawner by posix_spawn. Thread-safe.
#pragma once

#include "base/spawner.h"

namespace slipway::base::os {

// A child gets default dispositions and an empty signal mask, whatever World set here; its standard
// input is `stdin_text` or /dev/null; no other descriptor of this process reaches it.
//
// What it writes is read in Wait: a child that writes more than a pipe holds (64 KiB) stops there
// until somebody waits. Wait returns when the child itself has ended, also where a grandchild still
// holds its pipes. ResourceExhausted: it wrote more than allowed, and has been killed.
class SystemSpawner : public Spawner {
 public:
  Owned<Process> Spawn(SpawnOptions options) override;
};

}  // namespace slipway::base::os
