// Adapters on disk and the real `cairn aggregate`.
#pragma once

#include <gtest/gtest.h>

#include <filesystem>
#include <map>
#include <string>
#include <vector>

#include "adapter/directory.h"
#include "aggregators/kernels/reference.h"
#include "aggregators/testing.h"
#include "base/test_directory.h"
#include "tests/integration/child.h"

namespace cairn::testing {

class AggregateFixture : public ::testing::Test {
 protected:
  // An adapter folder; `alpha` is twice the rank.
  void WriteClient(const std::string& name, std::uint64_t seed, std::int64_t rank,
                   const std::vector<ModuleSpec>& modules, const EditFactors& edit = nullptr);
  void WriteBytes(const std::filesystem::path& path, const std::string& bytes);
  // A safetensors file of float32 tensors.
  void WriteTensors(const std::filesystem::path& path, const std::map<std::string, std::vector<float>>& tensors);

  std::string In(const std::string& name) const { return (directory_ / name).string(); }
  // `cairn aggregate` with arguments, after a shell command that limits it, such as "ulimit -f 1".
  Outcome Aggregate(std::vector<std::string> arguments, const std::string& limit = "");

  // The weighted sum of the clients' updates of a module, slowly; weights need not sum to 1.
  kernels::reference::Matrix Exact(const std::string& module, const std::map<std::string, double>& weights);
  // What an adapter folder adds to a module's weight.
  kernels::reference::Matrix Change(const std::filesystem::path& folder, const std::string& module);

  // Everything in the test's directory but what it wrote itself.
  std::vector<std::string> Leftovers() const;

  const TestDirectory directory_;
  std::vector<std::string> written_;
};

// ||x - y|| / ||y||
double RelativeDistance(const kernels::reference::Matrix& x, const kernels::reference::Matrix& y);

}  // namespace cairn::testing
