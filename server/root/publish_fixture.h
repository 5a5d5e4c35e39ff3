// Rounds of two clients and what Publish makes of them, for tests.
#pragma once

#include <gtest/gtest.h>

#include <cstdint>
#include <filesystem>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "adapter/directory.h"
#include "aggregators/testing.h"
#include "base/files.h"
#include "base/limits.h"
#include "base/test_directory.h"
#include "server/root/publish.h"
#include "server/root/published_files.h"

namespace cairn::testing {

inline const std::vector<ModuleSpec> kTwoModules = {{"layers.0.q", 16, 15}, {"layers.1.q", 14, 17}};

class BytesBlob final : public Blob {
 public:
  explicit BytesBlob(std::string bytes) : bytes_(std::move(bytes)) {}
  absl::string_view bytes() const override { return bytes_; }

 private:
  std::string bytes_;
};

struct Sent {
  std::string client;
  std::uint64_t examples;
  InMemoryUpdate update;
};

// Two clients of different ranks, scales and dtypes.
inline std::vector<Sent> Round(int seed) {
  std::vector<Sent> round;
  round.push_back({"a", 3, MakeUpdate(2 * seed, kTwoModules, 3, 6, DType::kBF16)});
  round.push_back({"b", 1, MakeUpdate(2 * seed + 1, kTwoModules, 2, 1)});
  return round;
}

inline kernels::reference::Matrix Product(const LoraModule& module) {
  return kernels::reference::DenseSum({ReferenceOf(module, 1)});
}

inline kernels::reference::Matrix DenseSum(const std::vector<Sent>& round, std::size_t module) {
  std::vector<kernels::reference::Update> updates;
  for (const Sent& sent : round) {
    updates.push_back(ReferenceOf(sent.update.adapter().modules[module], sent.examples / 4.0));
  }
  return kernels::reference::DenseSum(updates);
}

class PublishFixture : public ::testing::Test {
 protected:
  PublishJob Job(std::uint64_t version, const std::vector<Sent>& round, const std::string& combine = "stack") {
    PublishJob job{"fed", Method{.combine = combine}, version, "org/base", {}, std::nullopt, directory_.path()};
    for (const Sent& sent : round) {
      ReceiptRow receipt{"fed", version, sent.client, "", 0, sent.examples, sent.update.bytes().config_json, 0};
      job.contributions.push_back({receipt, std::make_shared<BytesBlob>(sent.update.bytes().safetensors)});
    }
    return job;
  }
  VersionRow Published(const PublishJob& job) {
    auto publication = Publish(job);
    EXPECT_TRUE(publication.ok()) << publication.status();
    return publication.ok() ? publication->version : VersionRow{};
  }
  StoredAdapter Open(const AdapterFile& file) {
    auto stored = OpenAdapter(AdapterPath(directory_.path(), "fed", file.sha256), file.config);
    EXPECT_TRUE(stored.ok()) << stored.status();
    return *std::move(stored);
  }
  std::filesystem::path Version(std::uint64_t version) const {
    return VersionDirectory(directory_.path(), "fed", version);
  }
  std::string ModelBytes(std::uint64_t version) const {
    auto bytes = ReadFile(Version(version) / kAdapterModelFile, limits::kMiB);
    return bytes.ok() ? *bytes : bytes.status().ToString();
  }

  TestDirectory directory_;
};

}  // namespace cairn::testing
