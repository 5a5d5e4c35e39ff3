// Rounds as text, for status and watch.
#pragma once

#include <string>

#include "absl/strings/string_view.h"
#include "proto/cairn/v1/federation.pb.h"

namespace cairn {

absl::string_view PhaseName(v1::RoundPhase phase);
std::string RoundNumber(const v1::RoundInfo& info);  // "2/3", or "2" when rounds have no end.
// "licenses: combine stack, rule examples, publish stack".
std::string FormatMethod(const v1::RoundInfo& info);
std::string FormatClients(const v1::RoundInfo& info);  // A table with a line per client.
// How much each client counted in the latest version: a table with a line per client.
std::string FormatOutcomes(const v1::RoundInfo& info);
// A line for each client that was voted down, with the reason. Empty when none was.
std::string FormatVotedDown(const v1::RoundInfo& info);
std::string FormatEvent(const v1::RoundEvent& event);  // One line, without a newline.

}  // namespace cairn
