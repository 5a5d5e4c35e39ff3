#include "server/config_error.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "server/options_testing.h"

namespace cairn {
namespace {

using ::testing::HasSubstr;

// The line, column and key behind the file's name.
std::string PlaceOf(Role role, const std::string& yaml) {
  const std::string text(LoadAs(role, yaml).status().message());
  const std::size_t begin = text.find("server.yaml:");
  return begin == std::string::npos ? text : text.substr(begin, text.find("\": ", begin) + 1 - begin);
}

TEST(ConfigErrorTest, WhatIsFoundOnceTheFileIsReadHasItsPlace) {
  const auto place = [](const std::string& more) { return PlaceOf(Role::kAll, Yaml(more)); };
  EXPECT_EQ(place("memory_budget: 1MiB\n"), "server.yaml:2:16: key \"memory_budget\"");
  EXPECT_EQ(place("workers: 1\nworker_memory: 1MiB\n"), "server.yaml:3:16: key \"worker_memory\"");
  EXPECT_EQ(place("listen: 0.0.0.0:7070\n"), "server.yaml:2:9: key \"listen\"");
  const auto federation = [](const std::string& more) {
    return PlaceOf(Role::kAll, Yaml("", "  - name: fed\n" + more));
  };
  EXPECT_EQ(federation("    rule: most\n"), "server.yaml:4:11: key \"federations[0].rule\"");
  EXPECT_EQ(federation("    publish: all\n"), "server.yaml:4:14: key \"federations[0].publish\"");
  EXPECT_EQ(federation("    clients: {min: 3, target: 2}\n"),
            "server.yaml:4:31: key \"federations[0].clients.target\"");
  // Where the file has it not, what is around it.
  EXPECT_EQ(federation("    rule: 'krum:f=2'\n    clients:\n      min: 5\n"),
            "server.yaml:5:5: key \"federations[0].clients\"");
  EXPECT_EQ(PlaceOf(Role::kAll, Yaml("", "  - rounds: 1\n")), "server.yaml:3:5: key \"federations[0].name\"");
  EXPECT_THAT(PlaceOf(Role::kAll, "federations: [{name: fed}]\n"), HasSubstr("configuration: data_dir: is required"));
}

TEST(ConfigErrorTest, KeysOfAnotherRoleAreRefused) {
  EXPECT_EQ(PlaceOf(Role::kAll, Yaml("peer_listen: 127.0.0.1:7073\n")), "server.yaml:2:14: key \"peer_listen\"");
  EXPECT_THAT(Refusal(Yaml("root: 127.0.0.1:7072\n")), HasSubstr("is a key of gateways: cairn gateway --config"));
  EXPECT_THAT(LoadAs(Role::kRoot, Yaml("root_tls: {ca: c}\n")).status().message(), HasSubstr("root_tls"));
  EXPECT_EQ(PlaceOf(Role::kRoot, Yaml("zone: eu-1\n")), "server.yaml:2:7: key \"zone\"");
  EXPECT_EQ(PlaceOf(Role::kRoot, Yaml("tls: {key: k}\n")), "server.yaml:2:1: key \"tls\"");
  EXPECT_THAT(Refusal(Yaml("zone: eu-1\n")), HasSubstr("is of no use without node_listen"));
  EXPECT_TRUE(LoadAs(Role::kAll, Yaml("node_listen: 127.0.0.1:7072\nzone: eu-1\n")).ok());
  const std::string gateway = "data_dir: out\nroot: 127.0.0.1:7072\n";
  EXPECT_EQ(PlaceOf(Role::kGateway, gateway + "node_listen: 127.0.0.1:7072\n"),
            "server.yaml:3:14: key \"node_listen\"");
  EXPECT_THAT(LoadAs(Role::kGateway, gateway + "node_tls: {key: k}\n").status().message(), HasSubstr("of the root"));
}

// A configuration that does not come from a file has no lines, but still keys.
TEST(ConfigErrorTest, ErrorsNameTheKeyWithoutAFileToo) {
  v1::ServerConfig good;
  good.set_listen("127.0.0.1:0");
  good.set_data_dir("out");
  good.set_memory_budget("512MiB");
  good.set_worker_memory("1GiB");
  good.set_worker_lease("10s");
  good.set_upload_max("1GiB");
  v1::FederationConfig& federation = *good.add_federations();
  federation.set_name("fed");
  federation.set_combine("stack");
  federation.set_rule("examples");
  federation.set_progress_timeout("10m");
  federation.mutable_clients()->set_min(1);
  federation.mutable_clients()->set_target(1);
  ASSERT_TRUE(ResolveServerOptions(good).ok()) << ResolveServerOptions(good).status();
  auto refusal = [&](auto spoil) {
    v1::ServerConfig config = good;
    spoil(config);
    return std::string(ResolveServerOptions(config).status().message());
  };
  EXPECT_THAT(refusal([](auto& config) { config.set_listen("7070"); }), HasSubstr("listen: "));
  EXPECT_THAT(refusal([](auto& config) { config.set_metrics_listen("7071"); }), HasSubstr("metrics_listen: "));
  EXPECT_THAT(refusal([](auto& config) { config.set_memory_budget("much"); }), HasSubstr("memory_budget: "));
  EXPECT_THAT(refusal([](auto& config) { config.set_upload_max("1 PB"); }), HasSubstr("upload_max: "));
  EXPECT_THAT(refusal([](auto& config) { config.mutable_federations(0)->set_deadline("x"); }),
              HasSubstr("federations[0].deadline: "));
  EXPECT_THAT(refusal([](auto& config) { config.mutable_federations(0)->set_progress_timeout("x"); }),
              HasSubstr("federations[0].progress_timeout: "));
}

}  // namespace
}  // namespace cairn
