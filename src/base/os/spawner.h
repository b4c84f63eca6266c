// base::Spawner over processes of the system. Thread-safe.
#pragma once

#include "base/spawner.h"

namespace slipway::base::os {

struct SpawnerOptions {
  // A child is killed when the thread that called Spawn ends, so also when this process does,
  // however that comes; not what the child has started. For programs that spawn on their main
  // thread.
  bool children_end_with_thread = false;
};

// A child gets default dispositions and an empty signal mask, whatever World set here; its standard
// input is `stdin_text` or /dev/null; no other descriptor of this process reaches it.
//
// What it writes is read in Wait: a child that writes more than a pipe holds (64 KiB) stops there
// until somebody waits. Wait returns when the child itself has ended, also where a grandchild still
// holds its pipes. ResourceExhausted: it wrote more than allowed, and has been killed.
class SystemSpawner : public Spawner {
 public:
  explicit SystemSpawner(SpawnerOptions options = {}) : options_(options) {}
  Owned<Process> Spawn(SpawnOptions options) override;

 private:
  const SpawnerOptions options_;
};

}  // namespace slipway::base::os
