#include "config/yaml.h"

#include <gmock/gmock.h>
#include <google/protobuf/field_mask.pb.h>
#include <google/protobuf/struct.pb.h>
#include <google/protobuf/util/message_differencer.h>
#include <google/protobuf/wrappers.pb.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <string>
#include <utility>

#include "absl/strings/str_cat.h"
#include "base/files.h"
#include "config/server_values.h"
#include "proto/cairn/v1/config.pb.h"

namespace cairn {
namespace {

using google::protobuf::util::MessageDifferencer;
using ::testing::HasSubstr;

std::string ErrorOf(absl::string_view text) {
  v1::ServerConfig config;
  const absl::Status status = LoadYamlText(text, "f.yaml", &config, CheckServerValue);
  EXPECT_FALSE(status.ok()) << text;
  EXPECT_EQ(status.code(), absl::StatusCode::kInvalidArgument) << status;
  EXPECT_EQ(config.ByteSizeLong(), 0u) << "changed although refused";
  return std::string(status.message());
}

constexpr char kWhole[] = R"(# A comment.
listen: 127.0.0.1:0
data_dir: "/var/lib/cairn"
durability: memory
insecure_plaintext: true
tls:
  certificate: server.pem
federations:
  - name: licenses
    rounds: 3
    clients: {min: 2, target: 5}
    modules:
      - name: layers.0.q
        d_in: 64
        d_out: 64
  - name: second
)";

TEST(Yaml, ReadsEveryKindOfField) {
  v1::ServerConfig config;
  ASSERT_EQ(LoadYamlText(kWhole, "f.yaml", &config, CheckServerValue), absl::OkStatus());
  EXPECT_EQ(config.listen(), "127.0.0.1:0");
  EXPECT_EQ(config.durability(), v1::memory);
  EXPECT_TRUE(config.insecure_plaintext());
  EXPECT_EQ(config.tls().certificate(), "server.pem");
  ASSERT_EQ(config.federations_size(), 2);
  EXPECT_EQ(config.federations(0).clients().target(), 5u);
  EXPECT_EQ(config.federations(0).modules(0).d_out(), 64);
  EXPECT_EQ(config.federations(1).name(), "second");
}

TEST(Yaml, KeepsWhatTheFileDoesNotName) {
  v1::ServerConfig config;
  config.set_listen("a:1");
  config.set_memory_budget("1GiB");
  ASSERT_EQ(LoadYamlText("listen: b:2", "f.yaml", &config), absl::OkStatus());
  EXPECT_EQ(config.listen(), "b:2");
  EXPECT_EQ(config.memory_budget(), "1GiB");
  ASSERT_EQ(LoadYamlText("# nothing\n", "f.yaml", &config), absl::OkStatus());
  EXPECT_EQ(config.listen(), "b:2");
}

TEST(Yaml, ErrorsNameFileLineColumnAndKey) {
  EXPECT_EQ(ErrorOf("listn: x:1"), "f.yaml:1:1: key \"listn\": unknown key; did you mean \"listen\"?");
  EXPECT_THAT(ErrorOf("zzzzzzzz: 1"), HasSubstr("unknown key; expected one of listen, metrics_listen, data_dir"));
  EXPECT_EQ(ErrorOf("data_dir: a\nlisten: b:1\ndata_dir: c\n"), "f.yaml:3:1: key \"data_dir\": duplicate key");
  EXPECT_EQ(
      ErrorOf("federations:\n  - name: a\n    clients:\n      min: two\n"),
      "f.yaml:4:12: key \"federations[0].clients.min\": expected a whole number from 0 to 4294967295, got \"two\"");
  EXPECT_EQ(ErrorOf("federations:\n- {clients: {min: 4294967296}}"),
            "f.yaml:2:19: key \"federations[0].clients.min\": expected a whole number from 0 to 4294967295, got "
            "\"4294967296\"");
}

TEST(Yaml, RefusesWrongTypes) {
  EXPECT_THAT(ErrorOf("tls: yes"), HasSubstr("key \"tls\": expected a mapping, got \"yes\""));
  EXPECT_THAT(ErrorOf("tls:"), HasSubstr("expected a mapping, got nothing"));
  EXPECT_THAT(ErrorOf("federations: {name: a}"), HasSubstr("expected a list, got a mapping"));
  EXPECT_THAT(ErrorOf("data_dir: [a]"), HasSubstr("expected text, got a list"));
  EXPECT_THAT(ErrorOf("insecure_plaintext: yes"), HasSubstr("expected true or false, got \"yes\""));
  EXPECT_THAT(ErrorOf("insecure_plaintext: \"true\""), HasSubstr("expected true or false"));
  EXPECT_THAT(ErrorOf("federations: [{rounds: -1}]"), HasSubstr("expected a whole number from 0"));
  EXPECT_THAT(ErrorOf("federations: [{rounds: \"1\"}]"), HasSubstr("expected a whole number from 0"));
  EXPECT_THAT(ErrorOf("- a\n- b\n"), HasSubstr("f.yaml:1:1: expected a mapping, got a list"));
  EXPECT_THAT(ErrorOf("[a]: b"), HasSubstr("expected a name as key"));
}

TEST(Yaml, ListsTheAcceptedEnumValues) {
  EXPECT_EQ(ErrorOf("durability: disk"),
            "f.yaml:1:13: key \"durability\": expected one of durable, memory, got \"disk\"");
  EXPECT_THAT(ErrorOf("durability: DURABILITY_UNSPECIFIED"), HasSubstr("expected one of durable, memory"));
}

TEST(Yaml, ChecksValuesWithTheirPlace) {
  EXPECT_THAT(ErrorOf("data_dir: d\nmemory_budget: 12 parsecs"),
              HasSubstr("f.yaml:2:16: key \"memory_budget\": expected bytes"));
  EXPECT_THAT(ErrorOf("federations: [{deadline: 3}]"),
              HasSubstr("key \"federations[0].deadline\": expected a positive"));
  EXPECT_THAT(ErrorOf("listen: here"), HasSubstr("key \"listen\": expected host:port"));
  EXPECT_THAT(ErrorOf("log_level: loud"), HasSubstr("expected debug, info, warn or error"));
  EXPECT_THAT(ErrorOf("federations: [{name: a/b}]"), HasSubstr("key \"federations[0].name\""));
}

TEST(Yaml, RefusesWhatCouldGrow) {
  EXPECT_THAT(ErrorOf("data_dir: &a x\nlisten: *a\n"), HasSubstr("anchors are not accepted"));
  EXPECT_THAT(ErrorOf("data_dir: !!binary x\n"), HasSubstr("tags are not accepted"));
  EXPECT_THAT(ErrorOf(std::string(100, '[')), HasSubstr("nested deeper than 32 levels"));
  EXPECT_THAT(ErrorOf(std::string(kYamlBytesMax + 1, '#')), HasSubstr("expected at most 1048576 bytes, got 1048577"));
  EXPECT_THAT(ErrorOf("data_dir: a\n---\ndata_dir: b\n"),
              HasSubstr("f.yaml:2:1: expected one document, here begins a second"));
}

TEST(Yaml, ReportsBadSyntaxWithItsPlace) {
  EXPECT_THAT(ErrorOf("data_dir: a\n  b: [\n"), HasSubstr("f.yaml:2:"));
  EXPECT_THAT(ErrorOf("\tx: 1"), HasSubstr("f.yaml:1:"));
}

TEST(Yaml, ReadsRealsListsOfScalarsAndOneofs) {
  google::protobuf::DoubleValue real;
  EXPECT_EQ(LoadYamlText("value: 1.5e-3", "f", &real), absl::OkStatus());
  EXPECT_EQ(real.value(), 1.5e-3);
  EXPECT_FALSE(LoadYamlText("value: inf", "f", &real).ok());
  google::protobuf::FieldMask paths;
  EXPECT_EQ(LoadYamlText("paths: [a, 'b c']", "f", &paths), absl::OkStatus());
  EXPECT_THAT(paths.paths(), ::testing::ElementsAre("a", "b c"));
  google::protobuf::Value value;
  EXPECT_THAT(LoadYamlText("{bool_value: true, number_value: 2}", "f", &value).message(),
              HasSubstr("only one of its kind"));
  google::protobuf::Struct with_map;
  EXPECT_THAT(LoadYamlText("fields: {}", "f", &with_map).message(), HasSubstr("maps are not supported"));
  google::protobuf::BytesValue bytes;
  EXPECT_THAT(LoadYamlText("value: x", "f", &bytes).message(), HasSubstr("bytes are not supported"));
}

TEST(Yaml, FileErrorsNameTheFile) {
  v1::ServerConfig config;
  const absl::Status missing = LoadYamlFile("/nonexistent/cairn.yaml", &config);
  EXPECT_EQ(missing.code(), absl::StatusCode::kNotFound);
  EXPECT_THAT(missing.message(), HasSubstr("/nonexistent/cairn.yaml"));
  const auto path = std::filesystem::path(testing::TempDir()) / "yaml_test.yaml";
  ASSERT_EQ(WriteFileAtomically(path, "lisssten: a:1\n"), absl::OkStatus());
  EXPECT_THAT(LoadYamlFile(path, &config).message(), HasSubstr(absl::StrCat(path.string(), ":1:1: key \"lisssten\"")));
}

TEST(ToYaml, IsReadBackToAnEqualMessage) {
  v1::ServerConfig config, again;
  ASSERT_EQ(LoadYamlText(kWhole, "f.yaml", &config), absl::OkStatus());
  config.set_memory_budget("tab\t quote\" back\\ nul\x01 – é # : {}");
  config.set_log_level("true");
  config.add_federations();
  config.mutable_federations(0)->mutable_clients();
  const std::string text = ToYaml(config);
  ASSERT_EQ(LoadYamlText(text, "written", &again), absl::OkStatus()) << text;
  EXPECT_TRUE(MessageDifferencer::Equals(config, again)) << text;
}

TEST(ToYaml, ReadsAsAPersonWouldWriteIt) {
  v1::FederationConfig federation;
  federation.set_name("licenses");
  federation.mutable_clients()->set_min(2);
  auto* module = federation.add_modules();
  module->set_name("q");
  module->set_d_in(8);
  EXPECT_EQ(ToYaml(federation),
            "name: licenses\nrelative_to_published: false\nrounds: 0\nclients:\n  min: 2\n  target: 0\nmodules:\n  - "
            "name: q\n    d_in: 8\n    d_out: 0\n");
  EXPECT_EQ(ToYaml(v1::Tls()), "{}\n");
}

}  // namespace
}  // namespace cairn
