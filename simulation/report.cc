#include "simulation/report.h"

#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/strings/str_join.h"
#include "simulation/chart.h"
#include "simulation/report_style.h"

namespace cairn {
namespace {

std::string Cells(double base, const std::vector<double>& finals) {
  std::string out = absl::StrFormat("<td>%.4f</td>", base);
  for (double value : finals) {
    absl::StrAppend(&out, absl::StrFormat("<td class=\"%s\">%.4f <small>%+.1f %%</small></td>",
                                          value < base ? "better" : "worse", value, 100 * (value - base) / base));
  }
  return out;
}

std::string LossTable(const Results& results) {
  std::string out = "<table>\n<thead><tr><th>client</th><th>rank</th><th>base</th>";
  for (const MethodResult& method : results.methods) {
    absl::StrAppend(&out, "<th>", EscapeXml(MethodTitle(method.method)), "</th>");
  }
  absl::StrAppend(&out, "</tr></thead>\n<tbody>\n");
  std::vector<double> bases;
  std::vector<std::vector<double>> columns(results.methods.size());
  for (std::size_t c = 0; c < results.experiment.clients.size(); ++c) {
    std::vector<double> finals;
    for (std::size_t m = 0; m < columns.size(); ++m) {
      finals.push_back(results.Final(results.methods[m], c));
      columns[m].push_back(finals.back());
    }
    bases.push_back(results.Base(c));
    const ExperimentClient& client = results.experiment.clients[c];
    const std::string attack =
        client.attack.empty() ? "" : absl::StrCat(" <small>attacks: ", EscapeXml(client.attack), "</small>");
    absl::StrAppend(&out, "<tr><th>", EscapeXml(client.name), attack, "</th><td>", client.rank, "</td>",
                    Cells(bases.back(), finals), "</tr>\n");
  }
  std::vector<double> means;
  for (const std::vector<double>& column : columns) means.push_back(results.MeanOfHonest(column));
  return absl::StrCat(out, "<tr class=\"mean\"><th>", results.MeanTitle(), "</th><td></td>",
                      Cells(results.MeanOfHonest(bases), means), "</tr>\n</tbody>\n</table>\n");
}

std::string Legend(const Results& results) {
  std::string out = "<p class=\"legend\">";
  for (std::size_t m = 0; m < results.methods.size(); ++m) {
    absl::StrAppend(&out, absl::StrFormat("<span><i style=\"background:var(--series-%d)\"></i>%s</span>",
                                          m % kReportColours, EscapeXml(MethodTitle(results.methods[m].method))));
  }
  return out + "</p>\n";
}

std::string HeldOutCharts(const Results& results) {
  std::string out;
  for (std::size_t c = 0; c < results.experiment.clients.size(); ++c) {
    Chart chart{results.experiment.clients[c].name, "round", {}, static_cast<double>(results.experiment.rounds), true};
    for (std::size_t m = 0; m < results.methods.size(); ++m) {
      Series series{MethodTitle(results.methods[m].method), m % kReportColours, {}, true};
      for (const auto& [version, loss] : results.methods[m].clients[c].held_out) {
        series.points.emplace_back(static_cast<double>(version), loss);
      }
      chart.series.push_back(std::move(series));
    }
    absl::StrAppend(&out, "<figure>", ChartSvg(chart), "</figure>\n");
  }
  return out;
}

std::string TrainingCharts(const Results& results) {
  const Experiment& experiment = results.experiment;
  std::string out;
  for (std::size_t c = 0; c < experiment.clients.size(); ++c) {
    Chart chart{experiment.clients[c].name, "step", {}, 1.0 * experiment.rounds * experiment.training.steps, true};
    for (std::size_t m = 0; m < results.methods.size(); ++m) {
      Series series{MethodTitle(results.methods[m].method), m % kReportColours, {}};
      for (const LossPoint& point : results.methods[m].clients[c].losses) {
        series.points.emplace_back(1.0 * (point.round - 1) * experiment.training.steps + point.step, point.loss);
      }
      chart.series.push_back(std::move(series));
    }
    absl::StrAppend(&out, "<figure>", ChartSvg(chart), "</figure>\n");
  }
  return out;
}

std::string DataTable(const Results& results) {
  std::string out =
      "<table>\n<thead><tr><th>client</th><th>rank</th><th>alpha</th><th>pre-training</th><th>training</th>"
      "<th>held out</th><th>dropped as repeats</th></tr></thead>\n<tbody>\n";
  for (std::size_t c = 0; c < results.experiment.clients.size(); ++c) {
    const ExperimentClient& client = results.experiment.clients[c];
    const ClientData& data = results.data[c];
    absl::StrAppend(&out, "<tr><th>", EscapeXml(client.name), "</th><td>", client.rank, "</td><td>", client.alpha,
                    "</td><td>", data.pretrain_bytes, "</td><td>", data.train_bytes, "</td><td>", data.held_out_bytes,
                    "</td><td>", data.dropped_bytes, "</td></tr>\n");
  }
  return out + "</tbody>\n</table>\n";
}

std::string ConfigList(const Results& results) {
  const Experiment& e = results.experiment;
  std::string out = absl::StrFormat(
      "<dl><dt>model</dt><dd>bytes, width %d, %d layers, %d heads, context %d</dd>\n"
      "<dt>base</dt><dd>%d steps of %d windows, learning rate %g%s</dd>\n"
      "<dt>each round</dt><dd>%d steps of %d windows, learning rate %g</dd>\n<dt>rounds</dt><dd>%d</dd>\n"
      "<dt>seed</dt><dd>%d</dd>\n",
      e.width, e.layers, e.heads, e.context, e.pretraining.steps, e.pretraining.batch, e.pretraining.learning_rate,
      results.base_from_cache ? " (from the cache)" : "", e.training.steps, e.training.batch, e.training.learning_rate,
      e.rounds, e.seed);
  absl::StrAppend(&out, "<dt>rule</dt><dd>", EscapeXml(absl::StrJoin(e.guards, ", ")),
                  e.guards.empty() ? "" : ", then ", EscapeXml(e.rule), e.rule_modules.empty() ? "" : "; on ",
                  EscapeXml(absl::StrJoin(e.rule_modules, ", ")),
                  e.relative_to_published ? "; measured from what was published" : "", "</dd>\n");
  for (const MethodResult& method : results.methods) {
    std::uint64_t sent = 0, received = 0;
    for (const TrainerState& state : method.clients) sent += state.bytes_sent, received += state.bytes_received;
    absl::StrAppend(&out,
                    absl::StrFormat("<dt>%s</dt><dd>%.1f s, %.2f MB sent, %.2f MB received</dd>\n",
                                    EscapeXml(MethodTitle(method.method)), method.seconds, sent / 1e6, received / 1e6));
  }
  return out + "</dl>\n";
}

}  // namespace

std::string ReportHtml(const Results& results) {
  const std::string name = EscapeXml(results.experiment.name);
  return absl::StrCat(
      "<!DOCTYPE html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\"/>\n"
      "<meta name=\"viewport\" content=\"width=device-width, initial-scale=1\"/>\n<title>Cairn: ",
      name, "</title>\n<style>", kReportStyle, "</style>\n</head>\n<body>\n<h1>Cairn: ", name, "</h1>\n<p>",
      EscapeXml(Verdict(results)),
      "</p>\n<h2>Held-out loss after the last round</h2>\n<p>Nats per byte on text that nobody trained on; lower is "
      "better. The percentage is against the base.</p>\n<div class=\"scroll\">",
      LossTable(results), "</div>\n<h2>Held-out loss by round</h2>\n", Legend(results), "<div class=\"charts\">\n",
      HeldOutCharts(results), "</div>\n<h2>Training loss</h2>\n", Legend(results), "<div class=\"charts\">\n",
      TrainingCharts(results), "</div>\n<h2>Text</h2>\n<p>Bytes of each part.</p>\n<div class=\"scroll\">",
      DataTable(results), "</div>\n<h2>Configuration</h2>\n", ConfigList(results), "</body>\n</html>\n");
}

}  // namespace cairn
