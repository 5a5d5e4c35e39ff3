#include "cli/aggregate.h"

#include <CLI/CLI.hpp>
#include <cstdio>
#include <memory>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "aggregators/guard.h"
#include "aggregators/registry.h"
#include "aggregators/rule.h"
#include "cli/exit_code.h"
#include "cli/outcome.h"

namespace cairn {
namespace {

constexpr char kFooter[] =
    "Examples:\n"
    "  cairn aggregate client1/ client2/ client3/ --examples 1200,300,80 --out merged/\n"
    "  cairn aggregate c*/ --combine svd --publish rank=16 --report report.json --out merged/\n"
    "  cairn aggregate c*/ --publish merged --base model.safetensors --out new_base/\n"
    "\n"
    "The output must not exist, and is there whole or not at all. Exit codes: 0 done; 1 the inputs cannot be combined\n"
    "that way; 2 wrong command line; 3 files: not there, not readable, no room or memory, output exists; 128 + N "
    "after\n"
    "signal N.\n"
    "docs/aggregate.md explains forms, types and the report; docs/rules.md the rules.\n";

void AddChoices(CLI::App& command, AggregateFlags& flags) {
  command.add_option("--examples", flags.examples, "Example counts, N,N,...: one for each input; default equal");
  command.add_option("--combine", flags.combine,
                     absl::StrCat("How factors merge, NAME[:key=value,...]: ", absl::StrJoin(AggregatorNames(), ", "),
                                  "; default stack for LoRA, dense_mean for other tensors"));
  command
      .add_option("--rule", flags.rule,
                  absl::StrCat("How much each client counts, NAME[:key=value,...]: ", absl::StrJoin(RuleNames(), ", ")))
      ->capture_default_str();
  command
      .add_option("--guard", flags.guards,
                  absl::StrCat("Applied to the updates before the rule, in order, NAME[:key=value,...]; repeatable: ",
                               absl::StrJoin(GuardNames(), ", ")))
      ->allow_extra_args(false);
  command.add_option("--publish", flags.publish,
                     "stack, merged, rank=N, energy=E, ranks=FILE (lines of: client rank [alpha]), widest; default the "
                     "combine rule's own, mostly stack");
  command.add_option("--base", flags.base, "For --publish merged: the model, a .safetensors file, index or folder");
}

void AddRuleInputs(CLI::App& command, AggregateFlags& flags) {
  command
      .add_option("--rule-module", flags.rule_modules,
                  "What rules and guards look at: a module's or tensor's name, or its end behind a dot (q_proj); "
                  "repeatable; default all")
      ->allow_extra_args(false);
  command.add_option("--relative-to", flags.relative_to,
                     "The adapter that clients started from: rules see what each changed, not what it has");
  command.add_option("--last", flags.last, "The result of the round before, for centered_clipping; default zero");
  command.add_option("--history", flags.history,
                     "For foolsgold: a folder of adapters, CLIENT/ each: the sum of what the client sent before");
}

void AddFiles(CLI::App& command, AggregateFlags& flags) {
  command.add_option("-o,--out", flags.out, "The folder to write; for bare files a .safetensors file")->required();
  command.add_option("--report", flags.report, "Write weights, ranks and errors to this file, as JSON");
  command.add_flag("--gram", flags.gram, "Inner products of all pairs of clients in the report");
  command.add_option("--device", flags.device, "Where modules are compressed: cpu or cuda:N")->capture_default_str();
  command.add_option("--dtype", flags.dtype, "Type of the output, f64, f32, bf16 or f16; default the widest input");
  command.add_option("--threads", flags.threads, "Default one a processor")->check(CLI::Range(1, 1024));
  command.add_flag("--force", flags.force, "Combine adapters of base models with different names");
}

}  // namespace

void AddAggregate(CLI::App& app) {
  CLI::App* command = app.add_subcommand("aggregate", "Combine adapters from folders and files");
  const auto flags = std::make_shared<AggregateFlags>();
  command
      ->add_option("INPUT", flags->inputs,
                   "PEFT adapter folders, or .safetensors files of named tensors; the base name is the client id")
      ->required();
  AddChoices(*command, *flags);
  AddRuleInputs(*command, *flags);
  AddFiles(*command, *flags);
  command->footer(kFooter);
  command->callback([flags] {
    const auto request = ParseAggregateFlags(*flags);
    Conclude("aggregate", request.status(), kExitUsage);
    const auto summary = Aggregate(*request);
    Conclude("aggregate", summary.status(), ExitCodeOf(summary.status()));
    std::fputs(summary->c_str(), stdout);
  });
}

}  // namespace cairn
