// The program zako: everything but main. This version has `zako cas …` (Z143). Thread-compatible.
#pragma once

#include <functional>
#include <memory>
#include <string>

#include "base/cli/program.h"
#include "base/status.h"
#include "base/world.h"
#include "cas/client/remote_store.h"

namespace slipway::zako::cli {

// Opens what commands talk to; a test gives its own.
struct CasServers {
  std::function<base::Owned<cas::RemoteStore>(const cas::RemoteOptions&, base::World&)> store;
  std::function<base::Owned<cas::CasAdmin>(const cas::RemoteOptions&, base::World&)> admin;
};
CasServers RealCasServers();

// What global options say (Z18).
struct GlobalOptions {
  std::string directory;  // relative paths start there; empty: the working directory
  bool silent = false, verbose = false;
  std::string progress = "auto";
};

// A program for one run.
class Zako {
 public:
  Zako(const std::string& version, CasServers servers);
  ~Zako();
  base::cli::Program& program() { return *program_; }

 private:
  const CasServers servers_;
  GlobalOptions globals_;
  std::unique_ptr<base::cli::Program> program_;
};

// Exit codes (Z26): 1 failed, 2 usage or configuration, 3 server unreachable, 4 internal.
int ExitCodeOf(const absl::Status& status);

}  // namespace slipway::zako::cli
