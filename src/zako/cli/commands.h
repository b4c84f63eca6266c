// The commands, one function each; what is given outlives the program. Private to this folder.
#pragma once

#include "base/cli/program.h"
#include "zako/cli/zako.h"

namespace slipway::zako::cli {

void AddPut(base::cli::Program& program, const CasServers& servers, const GlobalOptions& globals);
void AddGet(base::cli::Program& program, const CasServers& servers, const GlobalOptions& globals);
void AddStat(base::cli::Program& program, const CasServers& servers, const GlobalOptions& globals);
void AddList(base::cli::Program& program, const CasServers& servers, const GlobalOptions& globals);
void AddRemove(base::cli::Program& program, const CasServers& servers,
               const GlobalOptions& globals);
void AddVerify(base::cli::Program& program, const CasServers& servers,
               const GlobalOptions& globals);
void AddGc(base::cli::Program& program, const CasServers& servers, const GlobalOptions& globals);

}  // namespace slipway::zako::cli
