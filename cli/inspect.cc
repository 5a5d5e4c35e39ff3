#include "cli/inspect.h"

#include <CLI/CLI.hpp>
#include <algorithm>
#include <cstdio>
#include <limits>
#include <memory>
#include <utility>
#include <vector>

#include "absl/strings/escaping.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/strings/str_join.h"
#include "adapter/directory.h"
#include "aggregators/module_values.h"
#include "base/status_macros.h"
#include "base/table.h"
#include "cli/exit_code.h"
#include "cli/outcome.h"
#include "cli/tensor_norm.h"

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
    "NaN or infinite are reported as warnings. The kind of layer is shown when some module is not linear. Tensors "
    "that\n"
    "are no LoRA factors (biases, modules_to_save, every other kind of adapter) follow, with their norms.\n"
    "\n"
    "Exit codes: 0 done; 1 not an adapter, or a broken one; 2 wrong command line; 3 files: not there, not readable.\n";

using Row = std::vector<std::string>;

std::string DTypes(const LoraModule& module) {
  if (module.a.dtype == module.b.dtype) return std::string(NameOf(module.a.dtype));
  return absl::StrCat(NameOf(module.a.dtype), "/", NameOf(module.b.dtype));
}

std::string Short(double value) { return absl::StrFormat("%.4g", value); }

std::string ShapeOf(const TensorView& tensor) {
  return tensor.shape.empty() ? "scalar" : absl::StrJoin(tensor.shape, " x ");
}

// What is wrong with a module's values; empty when nothing is.
std::string Warning(const LoraModule& module, double norm) {
  const absl::Status finite = CheckFinite(Adapter{.modules = {module}});
  if (!finite.ok()) return absl::StrCat("warning: ", finite.message(), "\n");
  if (norm == 0)
    return absl::StrCat("warning: module \"", absl::CHexEscape(module.name), "\": changes nothing: B * A is 0\n");
  return "";
}

std::string Modules(const std::vector<LoraModule>& modules, std::string& warnings) {
  if (modules.empty()) return "";
  const bool linear =
      std::all_of(modules.begin(), modules.end(), [](const LoraModule& m) { return m.layer == Layer{}; });
  std::vector<Row> rows = {{"module", "d_out x d_in", "rank", "scale", "dtype", "||BA||_F"}};
  if (!linear) rows[0].insert(rows[0].begin() + 1, "layer");
  for (const LoraModule& module : modules) {
    const double norm = NormOfProduct(module).value_or(std::numeric_limits<double>::quiet_NaN());
    rows.push_back({absl::CHexEscape(module.name), absl::StrCat(module.d_out, " x ", module.d_in),
                    absl::StrCat(module.rank), Short(module.scale), DTypes(module), Short(norm)});
    if (!linear) rows.back().insert(rows.back().begin() + 1, NameOf(module.layer));
    warnings += Warning(module, norm);
  }
  return FormatTable(rows, Align::kRight) + "\n";
}

std::string Tensors(const std::vector<DenseTensor>& tensors, std::string& warnings) {
  if (tensors.empty()) return "";
  std::vector<Row> rows = {{"tensor", "shape", "dtype", "norm"}};
  for (const DenseTensor& tensor : tensors) {
    const TensorView& view = tensor.view;
    rows.push_back({absl::CHexEscape(view.name), ShapeOf(view), std::string(NameOf(view.dtype)),
                    IsFloat(view.dtype) ? Short(NormOf(view)) : "-"});
    const absl::Status finite = CheckFinite(Adapter{.tensors = {tensor}});
    if (!finite.ok()) absl::StrAppend(&warnings, "warning: ", finite.message(), "\n");
  }
  return FormatTable(rows, Align::kRight) + "\n";
}

std::string Count(std::size_t count, absl::string_view what) {
  return count == 0 ? "" : absl::StrCat(count, " ", what, count == 1 ? ", " : "s, ");
}

// ", rank 8", ", ranks 4 to 16", or nothing without modules.
std::string Ranks(const std::vector<LoraModule>& modules) {
  if (modules.empty()) return "";
  const auto [min, max] =
      std::minmax_element(modules.begin(), modules.end(), [](const auto& x, const auto& y) { return x.rank < y.rank; });
  return min->rank == max->rank ? absl::StrCat(", rank ", min->rank)
                                : absl::StrCat(", ranks ", min->rank, " to ", max->rank);
}

std::string Summary(const StoredAdapter& stored) {
  const Adapter& adapter = stored.adapter;
  std::int64_t parameters = 0;
  for (const TensorView& tensor : stored.files.tensors()) parameters += tensor.elements();
  const PeftConfig& config = adapter.config;
  const std::string type = config.peft_type.empty() || config.kind == AdapterKind::kLora
                               ? ""
                               : absl::StrCat(absl::CHexEscape(config.peft_type), ", ");
  return absl::StrCat(type, Count(adapter.modules.size(), "module"), Count(adapter.tensors.size(), "tensor"),
                      parameters, " parameters, ", stored.files.bytes(), " bytes, base model ",
                      config.base_model.empty() ? "not named" : absl::CHexEscape(config.base_model),
                      Ranks(adapter.modules), "\n");
}

std::string Note(const PeftConfig& config) {
  if (config.kind != AdapterKind::kBilinear) return "";
  return absl::StrCat("note: the mean of such adapters is not the mean of what they do: ", config.kind_reason, "\n");
}

void PrintInspection(const std::string& path) {
  const absl::StatusOr<std::string> report = InspectAdapter(path);
  Conclude("inspect", report.status(), ExitCodeOf(report.status()));
  std::fputs(report->c_str(), stdout);
}

}  // namespace

absl::StatusOr<std::string> InspectAdapter(const std::filesystem::path& path) {
  CAIRN_ASSIGN_OR_RETURN(const StoredAdapter stored, OpenAdapterPath(path));
  std::string warnings;
  std::string report = Modules(stored.adapter.modules, warnings);
  report += Tensors(stored.adapter.tensors, warnings);
  return absl::StrCat(report, Summary(stored), Note(stored.adapter.config), warnings);
}

void AddInspect(CLI::App& app) {
  CLI::App* command =
      app.add_subcommand("inspect", "Show the modules, ranks, scales and norms of an adapter, and its other tensors");
  const auto path = std::make_shared<std::string>();
  command
      ->add_option(
          "ADAPTER", *path,
          "Folder with adapter_config.json and adapter_model.safetensors, as PEFT writes it, or a .safetensors "
          "file of named tensors")
      ->required();
  command->footer(kFooter);
  command->callback([path] { PrintInspection(*path); });
}

}  // namespace cairn
