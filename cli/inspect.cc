#include "cli/inspect.h"

#include <CLI/CLI.hpp>
#include <algorithm>
#include <cstdio>
#include <memory>
#include <utility>
#include <vector>

#include "absl/strings/escaping.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "adapter/directory.h"
#include "base/status_macros.h"
#include "base/table.h"
#include "cli/lora_norm.h"
#include "cli/outcome.h"

namespace cairn {
namespace {

constexpr char kFooter[] =
    "Example:\n"
    "  cairn inspect out/adapter\n"
    "\n"
    "prints one line a module:\n"
    "  module           d_out x d_in  rank  scale  dtype  ||BA||_F\n"
    "  layers.0.attn.q     128 x 128     8      2    F32    0.4121\n"
    "\n"
    "The module's weight changes by scale * B * A. A norm of 0 means that the module was not trained; values that are\n"
    "NaN or infinite are reported as warnings.\n";

using Row = std::vector<std::string>;

std::string DTypes(const LoraModule& module) {
  if (module.a.dtype == module.b.dtype) return std::string(NameOf(module.a.dtype));
  return absl::StrCat(NameOf(module.a.dtype), "/", NameOf(module.b.dtype));
}

Row RowOf(const LoraModule& module, double norm) {
  return {absl::CHexEscape(module.name),
          absl::StrCat(module.d_out, " x ", module.d_in),
          absl::StrCat(module.rank),
          absl::StrFormat("%.4g", module.scale),
          DTypes(module),
          absl::StrFormat("%.4g", norm)};
}

// Columns two spaces apart; the first to the left, numbers to the right.
std::string Summary(const StoredAdapter& stored) {
  const std::vector<LoraModule>& modules = stored.adapter.modules;
  std::int64_t parameters = 0;
  std::int64_t rank_min = modules.front().rank;
  std::int64_t rank_max = rank_min;
  for (const LoraModule& module : modules) {
    parameters += module.a.elements() + module.b.elements();
    rank_min = std::min(rank_min, module.rank);
    rank_max = std::max(rank_max, module.rank);
  }
  const std::string& base = stored.adapter.config.base_model;
  return absl::StrCat(
      modules.size(), modules.size() == 1 ? " module, " : " modules, ", parameters, " parameters, ",
      stored.file.bytes().size(), " bytes, base model ", base.empty() ? "not named" : absl::CHexEscape(base),
      rank_min == rank_max ? absl::StrCat(", rank ", rank_min) : absl::StrCat(", ranks ", rank_min, " to ", rank_max),
      "\n");
}

// What is wrong with a module's values; empty when nothing is.
std::string Warning(const LoraModule& module, double norm) {
  const absl::Status finite = CheckFinite(Adapter{.modules = {module}});
  if (!finite.ok()) return absl::StrCat("warning: ", finite.message(), "\n");
  if (norm == 0)
    return absl::StrCat("warning: module \"", absl::CHexEscape(module.name), "\": changes nothing: B * A is 0\n");
  return "";
}

void PrintInspection(const std::string& directory) {
  const absl::StatusOr<std::string> report = InspectAdapter(directory);
  Conclude("inspect", report.status());
  std::fputs(report->c_str(), stdout);
}

}  // namespace

absl::StatusOr<std::string> InspectAdapter(const std::filesystem::path& directory) {
  CAIRN_ASSIGN_OR_RETURN(const StoredAdapter stored, OpenAdapterDirectory(directory));
  std::vector<Row> rows = {{"module", "d_out x d_in", "rank", "scale", "dtype", "||BA||_F"}};
  std::string warnings;
  for (const LoraModule& module : stored.adapter.modules) {
    const double norm = FrobeniusNormOfProduct(module);
    rows.push_back(RowOf(module, norm));
    warnings += Warning(module, norm);
  }
  return absl::StrCat(FormatTable(rows, Align::kRight), "\n", Summary(stored), warnings);
}

void AddInspect(CLI::App& app) {
  CLI::App* command = app.add_subcommand("inspect", "Show the modules, ranks, scales and norms of a LoRA adapter");
  const auto directory = std::make_shared<std::string>();
  command
      ->add_option("ADAPTER_DIR", *directory,
                   "Folder with adapter_config.json and adapter_model.safetensors, as PEFT writes it")
      ->required();
  command->footer(kFooter);
  command->callback([directory] { PrintInspection(*directory); });
}

}  // namespace cairn
