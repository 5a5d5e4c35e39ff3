// Rounds as text, for status and watch.
#pragma once

#include <string>
#include <vector>

#include "absl/strings/string_view.h"
#include "proto/cairn/v1/federation.pb.h"

namespace cairn {

// Left-aligned columns two spaces apart; the first row is the heading.
std::string FormatTable(const std::vector<std::vector<std::string>>& rows);

absl::string_view PhaseName(v1::RoundPhase phase);
std::string RoundNumber(const v1::RoundInfo& info);    // "2/3", or "2" when rounds have no end.
std::string FormatClients(const v1::RoundInfo& info);  // A table with a line per client.
std::string FormatEvent(const v1::RoundEvent& event);  // One line, without a newline.

}  // namespace cairn
