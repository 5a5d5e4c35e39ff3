#include "bench/hierarchy_samples.h"

#include "absl/strings/str_format.h"
#include "base/table.h"
#include "bench/median.h"

namespace cairn::bench {

double HierarchySamples::MedianOf(double HierarchySample::*field) const {
  std::vector<double> values;
  for (const HierarchySample& run : runs) values.push_back(run.*field);
  return Median(std::move(values));
}

double HierarchySamples::RatioTo(const HierarchySamples& other, double HierarchySample::*field) const {
  std::vector<double> ratios;
  for (std::size_t i = 0; i < runs.size(); ++i) ratios.push_back(runs[i].*field / other.runs[i].*field);
  return Median(std::move(ratios));
}

namespace {

using Field = double HierarchySample::*;

std::vector<std::string> RowOf(const HierarchySamples& samples, const HierarchySamples& floor) {
  const auto milliseconds = [&](Field field) { return absl::StrFormat("%.2f", 1e3 * samples.MedianOf(field)); };
  const auto of_floor = [&](Field field) { return absl::StrFormat("%.2f", samples.RatioTo(floor, field)); };
  const DesignFacts& facts = samples.facts;
  return {facts.name,
          absl::StrFormat("%.3f", 1e3 * samples.MedianOf(&HierarchySample::handoff)),
          milliseconds(&HierarchySample::hop),
          of_floor(&HierarchySample::hop),
          milliseconds(&HierarchySample::hop_cpu),
          of_floor(&HierarchySample::hop_cpu),
          milliseconds(&HierarchySample::stream),
          of_floor(&HierarchySample::stream),
          milliseconds(&HierarchySample::stream_cpu),
          absl::StrFormat("%.2f", samples.MedianOf(&HierarchySample::copied) + facts.broker_copies),
          absl::StrFormat("%d", facts.kernel_copies),
          absl::StrFormat("%.1f", 1e-6 * static_cast<double>(samples.peak))};
}

}  // namespace

std::string HierarchyTable(const std::vector<HierarchySamples>& all) {
  std::vector<std::vector<std::string>> rows = {{"", "hand-off ms", "hop ms", "of floor", "CPU ms", "of floor",
                                                 "stream ms", "of floor", "CPU ms", "user copies", "kernel copies",
                                                 "peak PSS MB"}};
  for (const HierarchySamples& samples : all) rows.push_back(RowOf(samples, all.front()));
  return FormatTable(rows, Align::kRight);
}

}  // namespace cairn::bench
