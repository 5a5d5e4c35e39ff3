// What a node gathers of a round's updates is enough to combine its own modules.
#include "server/node/gathered_parts.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <memory>
#include <numeric>
#include <string>
#include <thread>
#include <vector>

#include "absl/strings/str_cat.h"
#include "aggregators/blame.h"
#include "aggregators/registry.h"
#include "aggregators/shard_meeting_testing.h"
#include "aggregators/testing.h"
#include "base/limits.h"
#include "server/node/peer_testing.h"
#include "server/root/shards.h"
#include "server/root/update.h"

namespace cairn {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using testing::MakeUpdateBytes;
using testing::ShardMeeting;
using testing::TestPeer;
using testing::UpdateBytes;

const std::vector<ModuleSpec> kModules = {
    {"x.0.q", 12, 10, {}},
    {"x.0.v", 9, 14, {}},
    {"x.1.conv", 8, 6, {.kind = Layer::Kind::kConv2d, .height = 2, .width = 2, .groups = 2}},
    {"x.1.q", 12, 10, {}}};
const std::vector<std::string> kClients = {"a", "b", "c", "d", "e"};

// An update with tensors beside the modules, in an order of its own.
UpdateBytes UpdateOf(std::uint64_t seed) {
  const UpdateBytes plain = MakeUpdateBytes(seed, kModules, 4, 3, DType::kF32);
  PeftConfig config = *ParsePeftConfig(plain.config_json);
  config.modules_to_save = {"bn"};
  std::vector<float> weight(300);
  std::iota(weight.begin(), weight.end(), static_cast<float>(seed));
  const std::int64_t steps = static_cast<std::int64_t>(seed) + 5;
  std::vector<TensorView> tensors = ParseSafetensors(plain.safetensors)->tensors;
  const absl::string_view weights(reinterpret_cast<const char*>(weight.data()), weight.size() * sizeof(float));
  tensors.push_back({"base_model.model.bn.weight", DType::kF32, {300}, weights});
  tensors.push_back({"base_model.model.bn.num_batches_tracked",
                     DType::kI64,
                     {1},
                     {reinterpret_cast<const char*>(&steps), sizeof steps}});
  std::rotate(tensors.begin(), tensors.begin() + static_cast<std::ptrdiff_t>(seed % tensors.size()), tensors.end());
  return {SerializePeftConfig(config), *SerializeSafetensors(tensors)};
}

// Of "n1", whose updates those of d are; a, b and e are at "n2", c is at the root.
class GatheredPartsTest : public ::testing::Test {
 protected:
  GatheredPartsTest() {
    for (std::size_t i = 0; i < kClients.size(); ++i) {
      const std::string& client = kClients[i];
      TestPeer& home = client == "c" ? root_ : client == "d" ? own_ : peer_;
      updates_.push_back(UpdateOf(i));
      home.Seal(client, updates_.back().safetensors);
    }
  }

  PublishJob Job(const Method& method = {}) {
    PublishJob job{"fed", method, 1, "", {}, std::nullopt, directory_.path()};
    for (std::size_t i = 0; i < kClients.size(); ++i) {
      ReceiptRow receipt{"fed",
                         1,
                         kClients[i],
                         Sha256Hex(updates_[i].safetensors),
                         updates_[i].safetensors.size(),
                         i + 1,
                         updates_[i].config_json,
                         0};
      receipt.node = kClients[i] == "c" ? "" : kClients[i] == "d" ? "n1" : "n2";
      job.contributions.push_back({receipt, nullptr});
    }
    return job;
  }
  absl::Status Gather(PublishJob& job, const Shard& own, const std::string& directory = "parts") {
    return GatherParts(job, "n1", {{"n2", peer_.address()}}, own, peers_, own_.store(), directory_ / directory,
                       [this] { return wanted_; });
  }
  // Of one that is lost here its client is to blame; elsewhere, whoever answers there may not be that node.
  void ExpectLost(PublishJob job, std::size_t client) {
    const absl::Status gathered = Gather(job, {{"x.0.q"}, {}, nullptr, nullptr});
    EXPECT_THAT(std::string(gathered.message()),
                HasSubstr(absl::StrCat("has lost the update of client \"", kClients[client], "\"")));
    const bool here = job.contributions[client].receipt.node == "n1";
    EXPECT_EQ(gathered.code(), here ? absl::StatusCode::kInvalidArgument : absl::StatusCode::kAborted) << gathered;
    EXPECT_EQ(BlamedClient(gathered), here ? std::make_optional(kClients[client]) : std::nullopt);
  }
  Adapter Parsed(std::size_t client, const Method& method) {
    const auto config = ParseUpdateConfig(updates_[client].config_json, **MakeAggregator(method.combine));
    return *ParseAdapter(updates_[client].safetensors, *config);
  }
  // What each of the shards makes, from parts or from whole updates, as text.
  std::vector<std::string> Combined(const Method& method, bool parts);
  std::vector<std::shared_ptr<Shard>> TwoShards(const Method& method, ShardMeeting& meeting);

  bool wanted_ = true;
  TestDirectory directory_;
  std::vector<UpdateBytes> updates_;
  TestPeer own_, peer_, root_;
  RootConnection connection_{root_.address(), grpc::InsecureChannelCredentials()};
  Peers peers_{"n1", grpc::InsecureChannelCredentials(), &connection_};
};

// Modules and tensors in turns.
std::vector<std::shared_ptr<Shard>> GatheredPartsTest::TwoShards(const Method& method, ShardMeeting& meeting) {
  const std::vector<std::shared_ptr<Shard>> shards = {std::make_shared<Shard>(), std::make_shared<Shard>()};
  for (const auto& shard : shards) meeting.Admit(*shard);
  const Adapter adapter = Parsed(0, method);
  std::size_t turn = 0;
  for (const LoraModule& module : adapter.modules) shards[turn++ % 2]->modules.insert(module.name);
  for (const DenseTensor& tensor : adapter.tensors) shards[turn++ % 2]->tensors.insert(tensor.view.name);
  return shards;
}

std::string TextOf(const absl::StatusOr<ShardPart>& part) {
  if (!part.ok()) return part.status().ToString();
  std::string text = part->file.empty() ? "nothing" : *ReadFile(part->file, limits::kMiB);
  for (const ClientReport& client : part->report.clients) absl::StrAppend(&text, "\n", client.id, client.weight);
  return text;
}

std::vector<std::string> GatheredPartsTest::Combined(const Method& method, bool parts) {
  ShardMeeting meeting(2);
  const auto shards = TwoShards(method, meeting);
  std::vector<std::string> texts(2);
  std::vector<std::thread> threads;
  for (std::size_t s = 0; s < 2; ++s) {
    threads.emplace_back([&, s] {
      PublishJob job = Job(method);
      absl::Status gathered;
      if (parts) gathered = Gather(job, *shards[s], absl::StrCat("parts", s));
      for (Contribution& contribution : job.contributions) {
        const ReceiptRow& receipt = contribution.receipt;
        TestPeer& home = receipt.node.empty() ? root_ : receipt.node == "n1" ? own_ : peer_;
        if (!parts) contribution.payload = *home.store().Find("fed", UpdateName(receipt.client, receipt.sha256));
      }
      EXPECT_TRUE(gathered.ok()) << gathered;
      texts[s] = TextOf(CombineShard(job, shards[s], directory_ / absl::StrCat("made", s)));
      meeting.Leave();
    });
  }
  for (std::thread& thread : threads) thread.join();
  return texts;
}

TEST_F(GatheredPartsTest, AShardMakesOfPartsWhatItMakesOfWholeUpdates) {
  const std::vector<Method> methods = {{.rule = "krum:f=1"},
                                       {.guards = {"nnm:f=1", "clip"}, .rule = "geometric_median", .combine = "svd"},
                                       {.rule = "median"},
                                       {.rule = "krum:f=1", .combine = "mean"},
                                       {.rule = "trimmed_mean:f=1", .combine = "dense_mean"},
                                       {.rule = "multi_krum:f=1", .combine = "zero_pad", .rule_modules = {"q"}},
                                       {.combine = "rank_cluster"}};
  for (const Method& method : methods) {
    SCOPED_TRACE(absl::StrCat(method.combine, " ", method.rule));
    const std::vector<std::string> whole = Combined(method, false), parts = Combined(method, true);
    for (std::size_t s = 0; s < 2; ++s) {
      EXPECT_THAT(whole[s], HasSubstr("\na"));  // A result, and no error.
      EXPECT_TRUE(whole[s] == parts[s]) << parts[s].substr(0, 200);
    }
  }
}

// Byte by byte: what is a shard's own is there, and of the rest only the header.
TEST_F(GatheredPartsTest, PartsAreTheHeaderAndWhatIsOwn) {
  const Shard own{{"x.0.v", "x.1.conv"}, {"base_model.model.bn.weight"}, nullptr, nullptr};
  PublishJob job = Job();
  const absl::Status gathered = Gather(job, own);
  ASSERT_TRUE(gathered.ok()) << gathered;
  for (std::size_t i = 0; i < kClients.size(); ++i) {
    const Contribution& contribution = job.contributions[i];
    const std::string& whole = updates_[i].safetensors;
    std::string expected = whole;
    if (kClients[i] != "d") {
      expected.assign(whole.size(), '\0');
      std::vector<ByteRange> ranges = OwnRanges(own, Parsed(i, job.method), whole);
      ranges.push_back({0, *SafetensorsHeaderBytes(whole, whole.size())});
      for (const ByteRange& range : ranges)
        expected.replace(range.offset, range.bytes, whole, range.offset, range.bytes);
      EXPECT_EQ(contribution.payload->path()->parent_path(), directory_ / "parts");
      EXPECT_EQ(ReadFile(*contribution.payload->path(), limits::kMiB).value(), expected) << "of another process";
    }
    EXPECT_TRUE(contribution.payload->bytes() == expected) << kClients[i];
  }
  job = {};
  EXPECT_TRUE(std::filesystem::is_empty(directory_ / "parts"));
}

TEST_F(GatheredPartsTest, WhatIsThereAlreadyStays) {
  PublishJob job = Job();
  peer_.Stop();
  for (Contribution& contribution : job.contributions) {
    if (contribution.receipt.node != "n2") continue;
    contribution.payload =
        *peer_.store().Find("fed", UpdateName(contribution.receipt.client, contribution.receipt.sha256));
  }
  const auto before = job.contributions[0].payload;
  EXPECT_TRUE(Gather(job, {}).ok());
  EXPECT_EQ(job.contributions[0].payload, before);
}

TEST_F(GatheredPartsTest, WhoseUpdateWasLostIsSaid) {
  for (const std::size_t i : {0, 2, 3}) {
    PublishJob job = Job();
    job.contributions[i].receipt.sha256 = std::string(64, 'f');
    ExpectLost(std::move(job), i);
    job = Job();
    job.contributions[i].receipt.bytes += 1;
    ExpectLost(std::move(job), i);
  }
  // Other bytes than those that were acknowledged.
  for (const std::string& bytes : {std::string("short"), std::string(100, '\xff'), std::string(100, '\0')}) {
    const UploadKey key = peer_.Seal("b", bytes);
    PublishJob job = Job();
    job.contributions[1].receipt.sha256 = key.sha256;
    job.contributions[1].receipt.bytes = key.bytes;
    ExpectLost(std::move(job), 1);
  }
  EXPECT_TRUE(std::filesystem::is_empty(directory_ / "parts"));
}

TEST_F(GatheredPartsTest, NothingIsReadThatNobodyWants) {
  PublishJob job = Job();
  wanted_ = false;
  EXPECT_EQ(Gather(job, {}).code(), absl::StatusCode::kAborted);
  EXPECT_EQ(job.contributions[0].payload, nullptr);
}

TEST_F(GatheredPartsTest, NobodyIsToBlameForANodeThatIsAway) {
  PublishJob job = Job();
  EXPECT_EQ(GatherParts(job, "n1", {}, {}, peers_, own_.store(), directory_ / "parts", [] { return true; }).code(),
            absl::StatusCode::kFailedPrecondition);
  peer_.Stop();
  job = Job();
  const absl::Status gathered = Gather(job, {});
  EXPECT_EQ(gathered.code(), absl::StatusCode::kUnavailable) << gathered;
  EXPECT_EQ(BlamedClient(gathered), std::nullopt);
}

TEST(OwnRanges, AreOfAllTensorsOfAModuleAndJoinedWhereTheyTouch) {
  const std::string update(100, '\0');
  const auto view = [&](std::size_t at, std::size_t bytes) {
    TensorView tensor;
    tensor.data = absl::string_view(update).substr(at, bytes);
    return tensor;
  };
  Adapter adapter;
  adapter.modules.push_back({.name = "m", .a = view(30, 10), .b = view(10, 5), .core = view(15, 15)});
  adapter.modules.push_back({.name = "n", .a = view(40, 5), .b = view(90, 10)});
  adapter.tensors.push_back({.view = view(50, 0)});
  adapter.tensors.push_back({.view = view(60, 3)});
  adapter.tensors[0].view.name = "empty";
  adapter.tensors[1].view.name = "t";
  EXPECT_THAT(OwnRanges({{"m"}, {"t"}, nullptr, nullptr}, adapter, update),
              ElementsAre(ByteRange{10, 30}, ByteRange{60, 3}));
  EXPECT_THAT(OwnRanges({{"m", "n"}, {"empty"}, nullptr, nullptr}, adapter, update),
              ElementsAre(ByteRange{10, 35}, ByteRange{90, 10}));
  EXPECT_THAT(OwnRanges({}, adapter, update), ElementsAre());
}

}  // namespace
}  // namespace cairn
