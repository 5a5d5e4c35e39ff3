#include "cli/round_text.h"

#include <algorithm>

#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/time/time.h"
#include "base/table.h"

namespace cairn {
namespace {

// "KIND_PROGRESS" is "progress".
std::string ShortName(absl::string_view enum_name, absl::string_view prefix) {
  return absl::AsciiStrToLower(enum_name.substr(std::min(enum_name.size(), prefix.size())));
}

std::string Share(const v1::ClientProgress& client) {
  if (client.bytes_total() == 0) return "-";
  return absl::StrFormat("%.0f %%", 100.0 * client.bytes_received() / client.bytes_total());
}

}  // namespace

absl::string_view PhaseName(v1::RoundPhase phase) {
  switch (phase) {
    case v1::ROUND_PHASE_WAITING:
      return "waiting";
    case v1::ROUND_PHASE_OPEN:
      return "open";
    case v1::ROUND_PHASE_AGGREGATING:
      return "aggregating";
    case v1::ROUND_PHASE_FINISHED:
      return "finished";
    default:
      return "unknown";
  }
}

std::string RoundNumber(const v1::RoundInfo& info) {
  if (info.rounds_total() == 0) return absl::StrCat(info.round());
  return absl::StrCat(info.round(), "/", info.rounds_total());
}

std::string FormatMethod(const v1::RoundInfo& info) {
  return absl::StrCat(info.federation(), ": combine ", info.combine(), ", rule ", info.rule(), ", publish ",
                      info.publish());
}

std::string FormatClients(const v1::RoundInfo& info) {
  std::vector<std::vector<std::string>> rows = {{info.federation() + ":", "state", "received"}};
  for (const v1::ClientProgress& client : info.clients()) {
    rows.push_back(
        {client.client(), ShortName(v1::ClientProgress::State_Name(client.state()), "STATE_"), Share(client)});
  }
  return "\n" + FormatTable(rows, Align::kLeft);
}

std::string FormatOutcomes(const v1::RoundInfo& info) {
  const auto text = [](bool known, double value) { return known ? absl::StrFormat("%.4g", value) : "-"; };
  std::vector<std::vector<std::string>> rows = {
      {absl::StrCat(info.federation(), " version ", info.version(), ":"), "weight", "distance", "cosine", "reason"}};
  for (const v1::ClientOutcome& outcome : info.outcomes()) {
    rows.push_back({outcome.client(), absl::StrFormat("%.4g", outcome.weight()),
                    text(outcome.has_distance(), outcome.distance()), text(outcome.has_cosine(), outcome.cosine()),
                    outcome.reason()});
  }
  std::string table = "\n" + FormatTable(rows, Align::kLeft);
  if (info.outcomes_left_out() > 0) absl::StrAppend(&table, "and ", info.outcomes_left_out(), " more\n");
  return table;
}

std::string FormatVotedDown(const v1::RoundInfo& info) {
  std::string lines;
  for (const v1::ClientOutcome& outcome : info.outcomes()) {
    if (!outcome.accepted()) absl::StrAppend(&lines, "    ", outcome.client(), ": ", outcome.reason(), "\n");
  }
  return lines;
}

std::string FormatEvent(const v1::RoundEvent& event) {
  const std::string time =
      absl::FormatTime("%H:%M:%S", absl::FromUnixMillis(event.at_unix_ms()), absl::LocalTimeZone());
  std::string line = absl::StrFormat("%s  round %-6s %-11s", time, RoundNumber(event.info()),
                                     ShortName(v1::RoundEvent::Kind_Name(event.kind()), "KIND_"));
  if (!event.client().empty()) absl::StrAppend(&line, "  ", event.client());
  if (!event.detail().empty()) absl::StrAppend(&line, "  ", event.detail());
  return absl::StrCat(line, "  |  ", event.info().waiting_for());
}

}  // namespace cairn
