#include "simulation/server_process.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "config/yaml.h"
#include "proto/cairn/v1/config.pb.h"

namespace cairn {
namespace {

using ::testing::ElementsAre;

TEST(ServerYaml, HasAFederationForEachMethodWithAllOfTheExperimentsKeys) {
  v1::ServerConfig config;
  const absl::Status read = LoadYamlText(ServerYaml({.directory = "/out/server",
                                                     .methods = {"svd", "fair:lambda=0.5"},
                                                     .rule = "krum:f=1",
                                                     .guards = {"nnm"},
                                                     .rule_modules = {"q_proj", "v_proj"},
                                                     .relative_to_published = true,
                                                     .rounds = 4,
                                                     .clients = 5}),
                                         "server.yaml", &config);
  ASSERT_TRUE(read.ok()) << read;
  EXPECT_EQ(config.data_dir(), "/out/server/data");
  ASSERT_EQ(config.federations_size(), 2);
  EXPECT_EQ(config.federations(1).name(), "fair-lambda-0.5");
  EXPECT_EQ(config.federations(1).combine(), "fair:lambda=0.5");
  for (const v1::FederationConfig& federation : config.federations()) {
    EXPECT_EQ(federation.rule(), "krum:f=1");
    EXPECT_THAT(federation.guards(), ElementsAre("nnm"));
    EXPECT_THAT(federation.rule_modules(), ElementsAre("q_proj", "v_proj"));
    EXPECT_TRUE(federation.relative_to_published());
    EXPECT_EQ(federation.rounds(), 4u);
    EXPECT_EQ(federation.clients().target(), 5u);
  }
}

}  // namespace
}  // namespace cairn
