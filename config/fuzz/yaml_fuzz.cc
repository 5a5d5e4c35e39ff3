// Any text is either refused with a status or read into a message that survives being written and read again.
#include <google/protobuf/util/message_differencer.h>

#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <iostream>

#include "config/yaml.h"
#include "proto/cairn/v1/config.pb.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  cairn::v1::ServerConfig config;
  const absl::string_view text(reinterpret_cast<const char*>(data), size);
  if (!cairn::LoadYamlText(text, "fuzz.yaml", &config).ok()) return 0;
  const std::string written = cairn::ToYaml(config);
  cairn::v1::ServerConfig again;
  const absl::Status status = cairn::LoadYamlText(written, "written.yaml", &again);
  if (!status.ok() || !google::protobuf::util::MessageDifferencer::Equals(config, again)) {
    std::cerr << status << "\n" << written << "\n";
    std::abort();
  }
  return 0;
}
