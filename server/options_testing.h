// Configurations of servers as files, for tests.
#pragma once

#include <gtest/gtest.h>

#include <string>

#include "absl/status/statusor.h"
#include "base/files.h"
#include "base/test_directory.h"
#include "proto/cairn/v1/config.pb.h"
#include "server/options.h"

namespace cairn {

inline absl::StatusOr<ServerOptions> LoadAs(Role role, const std::string& yaml) {
  TestDirectory directory;
  EXPECT_TRUE(WriteFileAtomically(directory / "server.yaml", yaml).ok());
  v1::ServerConfig config;
  YamlPlaces places;
  const absl::Status loaded = LoadServerConfig(directory / "server.yaml", &config, &places);
  if (!loaded.ok()) return loaded;
  return ResolveServerOptions(config, role, places);
}

inline absl::StatusOr<ServerOptions> Load(const std::string& yaml) { return LoadAs(Role::kAll, yaml); }

// A configuration with nothing but what is required, and `more` lines before the federations.
inline std::string Yaml(const std::string& more = "", const std::string& federations = "  - name: fed\n") {
  return "data_dir: out\n" + more + "federations:\n" + federations;
}

inline std::string Refusal(const std::string& yaml) {
  const auto options = Load(yaml);
  EXPECT_EQ(options.status().code(), absl::StatusCode::kInvalidArgument) << yaml;
  return std::string(options.status().message());
}

}  // namespace cairn
