#include "tests/integration/tree_fixture.h"

#include <unistd.h>

#include <chrono>
#include <cstdlib>
#include <filesystem>
#include <future>
#include <optional>
#include <utility>

#include "absl/strings/str_cat.h"
#include "adapter/peft_config.h"
#include "aggregators/partial_sum.h"
#include "aggregators/registry.h"
#include "aggregators/testing.h"
#include "base/digest.h"
#include "base/files.h"
#include "server/root/update.h"
#include "server/store/shared/testing.h"
#include "tests/integration/server_process.h"
#include "tests/integration/worker_pids.h"

namespace cairn::testing {
namespace {

namespace fs = std::filesystem;

constexpr auto kLongest = std::chrono::seconds(60);
const std::vector<ModuleSpec> kTwo = {{"layers.0.q", 64, 48}, {"layers.1.q", 48, 64}};

class FileBlob final : public Blob {
 public:
  FileBlob(fs::path path, MappedFile file) : path_(std::move(path)), file_(std::move(file)) {}
  absl::string_view bytes() const override { return file_.bytes(); }
  std::optional<fs::path> path() const override { return path_; }

 private:
  const fs::path path_;
  const MappedFile file_;
};

class ObjectBlob final : public Blob {
 public:
  explicit ObjectBlob(ReadableObject object) : object_(std::move(object)) {}
  absl::string_view bytes() const override { return object_.bytes(); }
  std::optional<ObjectKey> shared_key() const override { return object_.key(); }

 private:
  const ReadableObject object_;
};

// All values of a result, in order.
absl::StatusOr<std::vector<double>> ValuesOf(const PartialView& sum) {
  std::vector<double> values;
  const auto append = [&values](absl::Span<const double> block) {
    values.insert(values.end(), block.begin(), block.end());
    return absl::OkStatus();
  };
  ResultSink sink;
  sink.module = [&](const CombinedModule& module) {
    absl::Status read = ForEachBlockDouble(*module.a, append);
    return read.ok() ? ForEachBlockDouble(*module.b, append) : read;
  };
  const absl::Status reported = sum.Report(sink);
  return reported.ok() ? absl::StatusOr<std::vector<double>>(std::move(values)) : reported;
}

// One update after the other, in this process.
absl::StatusOr<PartialSum> SumHere(const PublishJob& job) {
  absl::StatusOr<PartialSum> sum = PartialSum::Create(job.method.combine);
  const auto combine = MakeAggregator(job.method.combine);
  for (const Contribution& contribution : job.contributions) {
    const ReceiptRow& receipt = contribution.receipt;
    const auto config = ParseUpdateConfig(receipt.adapter_config, **combine);
    if (!config.ok()) return config.status();
    const auto adapter = ParseAdapter(contribution.payload->bytes(), *config);
    if (!adapter.ok()) return adapter.status();
    const absl::Status added = sum->Add({receipt.client, receipt.sha256, receipt.examples}, *adapter);
    if (!added.ok()) return added;
  }
  return sum;
}

}  // namespace

TreeFixture::~TreeFixture() {
  tree_.reset();
  ::unsetenv("CAIRN_FAILPOINTS");
  ::unsetenv("CAIRN_FAILPOINTS_ONCE");
}

void TreeFixture::SetFailpoints(const std::string& points) {
  ::setenv("CAIRN_FAILPOINTS", points.c_str(), 1);
  ::setenv("CAIRN_FAILPOINTS_ONCE", once_.path().c_str(), 1);
}

bool TreeFixture::Passed(const std::string& failpoint) const { return fs::exists(once_ / failpoint); }

void TreeFixture::Start(tree::LocalTreeOptions options) {
  options.worker = {BuiltProgram("cairn"), "worker"};
  StartByHand(std::move(options));
}

void TreeFixture::StartByHand(tree::LocalTreeOptions options) {
  options.directory = directory_ / "node";
  options.objects_max = 1000;
  options.spill = directory_ / "spill";
  auto tree = tree::LocalTree::Start(options);
  ASSERT_TRUE(tree.ok()) << tree.status();
  tree_ = *std::move(tree);
}

std::set<pid_t> TreeFixture::AwaitWorkers(std::size_t count) {
  EXPECT_TRUE(Eventually([&] { return tree_->workers() == count; }));
  return WorkersOf(::getpid());
}

PublishJob TreeFixture::Round(std::size_t clients, const std::string& combine) {
  PublishJob job{.federation = "f", .version = 1, .data_dir = directory_.path()};
  job.method.combine = combine;
  for (std::size_t i = 0; i < clients; ++i) {
    const UpdateBytes update = MakeUpdateBytes(i, kTwo, 4, 8, DType::kF32);
    const fs::path path = directory_ / absl::StrCat("update", i);
    EXPECT_TRUE(WriteFileAtomically(path, update.safetensors).ok());
    auto file = MappedFile::Open(path);
    EXPECT_TRUE(file.ok()) << file.status();
    Contribution& contribution = job.contributions.emplace_back();
    contribution.receipt = {.federation = job.federation,
                            .round = job.version,
                            .client = absl::StrCat("client-", i),
                            .sha256 = Sha256Hex(update.safetensors),
                            .bytes = update.safetensors.size(),
                            .examples = i + 1,
                            .adapter_config = update.config_json};
    contribution.payload = std::make_shared<FileBlob>(path, *std::move(file));
  }
  return job;
}

PublishJob TreeFixture::InMemory(PublishJob job) {
  for (Contribution& contribution : job.contributions) {
    const auto key = Put(*tree_->store(), contribution.payload->bytes());
    EXPECT_TRUE(key.ok()) << key.status();
    auto object = tree_->store()->Get(*key);
    EXPECT_TRUE(object.ok()) << object.status();
    contribution.payload = std::make_shared<ObjectBlob>(*std::move(object));
  }
  return job;
}

void TreeFixture::Offer(const PublishJob& job) {
  for (const Contribution& contribution : job.contributions) {
    tree_->summer()->Contributed(job.federation, job.version, job.method, contribution);
  }
}

absl::StatusOr<std::unique_ptr<RoundTotal>> TreeFixture::Sum(const PublishJob& job) {
  auto sum = std::async(std::launch::async, [&] { return tree_->summer()->Sum(job); });
  if (sum.wait_for(kLongest) != std::future_status::ready) tree_->summer()->Stop();
  return sum.get();
}

void TreeFixture::ExpectSumOf(const PublishJob& job, const absl::StatusOr<std::unique_ptr<RoundTotal>>& total) {
  ASSERT_TRUE(total.ok()) << total.status();
  const absl::StatusOr<PartialSum> expected = SumHere(job);
  ASSERT_TRUE(expected.ok()) << expected.status();
  EXPECT_EQ(ValuesOf((*total)->view()).value(), ValuesOf(expected->View()).value());
}

}  // namespace cairn::testing
