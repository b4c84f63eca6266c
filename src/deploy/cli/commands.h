// The commands of deploy-tool, one file a family. Each adds its commands to the program; `context`
// lives as long as it. Thread-compatible.
#pragma once

#include "base/cli/program.h"
#include "deploy/cli/context.h"

namespace slipway::deploy::cli {

void AddInit(Program& program, Context& context);       // init
void AddPack(Program& program, Context& context);       // pack
void AddPublish(Program& program, Context& context);    // publish, release create
void AddDeploy(Program& program, Context& context);     // deploy
void AddVersion(Program& program, Context& context);    // version list, switch, verify
void AddRollback(Program& program, Context& context);   // rollback, generation list
void AddLinks(Program& program, Context& context);      // links list, verify, repair
void AddComponent(Program& program, Context& context);  // component list, show; release list, show
void AddStatus(Program& program, Context& context);     // status, history, recover
void AddConfig(Program& program, Context& context);     // config show, validate; paths

// What completes names of installed or packed components.
base::cli::Completer CompleteTypes(Context& context);
base::cli::Completer CompleteSpecs(Context& context);

}  // namespace slipway::deploy::cli
