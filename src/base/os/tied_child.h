// Starts a program that ends with the thread that started it, which posix_spawn cannot.
// Thread-safe: free function.
#pragma once

#include <sys/types.h>

#include <string>

namespace slipway::base::os {

struct TiedChild {
  char* const* argv = nullptr;  // argv[0]: absolute path, or a name looked up in PATH
  char* const* env = nullptr;
  std::string cwd;        // empty: inherited
  int standard[3] = {};   // what become its first three descriptors; below 0: inherited
  bool new_group = true;  // a process group of its own
};

// 0 and the process id once the program runs, or an errno. The kernel kills it when the calling
// thread ends, and so also whenever this process does, were it by SIGKILL.
int SpawnTied(const TiedChild& child, pid_t* pid);

}  // namespace slipway::base::os
