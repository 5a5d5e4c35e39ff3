// The example that documents the configuration is valid, commented keys included, and leaves out no key of the schema.
#include <google/protobuf/descriptor.h>
#include <gtest/gtest.h>

#include <regex>
#include <string>

#include "base/files.h"
#include "config/server_values.h"
#include "config/yaml.h"
#include "proto/cairn/v1/config.pb.h"

namespace cairn {
namespace {

// The example with "#key: value" lines uncommented; "# prose" stays a comment.
std::string EveryKey() {
  const auto text = ReadFile(CAIRN_SOURCE_DIR "/examples/federation.yaml", kYamlBytesMax);
  EXPECT_TRUE(text.ok()) << text.status();
  return text.ok() ? std::regex_replace(*text, std::regex("(^|\n)( *)#(\\S| +- | {2}\\w+: )"), "$1$2$3") : "";
}

TEST(Example, IsValidAsItIs) {
  v1::ServerConfig config;
  ASSERT_EQ(LoadYamlFile(CAIRN_SOURCE_DIR "/examples/federation.yaml", &config, CheckServerValue), absl::OkStatus());
  ASSERT_EQ(config.federations_size(), 1);
  EXPECT_FALSE(config.data_dir().empty());
}

TEST(Example, IsValidWithEveryKey) {
  v1::ServerConfig config;
  const std::string text = EveryKey();
  ASSERT_EQ(LoadYamlText(text, "example", &config, CheckServerValue), absl::OkStatus()) << text;
  EXPECT_EQ(config.tls().client_ca(), "ca.pem");
  ASSERT_EQ(config.federations(0).modules_size(), 1);
}

TEST(Example, LeavesOutNoKey) {
  const std::string text = EveryKey();
  const auto* file = v1::ServerConfig::descriptor()->file();
  for (int m = 0; m < file->message_type_count(); ++m) {
    for (int f = 0; f < file->message_type(m)->field_count(); ++f) {
      const std::string& key = file->message_type(m)->field(f)->name();
      EXPECT_TRUE(std::regex_search(text, std::regex("(^|\n|\\{|- |, ) *" + key + ":"))) << key;
    }
  }
}

}  // namespace
}  // namespace cairn
