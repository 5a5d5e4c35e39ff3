#include "tests/integration/aggregate_fixture.h"

#include <algorithm>
#include <cmath>

#include "adapter/safetensors.h"
#include "base/files.h"
#include "tests/integration/server_process.h"

namespace cairn::testing {

namespace fs = std::filesystem;
namespace reference = kernels::reference;

void AggregateFixture::WriteBytes(const fs::path& path, const std::string& bytes) {
  fs::create_directories(path.parent_path());
  const absl::Status status = WriteFileAtomically(path, bytes);
  ASSERT_TRUE(status.ok()) << status;
  written_.push_back(*fs::relative(path, directory_.path()).begin());
}

void AggregateFixture::WriteClient(const std::string& name, std::uint64_t seed, std::int64_t rank,
                                   const std::vector<ModuleSpec>& modules, const EditFactors& edit) {
  const UpdateBytes update = MakeUpdateBytes(seed, modules, rank, 2 * static_cast<double>(rank), DType::kF32, edit);
  WriteBytes(directory_ / name / kAdapterConfigFile, update.config_json);
  WriteBytes(directory_ / name / kAdapterModelFile, update.safetensors);
}

void AggregateFixture::WriteTensors(const fs::path& path, const std::map<std::string, std::vector<float>>& tensors) {
  std::vector<TensorView> views;
  for (const auto& [name, values] : tensors) {
    const absl::string_view bytes(reinterpret_cast<const char*>(values.data()), values.size() * sizeof(float));
    views.push_back({name, DType::kF32, {static_cast<std::int64_t>(values.size())}, bytes});
  }
  WriteBytes(path, SerializeSafetensors(views).value());
}

Outcome AggregateFixture::Aggregate(std::vector<std::string> arguments, const std::string& limit) {
  std::vector<std::string> command = {BuiltProgram("cairn"), "aggregate"};
  if (!limit.empty()) {
    command.insert(command.begin(), {"/bin/sh", "-c", limit + "; exec \"$0\" \"$@\""});
  }
  command.insert(command.end(), arguments.begin(), arguments.end());
  const auto outcome = RunCommand(std::move(command));
  EXPECT_TRUE(outcome.ok()) << outcome.status();
  return outcome.value_or(Outcome{-1, ""});
}

reference::Matrix AggregateFixture::Exact(const std::string& module, const std::map<std::string, double>& weights) {
  std::vector<reference::Update> updates;
  for (const auto& [client, weight] : weights) {
    const auto stored = OpenAdapterDirectory(directory_ / client);
    EXPECT_TRUE(stored.ok()) << stored.status();
    for (const LoraModule& own : stored->adapter.modules) {
      if (own.name == module) updates.push_back(ReferenceOf(own, weight));
    }
  }
  return reference::DenseSum(updates);
}

reference::Matrix AggregateFixture::Change(const fs::path& folder, const std::string& module) {
  const auto stored = OpenAdapterDirectory(folder);
  EXPECT_TRUE(stored.ok()) << stored.status();
  if (!stored.ok()) return {};
  for (const LoraModule& own : stored->adapter.modules) {
    if (own.name == module) return reference::DenseSum({ReferenceOf(own, 1)});
  }
  ADD_FAILURE() << folder << " has no module " << module;
  return {};
}

std::vector<std::string> AggregateFixture::Leftovers() const {
  std::vector<std::string> names;
  for (const auto& entry : fs::directory_iterator(directory_.path())) {
    const std::string name = entry.path().filename();
    if (std::find(written_.begin(), written_.end(), name) == written_.end()) names.push_back(name);
  }
  std::sort(names.begin(), names.end());
  return names;
}

double RelativeDistance(const reference::Matrix& x, const reference::Matrix& y) {
  if (x.values.size() != y.values.size()) return INFINITY;
  double error = 0, norm = 0;
  for (std::size_t i = 0; i < x.values.size(); ++i) {
    error += std::pow(x.values[i] - y.values[i], 2);
    norm += std::pow(y.values[i], 2);
  }
  return std::sqrt(error / norm);
}

}  // namespace cairn::testing
