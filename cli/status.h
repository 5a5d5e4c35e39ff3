// `cairn status`: what every federation of a server is doing now, and what it waits for.
#pragma once

#include <CLI/CLI.hpp>
#include <string>

#include "proto/cairn/v1/federation.pb.h"

namespace cairn {

void AddStatus(CLI::App& app);

// The reply as tables for people.
std::string FormatStatus(const v1::StatusReply& reply);

}  // namespace cairn
