// Valid adapters to upload: many different ones that share almost all of their memory.
#pragma once

#include <cstddef>
#include <memory>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "base/files.h"

namespace cairn::bench {

// One client's adapter: a private mapping of the common file in which one page differs.
class Payload {
 public:
  Payload(char* data, std::size_t bytes, std::string sha256);
  ~Payload();
  Payload(const Payload&) = delete;
  Payload& operator=(const Payload&) = delete;
  absl::string_view bytes() const { return {data_, bytes_}; }
  const std::string& sha256() const { return sha256_; }

 private:
  char* data_;
  std::size_t bytes_;
  std::string sha256_;
};

// Of a file of `bytes`, with `last_value` as its last float32. The file may be closed.
absl::StatusOr<std::shared_ptr<const Payload>> MapPayload(int fd, std::size_t bytes, float last_value);

struct Payloads {
  std::string adapter_config;
  std::vector<std::shared_ptr<const Payload>> clients;
};

// 64 MiB of float32 factors each, all finite, no two adapters the same.
absl::StatusOr<Payloads> MakePayloads(int clients);

}  // namespace cairn::bench
