// cairn: one program, one subcommand a task.
#include <CLI/CLI.hpp>
#include <string>

#include "base/version.h"
#include "cli/aggregate.h"
#include "cli/exit_code.h"
#include "cli/inspect.h"
#ifdef CAIRN_WITH_SERVICE
#include "cli/gateway.h"
#include "cli/serve.h"
#include "cli/status.h"
#include "cli/watch.h"
#include "cli/worker.h"
#endif
#ifdef CAIRN_WITH_SIMULATION
#include "cli/simulate.h"
#endif

int main(int argc, char** argv) {
  CLI::App app("Cairn combines LoRA adapters that were trained apart, exactly, whatever their ranks.");
  app.set_version_flag("--version", std::string("cairn ") + cairn::kVersion);
  app.require_subcommand(1);
  app.footer("`cairn COMMAND --help` explains each with an example.");
  cairn::AddAggregate(app);
  cairn::AddInspect(app);
#ifdef CAIRN_WITH_SERVICE
  cairn::AddServe(app);
  cairn::AddGateway(app);
  cairn::AddStatus(app);
  cairn::AddWatch(app);
  cairn::AddWorker(app);
#endif
#ifdef CAIRN_WITH_SIMULATION
  cairn::AddSimulate(app);
#endif
  try {
    app.parse(argc, argv);
  } catch (const CLI::RuntimeError& outcome) {
    return outcome.get_exit_code();  // The command has said why.
  } catch (const CLI::ParseError& error) {
    return app.exit(error) == 0 ? 0 : cairn::kExitUsage;  // Help and version are no errors.
  }
  return 0;
}
