// Runs a server, or one of its roles, until a signal ends it.
#pragma once

#include "absl/status/status.h"
#include "proto/cairn/v1/config.pb.h"
#include "server/options.h"

namespace cairn {

// `print`: prints the configuration, if it is right, instead of running. `places`: where its file says what.
absl::Status RunServer(v1::ServerConfig config, Role role, bool print, const YamlPlaces& places = {});

}  // namespace cairn
