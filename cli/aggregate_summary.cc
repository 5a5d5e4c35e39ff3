#include "cli/aggregate_summary.h"

#include <algorithm>
#include <vector>

#include "absl/strings/escaping.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/strings/str_join.h"
#include "base/limits.h"
#include "base/table.h"

namespace cairn {
namespace {

using Rows = std::vector<std::vector<std::string>>;

constexpr std::size_t kWorstModules = 5;
constexpr double kRounding = 1e-7;  // What float32 does not show.

std::string ErrorText(const std::optional<double>& error) {
  if (!error) return "not measured";
  return *error < kRounding ? "exact" : absl::StrFormat("%.3g", *error);
}

std::string NumberText(const std::optional<double>& number) { return number ? absl::StrFormat("%.4g", *number) : "-"; }

// Reasons are text in a table of numbers: padded, they start where their heading does.
void PadColumn(Rows& rows, std::size_t column) {
  std::size_t width = 0;
  for (const std::vector<std::string>& row : rows) {
    width = std::max(width, row.size() > column ? row[column].size() : 0);
  }
  for (std::vector<std::string>& row : rows) {
    if (row.size() > column) row[column].resize(width, ' ');
  }
}

std::string ClientTable(const CombineReport& report) {
  Rows rows = {{"client", "examples", "weight"}};
  const bool measured = std::any_of(report.clients.begin(), report.clients.end(),
                                    [](const ClientReport& client) { return client.distance.has_value(); });
  if (measured) rows.front().insert(rows.front().end(), {"distance", "cosine"});
  const bool refusals = std::any_of(report.clients.begin(), report.clients.end(),
                                    [](const ClientReport& client) { return !client.reason.empty(); });
  if (refusals) rows.front().push_back("reason");
  for (const ClientReport& client : report.clients) {
    rows.push_back({client.id, absl::StrFormat("%.0f", client.examples), absl::StrFormat("%.4g", client.weight)});
    if (measured) rows.back().insert(rows.back().end(), {NumberText(client.distance), NumberText(client.cosine)});
    if (!client.reason.empty()) rows.back().push_back(client.reason);
  }
  if (refusals) PadColumn(rows, rows.front().size() - 1);
  return FormatTable(rows, Align::kRight);
}

std::string RangeText(std::int64_t low, std::int64_t high) {
  return low == high ? absl::StrCat(low) : absl::StrCat(low, " to ", high);
}

std::string Ranks(const std::vector<ModuleReport>& modules, std::int64_t ModuleReport::*rank) {
  const auto [low, high] =
      std::minmax_element(modules.begin(), modules.end(),
                          [rank](const ModuleReport& x, const ModuleReport& y) { return x.*rank < y.*rank; });
  return RangeText((*low).*rank, (*high).*rank);
}

std::string ErrorLine(const CombineReport& report) {
  const std::optional<double>& error = report.relative_error;
  const absl::string_view exact =
      report.coordinate_wise ? "what the rule gives entry by entry" : "the exact weighted sum";
  if (!error) return absl::StrCat("how far the result is from ", exact, ": --report FILE measures it");
  const std::string rounding =
      report.before_rounding ? absl::StrCat(", before rounding to ", NameOf(*report.dtype)) : std::string();
  if (*error < kRounding) return absl::StrCat("the result is ", exact, rounding);
  return absl::StrFormat("the result differs from %s by %.3g of its norm%s", exact, *error, rounding);
}

std::string WorstModules(std::vector<ModuleReport> modules) {
  std::stable_sort(modules.begin(), modules.end(), [](const ModuleReport& x, const ModuleReport& y) {
    return x.relative_error.value_or(0) > y.relative_error.value_or(0);
  });
  if (modules.front().relative_error.value_or(0) < kRounding) return "";
  const bool more = modules.size() > kWorstModules;
  if (more) modules.resize(kWorstModules);
  Rows rows = {{more ? "worst modules" : "module", "rank in", "rank out", "error"}};
  for (const ModuleReport& module : modules) {
    rows.push_back({absl::CHexEscape(module.name), absl::StrCat(module.rank_in), absl::StrCat(module.rank_out),
                    ErrorText(module.relative_error)});
  }
  return "\n" + FormatTable(rows, Align::kRight);
}

std::string ModuleLines(const CombineReport& report) {
  if (report.modules.empty()) return "";
  return absl::StrCat(report.modules.size(), report.modules.size() == 1 ? " module, rank " : " modules, rank ",
                      Ranks(report.modules, &ModuleReport::rank_in), " of all clients together, ",
                      Ranks(report.modules, &ModuleReport::rank_out), " published\n", ErrorLine(report), "\n",
                      WorstModules(report.modules));
}

std::string RecipientTable(const CombineReport& report) {
  if (report.recipients.empty()) return "";
  Rows rows = {{"recipient", "rank", "error"}};
  for (const RecipientReport& recipient : report.recipients) {
    rows.push_back({recipient.id, absl::StrCat(recipient.rank), ErrorText(recipient.relative_error)});
  }
  return "\n" + FormatTable(rows, Align::kRight);
}

}  // namespace

std::string BytesText(std::uint64_t bytes) {
  const double value = static_cast<double>(bytes);
  if (bytes >= limits::kGiB) return absl::StrFormat("%.2f GiB", value / limits::kGiB);
  if (bytes >= limits::kMiB) return absl::StrFormat("%.1f MiB", value / limits::kMiB);
  return absl::StrFormat("%.1f KiB", value / limits::kKiB);
}

std::string SummaryOf(const CombineReport& report) {
  return absl::StrCat(ClientTable(report), "\ncombine ", report.combine, ", rule ", report.rule,
                      report.guards.empty() ? "" : absl::StrCat(", guards ", absl::StrJoin(report.guards, ", ")),
                      ", publish ", report.publish, "\n", ModuleLines(report), RecipientTable(report));
}

}  // namespace cairn
