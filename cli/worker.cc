#include "cli/worker.h"

#include <signal.h>
#include <spdlog/sinks/stdout_color_sinks.h>
#include <spdlog/spdlog.h>
#include <sys/prctl.h>
#include <unistd.h>

#include <filesystem>
#include <memory>
#include <string>
#include <system_error>

#include "absl/strings/str_cat.h"
#include "cli/outcome.h"
#include "server/tree/worker.h"

namespace cairn {
namespace {

constexpr char kFooter[] =
    "Example:\n"
    "  cairn serve --config FILE --workers 2 &      # with `workers_by_hand: true` in the file\n"
    "  cairn worker --node out/server/node &\n"
    "  cairn worker --node out/server/node &\n"
    "\n"
    "A worker adds up the updates of one node where they lie, in shared memory or in files: `cairn serve --workers N`\n"
    "starts N of them itself. All workers are alike; what each does, the server decides. It ends when the server "
    "does,\n"
    "and may be killed at any time: others then do its work again. docs/operations.md has more.\n";

struct Flags {
  std::string node;
  pid_t parent = 0;
};

absl::Status Work(const Flags& flags) {
  spdlog::set_default_logger(spdlog::stderr_color_mt("cairn"));
  spdlog::set_pattern("%Y-%m-%dT%H:%M:%S.%e %^%l%$ worker: %v");
  if (flags.parent != 0) {
    ::prctl(PR_SET_PDEATHSIG, SIGKILL);
    if (::getppid() != flags.parent) return absl::OkStatus();  // It has gone already.
  }
  if (std::error_code none; !std::filesystem::is_directory(flags.node, none)) {
    return absl::NotFoundError(absl::StrCat("--node ", flags.node,
                                            ": expected the directory of a node that runs with workers: DATA_DIR/node "
                                            "of a server, DATA_DIR/workers of a gateway"));
  }
  return tree::RunWorker(flags.node);
}

}  // namespace

void AddWorker(CLI::App& app) {
  CLI::App* command = app.add_subcommand("worker", "Fold the updates of one node; `cairn serve` starts them itself");
  auto flags = std::make_shared<Flags>();
  command
      ->add_option("-n,--node", flags->node,
                   "Directory of the node: DATA_DIR/node of its server, DATA_DIR/workers of its gateway")
      ->required();
  command->add_option("--parent", flags->parent, "End with this process, which started it")->group("");
  command->footer(kFooter);
  command->callback([flags] { Conclude("worker", Work(*flags)); });
}

}  // namespace cairn
