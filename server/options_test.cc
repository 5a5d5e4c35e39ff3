#include "server/options.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "absl/strings/str_cat.h"
#include "base/files.h"
#include "base/test_directory.h"
#include "proto/cairn/v1/config.pb.h"
#include "server/options_testing.h"

namespace cairn {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;

TEST(OptionsTest, ARootListensToNodesOnly) {
  const auto root = LoadAs(Role::kRoot, Yaml("listen: 0.0.0.0:7070\n", "  - {name: fed, on_node_loss: ask_again}\n"));
  ASSERT_TRUE(root.ok()) << root.status();
  EXPECT_EQ(root->node_listen, "127.0.0.1:7072");
  EXPECT_EQ(root->federations[0].policy.on_node_loss, round::NodeLoss::kAskAgain);
  EXPECT_EQ(root->federations[0].policy.node_timeout, absl::Seconds(60));
  EXPECT_EQ(Load(Yaml())->node_listen, "");
  EXPECT_EQ(Load(Yaml())->federations[0].policy.on_node_loss, round::NodeLoss::kWait);
  EXPECT_THAT(LoadAs(Role::kRoot, Yaml("node_listen: 0.0.0.0:7072\n")).status().message(),
              AllOf(HasSubstr("node_listen"), HasSubstr("node_tls")));
}

TEST(OptionsTest, AGatewayNeedsARootAndNoFederations) {
  const auto gateway = LoadAs(Role::kGateway, "data_dir: out\nroot: 127.0.0.1:7072\nnode: n1\n");
  ASSERT_TRUE(gateway.ok()) << gateway.status();
  EXPECT_EQ(gateway->root, "127.0.0.1:7072");
  EXPECT_EQ(gateway->node, "n1");
  EXPECT_THAT(LoadAs(Role::kGateway, "data_dir: out\n").status().message(), HasSubstr("root: is required"));
  EXPECT_THAT(LoadAs(Role::kGateway, Yaml("root: 127.0.0.1:7072\n")).status().message(), HasSubstr("federations"));
  EXPECT_THAT(LoadAs(Role::kGateway, "data_dir: out\nroot: 10.0.0.1:7072\n").status().message(),
              AllOf(HasSubstr("\"root\": 10.0.0.1:7072"), HasSubstr("root_tls")));
}

TEST(OptionsTest, NodesReadOfAGatewayWhereItSays) {
  const std::string base = "data_dir: out\nroot: 127.0.0.1:7072\n";
  const auto refusal = [&](const std::string& more) {
    const auto options = LoadAs(Role::kGateway, base + more);
    EXPECT_EQ(options.status().code(), absl::StatusCode::kInvalidArgument) << more;
    return std::string(options.status().message());
  };
  EXPECT_EQ(LoadAs(Role::kGateway, base)->peer_listen, "");
  const auto loopback = LoadAs(Role::kGateway, base + "peer_listen: 127.0.0.1:7073\n");
  ASSERT_TRUE(loopback.ok()) << loopback.status();
  EXPECT_EQ(loopback->peer_listen, "127.0.0.1:7073");
  EXPECT_EQ(loopback->peer_address, "");
  EXPECT_THAT(refusal("peer_listen: 10.0.0.1:7073\n"), AllOf(HasSubstr("peer_listen"), HasSubstr("root_tls")));
  EXPECT_THAT(refusal("peer_address: 10.0.0.1:7073\n"), HasSubstr("without peer_listen"));
  EXPECT_THAT(refusal("peer_listen: nowhere\n"), HasSubstr("peer_listen"));
  EXPECT_THAT(refusal("peer_listen: 127.0.0.1:7073\npeer_address: nowhere\n"), HasSubstr("peer_address"));
  const std::string tls = "root_tls: {ca: ca, certificate: c, key: k}\n";
  EXPECT_TRUE(LoadAs(Role::kGateway, base + tls + "peer_listen: 10.0.0.1:7073\n").ok());
  for (const std::string wildcard : {"0.0.0.0:7073", "'[::]:7073'"}) {
    const std::string listen = tls + "peer_listen: " + wildcard + "\n";
    EXPECT_THAT(refusal(listen), HasSubstr("peer_address: is required"));
    EXPECT_EQ(LoadAs(Role::kGateway, base + listen + "peer_address: n1.example.org:7073\n")->peer_address,
              "n1.example.org:7073");
  }
  EXPECT_THAT(refusal(tls + "tls: {certificate: c, key: k, client_ca: ca}\npeer_listen: 127.0.0.1:7073\n"),
              AllOf(HasSubstr("root_tls.ca"), HasSubstr("clients")));
}

TEST(OptionsTest, AGatewaySaysWhereClientsOfOthersFindIt) {
  const std::string base = "data_dir: out\nroot: 127.0.0.1:7072\n";
  const auto none = LoadAs(Role::kGateway, base);
  ASSERT_TRUE(none.ok()) << none.status();
  EXPECT_EQ(none->client_address, "");
  EXPECT_EQ(none->capacity, 0u);
  const auto all = LoadAs(Role::kGateway, base + "client_address: n1.example.org:7070\nzone: eu-1\ncapacity: 500MB\n");
  ASSERT_TRUE(all.ok()) << all.status();
  EXPECT_EQ(all->client_address, "n1.example.org:7070");
  EXPECT_EQ(all->zone, "eu-1");
  EXPECT_EQ(all->capacity, 500'000'000u);
  EXPECT_TRUE(LoadAs(Role::kGateway, base + "client_address: 'off'\n").ok());
  const auto refusal = [&](const std::string& more) {
    return std::string(LoadAs(Role::kGateway, base + more).status().message());
  };
  EXPECT_THAT(refusal("client_address: 0.0.0.0:7070\n"), HasSubstr("clients cannot dial 0.0.0.0:7070"));
  EXPECT_THAT(refusal("client_address: 10.0.0.1:0\n"), HasSubstr("clients cannot dial 10.0.0.1:0"));
  EXPECT_THAT(refusal("client_address: nowhere\n"), HasSubstr("client_address"));
  EXPECT_THAT(refusal("zone: 'rack 7'\n"), HasSubstr("zone"));
  EXPECT_THAT(refusal("capacity: 0\n"), HasSubstr("\"capacity\": expected at least 1 byte"));
}

TEST(OptionsTest, ClientsDoNotPassForNodes) {
  EXPECT_THAT(Refusal(Yaml("tls: {certificate: c, key: k, client_ca: ca}\n"
                           "node_tls: {certificate: c, key: k, client_ca: ca}\n")),
              AllOf(HasSubstr("node_tls.client_ca"), HasSubstr("clients")));
  EXPECT_THAT(Refusal(Yaml("node_tls: {certificate: c, key: k}\n")), HasSubstr("\"node_tls.client_ca\": is required"));
}

TEST(OptionsTest, OnlyTheDirectoryAndAFederationAreRequired) {
  auto options = Load(Yaml());
  ASSERT_TRUE(options.ok()) << options.status();
  EXPECT_EQ(options->listen, "127.0.0.1:7070");
  EXPECT_EQ(options->metrics_listen, "127.0.0.1:7071");
  EXPECT_EQ(options->data_dir, "out");
  EXPECT_TRUE(options->durable);
  EXPECT_EQ(options->memory_budget, std::uint64_t{512} << 20);
  EXPECT_EQ(options->upload_max, std::uint64_t{4} << 30);
  EXPECT_EQ(options->log_level, "info");
  ASSERT_EQ(options->federations.size(), 1u);
  const FederationOptions& federation = options->federations[0];
  EXPECT_EQ(federation.name, "fed");
  EXPECT_EQ(federation.method.combine, "stack");
  EXPECT_EQ(federation.method.rule, "examples");
  EXPECT_TRUE(federation.method.guards.empty());
  EXPECT_FALSE(federation.method.publish.has_value());
  EXPECT_EQ(federation.policy.clients_min, 1u);
  EXPECT_EQ(federation.policy.clients_target, 1u);
  EXPECT_EQ(federation.policy.deadline, absl::InfiniteDuration());
  EXPECT_EQ(federation.policy.progress_timeout, absl::Minutes(10));
  EXPECT_EQ(federation.policy.rounds, 0u);
  EXPECT_FALSE(federation.spec.has_value());
}

TEST(OptionsTest, EveryKeyArrives) {
  auto options =
      Load(Yaml("listen: '[::1]:0'\nmetrics_listen: 'off'\ndurability: memory\nmemory_budget: 1GiB\nupload_max: 5MB\n"
                "log_level: debug\ntls: {certificate: c.pem, key: k.pem, client_ca: ca.pem}\n",
                "  - {name: one, combine: mean, rule: examples, publish: rank=16, rule_modules: [z, t], rounds: 4, "
                "clients: {min: 2, target: "
                "5}, deadline: 30m, progress_timeout: 20s,\n"
                "     base_model: org/base, modules: [{name: z, d_in: 3, d_out: 4, layer: embedding}, {name: a, d_in: "
                "1, d_out: 2}],\n"
                "     tensors: [{name: t, shape: [5, 6]}, {name: s, shape: []}]}\n"
                "  - {name: two, combine: svd, relative_to_published: true, clients: {min: 3}}\n"));
  ASSERT_TRUE(options.ok()) << options.status();
  EXPECT_EQ(options->listen, "[::1]:0");
  EXPECT_EQ(options->metrics_listen, "");
  EXPECT_FALSE(options->durable);
  EXPECT_EQ(options->memory_budget, std::uint64_t{1} << 30);
  EXPECT_EQ(options->upload_max, 5'000'000u);
  EXPECT_EQ(options->log_level, "debug");
  EXPECT_EQ(options->tls.certificate, "c.pem");
  EXPECT_EQ(options->tls.key, "k.pem");
  EXPECT_EQ(options->tls.client_ca, "ca.pem");
  const FederationOptions& one = options->federations[0];
  EXPECT_EQ(one.method.combine, "mean");
  EXPECT_EQ(one.method.rule, "examples");
  EXPECT_EQ(one.method.rule_modules, (std::vector<std::string>{"z", "t"}));
  EXPECT_FALSE(one.method.relative_to_published);
  EXPECT_EQ(ToString(*one.method.publish), "rank=16");
  EXPECT_EQ(one.policy.rounds, 4u);
  EXPECT_EQ(one.policy.clients_min, 2u);
  EXPECT_EQ(one.policy.clients_target, 5u);
  EXPECT_EQ(one.policy.deadline, absl::Minutes(30));
  EXPECT_EQ(one.policy.progress_timeout, absl::Seconds(20));
  EXPECT_EQ(one.base_model, "org/base");
  ASSERT_TRUE(one.spec.has_value());
  EXPECT_EQ(one.spec->base_model, "org/base");
  EXPECT_EQ(one.spec->modules, (std::vector<ModuleSpec>{{"a", 1, 2}, {"z", 3, 4, {Layer::Kind::kEmbedding}}}));
  EXPECT_EQ(one.spec->tensors, (std::vector<TensorSpec>{{"s", {}}, {"t", {5, 6}}}));
  EXPECT_EQ(options->federations[1].policy.clients_target, 3u);
  EXPECT_TRUE(options->federations[1].method.relative_to_published);
}

TEST(OptionsTest, ErrorsNameTheKeyWhatWasExpectedAndWhatCame) {
  EXPECT_THAT(Refusal("federations: [{name: fed}]\n"), HasSubstr("data_dir"));
  EXPECT_THAT(Refusal("data_dir: out\n"), HasSubstr("federations: at least one"));
  EXPECT_THAT(Refusal(Yaml("", "  - {name: fed, combine: best}\n")),
              AllOf(HasSubstr("federations[0].combine"), HasSubstr("mean, "), HasSubstr("best")));
  EXPECT_THAT(Refusal(Yaml("", "  - {name: fed, combine: 'stack:depth=3'}\n")),
              AllOf(HasSubstr("federations[0].combine"), HasSubstr("depth")));
  EXPECT_THAT(Refusal(Yaml("", "  - {name: fed, rule: most}\n")),
              AllOf(HasSubstr("federations[0].rule"), HasSubstr("examples"), HasSubstr("most")));
  EXPECT_THAT(Refusal(Yaml("", "  - {name: fed, guards: [walls]}\n")),
              AllOf(HasSubstr("federations[0].guards"), HasSubstr("walls")));
  EXPECT_THAT(Refusal(Yaml("", "  - {name: fed, publish: all}\n")),
              AllOf(HasSubstr("federations[0].publish"), HasSubstr("rank=N"), HasSubstr("all")));
  EXPECT_THAT(Refusal(Yaml("", "  - {name: fed, modules: [{name: q, d_in: 1, d_out: 1, layer: deep}]}\n")),
              AllOf(HasSubstr("federations[0].modules"), HasSubstr("deep")));
  EXPECT_THAT(Refusal(Yaml("", "  - {combine: mean}\n")), HasSubstr("federations[0].name"));
  EXPECT_THAT(Refusal(Yaml("", "  - {name: fed}\n  - {name: fed}\n")),
              AllOf(HasSubstr("federations[1].name"), HasSubstr("\"fed\"")));
  EXPECT_THAT(Refusal(Yaml("", "  - {name: fed, clients: {min: 3, target: 2}}\n")),
              AllOf(HasSubstr("federations[0].clients.target"), HasSubstr("3"), HasSubstr("got 2")));
  EXPECT_THAT(Refusal(Yaml("", "  - {name: fed, clients: {target: 10001}}\n")),
              AllOf(HasSubstr("federations[0].clients.target"), HasSubstr("10000")));
  EXPECT_THAT(Refusal(Yaml("", "  - {name: fed, modules: [{name: q, d_in: 0, d_out: 1}]}\n")),
              AllOf(HasSubstr("federations[0].modules"), HasSubstr("q")));
  EXPECT_THAT(Refusal(Yaml("", "  - {name: fed, deadline: soon}\n")), AllOf(HasSubstr("deadline"), HasSubstr("soon")));
}

TEST(OptionsTest, ThePrintedConfigurationSaysWhatIsPublished) {
  TestDirectory directory;
  ASSERT_TRUE(
      WriteFileAtomically(directory / "server.yaml", Yaml("",
                                                          "  - {name: a}\n  - {name: b, combine: svd}\n"
                                                          "  - {name: c, rule: 'trimmed_mean:f=1', clients: {min: 3}}\n"
                                                          "  - {name: d, publish: rank=4}\n"))
          .ok());
  v1::ServerConfig config;
  ASSERT_TRUE(LoadServerConfig(directory / "server.yaml", &config).ok());
  const auto options = ResolveServerOptions(config);
  ASSERT_TRUE(options.ok()) << options.status();
  ASSERT_TRUE(FillPublish(*options, config).ok());
  std::vector<std::string> publish;
  for (const auto& federation : config.federations()) publish.push_back(federation.publish());
  EXPECT_EQ(publish, (std::vector<std::string>{"stack", "widest", "widest", "rank=4"}));
  EXPECT_TRUE(ResolveServerOptions(config).ok());
}

TEST(OptionsTest, BoundsOfRuleAndGuardsHoldForEveryNumberOfClients) {
  EXPECT_THAT(
      Refusal(Yaml("", "  - {name: fed, rule: 'krum:f=2', clients: {min: 5, target: 8}}\n")),
      AllOf(HasSubstr("\"federations[0].clients\": rule krum with f = 2 needs at least 7 clients (n >= 2f + 3), got 5"),
            HasSubstr("clients.min = 5 to clients.target = 8")));
  EXPECT_TRUE(Load(Yaml("", "  - {name: fed, rule: 'krum:f=2', clients: {min: 7, target: 8}}\n")).ok());
  EXPECT_THAT(Refusal(Yaml("", "  - {name: fed, rule: median, guards: ['nnm:f=3'], clients: {min: 6}}\n")),
              AllOf(HasSubstr("federations[0].clients\": guard nnm with f = 3 needs at least 7"), HasSubstr("got 6")));
  EXPECT_THAT(Refusal(Yaml("", "  - {name: fed, rule: 'krum:f=1', guards: ['bucketing:s=2'], clients: {min: 6}}\n")),
              AllOf(HasSubstr("federations[0].clients\": rule krum"), HasSubstr("got 3")));
  // A count that is not enough in the middle, where a part is rounded up.
  EXPECT_THAT(Refusal(Yaml("", "  - {name: fed, rule: 'multi_krum:f=1,m=6', clients: {min: 5, target: 9}}\n")),
              HasSubstr("federations[0].clients"));
}

TEST(OptionsTest, WhatTheRuleLooksAtIsThere) {
  const auto federation = [](const std::string& names) {
    return Yaml("", absl::StrCat("  - {name: fed, rule_modules: [", names,
                                 "], modules: [{name: l.0.q_proj, d_in: 1, d_out: 1}], tensors: [{name: t.bias, "
                                 "shape: [2]}]}\n"));
  };
  EXPECT_TRUE(Load(federation("q_proj, bias")).ok());
  EXPECT_TRUE(Load(federation("l.0.q_proj")).ok());
  EXPECT_THAT(Refusal(federation("q_proj, proj")),
              AllOf(HasSubstr("federations[0].rule_modules"), HasSubstr("\"proj\"")));
  EXPECT_TRUE(Load(Yaml("", "  - {name: fed, rule_modules: [proj]}\n")).ok()) << "clients say what there is";
}

TEST(OptionsTest, AGuardWithoutAnFIsRefused) {
  EXPECT_THAT(Refusal(Yaml("", "  - {name: fed, rule: examples, guards: [nnm], clients: {min: 9}}\n")),
              AllOf(HasSubstr("federations[0].guards"), HasSubstr("nnm"), HasSubstr("f")));
}

TEST(OptionsTest, ATrustedClientIsOneThatThereCanBe) {
  EXPECT_THAT(Refusal(Yaml("", "  - {name: fed, rule: 'fltrust:root=.hidden', clients: {min: 3}}\n")),
              AllOf(HasSubstr("federations[0].rule"), HasSubstr(".hidden")));
  // It is one of the clients of a round, and none of those that are averaged.
  EXPECT_THAT(Refusal(Yaml("", "  - {name: fed, combine: svd, rule: 'fltrust:root=hq', clients: {min: 1}}\n")),
              AllOf(HasSubstr("federations[0].clients"), HasSubstr("fltrust")));
  EXPECT_TRUE(Load(Yaml("", "  - {name: fed, combine: svd, rule: 'fltrust:root=hq', clients: {min: 2}}\n")).ok());
}

TEST(OptionsTest, WeightsThatACombineRuleCannotTakeAreRefused) {
  EXPECT_THAT(Refusal(Yaml("", "  - {name: fed, combine: mean, rule: 'centered_clipping:tau=1'}\n")),
              AllOf(HasSubstr("federations[0].rule"), HasSubstr("combine mean"), HasSubstr("stack")));
  EXPECT_THAT(Refusal(Yaml("", "  - {name: fed, combine: mean, rule: median}\n")),
              AllOf(HasSubstr("federations[0].rule"), HasSubstr("combine mean")));
  EXPECT_THAT(Refusal(Yaml("", "  - {name: fed, combine: mean, relative_to_published: true}\n")),
              AllOf(HasSubstr("federations[0].relative_to_published"), HasSubstr("combine mean")));
  EXPECT_THAT(Refusal(Yaml("", "  - {name: fed, rule: median, publish: stack}\n")),
              AllOf(HasSubstr("federations[0].publish"), HasSubstr("no factors to stack"), HasSubstr("widest")));
  EXPECT_TRUE(Load(Yaml("", "  - {name: fed, rule: median}\n")).ok());
}

// What `rule` meant before weights were a choice of their own.
TEST(OptionsTest, TheOldMeaningOfRuleIsExplained) {
  for (const char* old : {"stack", "mean", "zero_pad"}) {
    EXPECT_THAT(Refusal(Yaml("", absl::StrCat("  - {name: fed, rule: ", old, "}\n"))),
                AllOf(HasSubstr("federations[0].rule"), HasSubstr(absl::StrCat("write `combine: ", old, "`"))));
  }
}

TEST(OptionsTest, AveragingByNameKnowsTensorsOnly) {
  EXPECT_THAT(Refusal(Yaml("", "  - {name: fed, combine: dense_mean, modules: [{name: q, d_in: 1, d_out: 1}]}\n")),
              AllOf(HasSubstr("federations[0].modules"), HasSubstr("dense_mean"), HasSubstr("`tensors`")));
  EXPECT_TRUE(Load(Yaml("", "  - {name: fed, combine: dense_mean, tensors: [{name: q, shape: [2]}]}\n")).ok());
}

TEST(OptionsTest, WhatAServerCannotPublishIsRefusedWithAWayToDoIt) {
  EXPECT_THAT(Refusal(Yaml("", "  - {name: fed, publish: merged}\n")),
              AllOf(HasSubstr("federations[0].publish"), HasSubstr("does not have the base model"),
                    HasSubstr("latest --publish merged --base")));
  EXPECT_THAT(Refusal(Yaml("", "  - {name: fed, publish: ranks=file}\n")),
              AllOf(HasSubstr("federations[0].publish"), HasSubstr("cut the published adapter to their own rank")));
  EXPECT_THAT(Refusal(Yaml("", "  - {name: fed, combine: svd, publish: stack}\n")),
              AllOf(HasSubstr("federations[0].publish"), HasSubstr("combine svd"), HasSubstr("widest")));
  EXPECT_THAT(Refusal(Yaml("", "  - {name: fed, combine: residual, publish: rank=4}\n")),
              AllOf(HasSubstr("federations[0].publish"), HasSubstr("combine residual"), HasSubstr("rank=4")));
  EXPECT_TRUE(Load(Yaml("", "  - {name: fed, combine: mean, publish: widest}\n")).ok());
  EXPECT_TRUE(Load(Yaml("", "  - {name: fed, publish: energy=0.9}\n")).ok());
}

TEST(OptionsTest, PlaintextStaysOnThisMachineUnlessAskedForByName) {
  for (const char* local : {"127.0.0.1:1", "localhost:1", "'[::1]:1'", "127.8.9.1:1"}) {
    EXPECT_TRUE(Load(Yaml("listen: " + std::string(local) + "\n")).ok()) << local;
  }
  for (const char* open : {"0.0.0.0:1", "'[::]:1'", "192.168.1.2:1", "trainer.example:1"}) {
    const std::string listen = "listen: " + std::string(open) + "\n";
    EXPECT_THAT(Refusal(Yaml(listen)), AllOf(HasSubstr("listen"), HasSubstr("without TLS"))) << open;
    EXPECT_TRUE(Load(Yaml(listen + "insecure_plaintext: true\n")).ok()) << open;
    EXPECT_TRUE(Load(Yaml(listen + "tls: {certificate: c.pem, key: k.pem}\n")).ok()) << open;
  }
}

TEST(OptionsTest, SizesHaveBounds) {
  EXPECT_TRUE(Load(Yaml("memory_budget: 256MiB\n")).ok());
  EXPECT_THAT(Refusal(Yaml("memory_budget: 255MiB\n")),
              AllOf(HasSubstr("memory_budget"), HasSubstr("256MiB"), HasSubstr("255MiB")));
  EXPECT_TRUE(Load(Yaml("upload_max: 64GiB\n")).ok());
  EXPECT_THAT(Refusal(Yaml("upload_max: 65GiB\n")),
              AllOf(HasSubstr("upload_max"), HasSubstr("64GiB"), HasSubstr("65GiB")));
  EXPECT_THAT(Refusal(Yaml("upload_max: 0\n")), HasSubstr("upload_max"));
}

TEST(OptionsTest, LeaseOfWorkers) {
  EXPECT_EQ(Load(Yaml())->worker_lease, absl::Seconds(10));
  EXPECT_EQ(Load(Yaml("worker_lease: 500ms\n"))->worker_lease, absl::Milliseconds(500));
  EXPECT_THAT(Refusal(Yaml("worker_lease: 50ms\n")), AllOf(HasSubstr("worker_lease"), HasSubstr("100ms")));
  EXPECT_THAT(Refusal(Yaml("worker_lease: 48h\n")), AllOf(HasSubstr("worker_lease"), HasSubstr("24h")));
}

}  // namespace
}  // namespace cairn
