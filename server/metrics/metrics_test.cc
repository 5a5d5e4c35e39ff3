#include "server/metrics/metrics.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <thread>
#include <vector>

#include "absl/strings/str_cat.h"
#include "base/limits.h"

namespace cairn {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;

TEST(Metrics, StartsWithBuildInfo) {
  EXPECT_THAT(Metrics("1.2.3").Render(), HasSubstr("cairn_build_info{version=\"1.2.3\"} 1"));
}

TEST(Metrics, OnePhaseIsCurrent) {
  Metrics metrics("x");
  metrics.SetRound("f", 1, "open");
  metrics.SetRound("f", 2, "aggregating");
  const std::string text = metrics.Render();
  EXPECT_THAT(text, HasSubstr("cairn_round{federation=\"f\"} 2"));
  EXPECT_THAT(text, HasSubstr("cairn_round_phase{federation=\"f\",phase=\"open\"} 0"));
  EXPECT_THAT(text, HasSubstr("cairn_round_phase{federation=\"f\",phase=\"aggregating\"} 1"));
  metrics.SetRound("f", 2, "aggregating");
  EXPECT_THAT(metrics.Render(), HasSubstr("phase=\"aggregating\"} 1"));
}

TEST(Metrics, CountsUpdatesByOutcomeAndReason) {
  Metrics metrics("x");
  metrics.UpdateAccepted("f", 100);
  metrics.UpdateAccepted("f", 5'000'000);
  metrics.UpdateRejected("f", "shape");
  metrics.UpdateRejected("g", "checksum");
  const std::string text = metrics.Render();
  EXPECT_THAT(text, HasSubstr("cairn_updates_total{federation=\"f\",outcome=\"accepted\",reason=\"\"} 2"));
  EXPECT_THAT(text, HasSubstr("cairn_updates_total{federation=\"f\",outcome=\"rejected\",reason=\"shape\"} 1"));
  EXPECT_THAT(text, HasSubstr("cairn_updates_total{federation=\"g\",outcome=\"rejected\",reason=\"checksum\"} 1"));
  EXPECT_THAT(text, HasSubstr("cairn_update_bytes_bucket{federation=\"f\",le=\"65536\"} 1"));
  EXPECT_THAT(text, HasSubstr("cairn_update_bytes_sum{federation=\"f\"} 5000100"));
}

TEST(Metrics, ObservesAndMeasures) {
  Metrics metrics("x");
  metrics.ObservePhase("f", "open", 12);
  metrics.ObserveAggregation("f", "stack", 0.02);
  metrics.RoundFinished("f", "published");
  metrics.SetContributions("f", 2, 5);
  metrics.SetMemory(10, 100);
  metrics.BytesReceived("f", 7);
  metrics.BytesReceived("f", 8);
  metrics.BytesSent("f", 9);
  metrics.NodeBytes("f", "sum", 7);
  const std::string text = metrics.Render();
  EXPECT_THAT(text, HasSubstr("cairn_round_phase_seconds_bucket{federation=\"f\",phase=\"open\",le=\"10\"} 0"));
  EXPECT_THAT(text, HasSubstr("cairn_round_phase_seconds_bucket{federation=\"f\",phase=\"open\",le=\"30\"} 1"));
  EXPECT_THAT(text, HasSubstr("cairn_aggregation_seconds_count{combine=\"stack\",federation=\"f\"} 1"));
  EXPECT_THAT(text, HasSubstr("cairn_rounds_total{federation=\"f\",outcome=\"published\"} 1"));
  EXPECT_THAT(text, HasSubstr("cairn_round_contributions{federation=\"f\"} 2"));
  EXPECT_THAT(text, HasSubstr("cairn_round_contributions_wanted{federation=\"f\"} 5"));
  EXPECT_THAT(text, HasSubstr("cairn_memory_used_bytes 10"));
  EXPECT_THAT(text, HasSubstr("cairn_memory_budget_bytes 100"));
  EXPECT_THAT(text, HasSubstr("cairn_received_bytes_total{federation=\"f\"} 15"));
  EXPECT_THAT(text, HasSubstr("cairn_node_bytes_total{federation=\"f\",kind=\"sum\"} 7"));
  EXPECT_THAT(text, HasSubstr("cairn_sent_bytes_total{federation=\"f\"} 9"));
  EXPECT_THAT(text, Not(HasSubstr("federation=\"\"")));
}

TEST(Metrics, ErrorsOfModulesHaveSeriesUpToALimit) {
  Metrics metrics("x");
  for (std::size_t i = 0; i < limits::kMetricModulesMax + 5; ++i) {
    metrics.SetPublishedError("f", absl::StrCat("layers.", i), 0.5);
  }
  metrics.SetPublishedError("f", "layers.0", 0.25);
  metrics.SetPublishedError("g", "layers.9999", 0.125);
  const std::string text = metrics.Render();
  const auto series = [](absl::string_view federation, std::size_t i) {
    return absl::StrCat("cairn_published_module_relative_error{federation=\"", federation, "\",module=\"layers.", i,
                        "\"}");
  };
  EXPECT_THAT(text, HasSubstr(absl::StrCat(series("f", 0), " 0.25")));
  EXPECT_THAT(text, HasSubstr(series("f", limits::kMetricModulesMax - 1)));
  EXPECT_THAT(text, Not(HasSubstr(series("f", limits::kMetricModulesMax))));
  EXPECT_THAT(text, HasSubstr(absl::StrCat(series("g", 9999), " 0.125")));
}

TEST(Metrics, ClientsOfTheLatestVersionHaveSeries) {
  Metrics metrics("x");
  metrics.SetClients("f", {{"ada", 0.75, 1.5, 0.5, false}, {"mal", 0, 120, std::nullopt, true}, {"old", 0.25}});
  metrics.ClientDropped("f", "mal");
  std::string text = metrics.Render();
  EXPECT_THAT(text, HasSubstr("cairn_client_weight{client=\"ada\",federation=\"f\"} 0.75\n"));
  EXPECT_THAT(text, HasSubstr("cairn_client_distance{client=\"ada\",federation=\"f\"} 1.5\n"));
  EXPECT_THAT(text, HasSubstr("cairn_client_cosine{client=\"ada\",federation=\"f\"} 0.5\n"));
  EXPECT_THAT(text, HasSubstr("cairn_client_weight{client=\"mal\",federation=\"f\"} 0\n"));
  EXPECT_THAT(text, Not(HasSubstr("cairn_client_cosine{client=\"mal\"")));
  EXPECT_THAT(text, HasSubstr("cairn_client_dropped_total{client=\"ada\",federation=\"f\"} 0\n"));
  EXPECT_THAT(text, HasSubstr("cairn_client_dropped_total{client=\"mal\",federation=\"f\"} 1\n"));
  EXPECT_THAT(text, HasSubstr("cairn_clients_dropped{federation=\"f\"} 1\n"));
  EXPECT_THAT(text, Not(HasSubstr("cairn_client_distance{client=\"old\"")));
  // The next version: old is gone, ada is not measured any more.
  metrics.SetClients("f", {{"ada", 1}, {"mal", 0, 100, -0.5, true}});
  metrics.ClientDropped("f", "mal");
  metrics.ClientDropped("f", "old");
  text = metrics.Render();
  EXPECT_THAT(text, Not(HasSubstr("client=\"old\"")));
  EXPECT_THAT(text, HasSubstr("cairn_client_weight{client=\"ada\",federation=\"f\"} 1\n"));
  EXPECT_THAT(text, Not(HasSubstr("cairn_client_distance{client=\"ada\"")));
  EXPECT_THAT(text, HasSubstr("cairn_client_cosine{client=\"mal\",federation=\"f\"} -0.5\n"));
  EXPECT_THAT(text, HasSubstr("cairn_client_dropped_total{client=\"mal\",federation=\"f\"} 2\n"));
}

TEST(Metrics, AVersionOfManyClientsHasTotalsOnly) {
  Metrics metrics("x");
  std::vector<ClientFigures> clients;
  for (std::size_t i = 0; i < limits::kClientsShownMax; ++i) clients.push_back({.client = absl::StrCat("c", i)});
  metrics.SetClients("f", clients);
  metrics.SetClients("g", {{.client = "of-g", .weight = 1}});
  EXPECT_THAT(metrics.Render(), HasSubstr("client=\"c999\""));
  clients.push_back({.client = "mal", .dropped = true});
  metrics.SetClients("f", clients);
  metrics.ClientDropped("f", "mal");
  const std::string text = metrics.Render();
  EXPECT_THAT(text, Not(HasSubstr("client=\"c")));
  EXPECT_THAT(text, Not(HasSubstr("client=\"mal\"")));
  EXPECT_THAT(text, HasSubstr("cairn_clients_dropped{federation=\"f\"} 1\n"));
  EXPECT_THAT(text, HasSubstr("cairn_client_weight{client=\"of-g\",federation=\"g\"} 1\n"));
}

TEST(Metrics, InFlightReturnsToZeroFromManyThreads) {
  Metrics metrics("x");
  std::vector<std::thread> threads;
  for (int t = 0; t < 4; ++t) {
    threads.emplace_back([&metrics] {
      for (int i = 0; i < 200; ++i) {
        metrics.InFlight("f", +1);
        metrics.SetRound("f", i, i % 2 ? "open" : "waiting");
        metrics.InFlight("f", -1);
      }
    });
  }
  metrics.InFlight("f", +1);
  for (std::thread& thread : threads) thread.join();
  EXPECT_THAT(metrics.Render(), HasSubstr("cairn_inflight_uploads{federation=\"f\"} 1"));
}

}  // namespace
}  // namespace cairn
