// What the updates of a round must have in common, and who decides it.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "adapter/directory.h"
#include "aggregators/testing.h"
#include "server/root/testing.h"

namespace cairn {
namespace {

using ::testing::AllOf;
using testing::FederationFor;
using ::testing::HasSubstr;
using testing::kModules;
using testing::TestCoordinator;
using testing::Update;
using testing::UpdateBytes;

constexpr char kSteps[] = "base_model.model.bn.steps";
constexpr char kCounter[] = "base_model.model.bn.num_batches_tracked";

std::string Int64(std::int64_t value) { return {reinterpret_cast<const char*>(&value), sizeof value}; }

// A LoRA update with a tensor of modules_to_save.
UpdateBytes WithTensor(std::uint64_t seed, DType dtype, const char* name, const std::string& bytes) {
  const UpdateBytes plain = Update(seed);
  PeftConfig config = *ParsePeftConfig(plain.config_json);
  config.modules_to_save = {"bn"};
  const Adapter adapter = *ParseAdapter(plain.safetensors, config);
  std::vector<TensorView> tensors;
  for (const LoraModule& module : adapter.modules) {
    tensors.push_back(module.a);
    tensors.push_back(module.b);
  }
  tensors.push_back({name, dtype, {static_cast<std::int64_t>(bytes.size() / SizeOf(dtype))}, bytes});
  return {SerializePeftConfig(config), *SerializeSafetensors(tensors)};
}

class AgreementTest : public ::testing::Test {
 protected:
  void Start(FederationOptions options) {
    server_ = std::make_unique<TestCoordinator>(std::vector<FederationOptions>{std::move(options)});
    const absl::Status started = server_->Start();
    ASSERT_TRUE(started.ok()) << started;
    for (const char* client : {"a", "b"}) ASSERT_TRUE(server_->Join(client).ok());
  }
  absl::Status Restart() {
    server_->Stop();
    return server_->Start();
  }
  std::unique_ptr<TestCoordinator> server_;
};

// Found out only when the round is combined, it would end the federation: both have their receipts.
TEST_F(AgreementTest, TensorsThatCannotBeAveragedAreComparedBeforeTheReceipt) {
  for (const char* combine : {"stack", "mean", "svd", "dense_mean"}) {
    Start(FederationFor("fed", combine, 2, 2));
    ASSERT_TRUE(server_->Push("a", 1, WithTensor(1, DType::kI64, kSteps, Int64(3))).ok());
    const absl::Status other = server_->Push("b", 1, WithTensor(1, DType::kI64, kSteps, Int64(4))).status();
    EXPECT_EQ(other.code(), absl::StatusCode::kInvalidArgument) << combine;
    EXPECT_THAT(other.message(), AllOf(HasSubstr(kSteps), HasSubstr("client a"), HasSubstr("client b")));
    ASSERT_TRUE(Restart().ok());
    EXPECT_FALSE(server_->Push("b", 1, WithTensor(1, DType::kI64, kSteps, Int64(4))).ok()) << "as before the restart";
    EXPECT_FALSE(server_->Push("b", 1, WithTensor(1, DType::kF64, kSteps, Int64(3))).ok()) << "another type";
    const auto same = server_->Push("b", 1, WithTensor(1, DType::kI64, kSteps, Int64(3)));
    ASSERT_TRUE(same.ok()) << same.status();
    server_->AwaitVersion(1);
  }
}

TEST_F(AgreementTest, OfCountersOfStepsTheLargestIsPublished) {
  Start(FederationFor("fed", "stack", 2, 2));
  ASSERT_TRUE(server_->Push("a", 1, WithTensor(1, DType::kI64, kCounter, Int64(300))).ok());
  ASSERT_TRUE(server_->Push("b", 1, WithTensor(2, DType::kI64, kCounter, Int64(7))).ok());
  server_->AwaitVersion(1);
  const auto whole = server_->FindVersion(1, false);
  const auto stored = OpenAdapter(whole->path, whole->adapter.config);
  ASSERT_TRUE(stored.ok()) << stored.status();
  ASSERT_EQ(stored->adapter.tensors.size(), 1u);
  EXPECT_EQ(stored->adapter.tensors[0].view.data, Int64(300));
}

// Else whoever comes first could shut out everyone who goes on from what was published.
TEST_F(AgreementTest, LaterRoundsGoOnFromThePublishedRank) {
  Start(FederationFor("fed", "mean", 2, 2));
  for (const char* client : {"a", "b"}) ASSERT_TRUE(server_->Push(client, 1, Update(client[0], 2)).ok());
  server_->AwaitVersion(1);
  for (int restarts = 0; restarts < 2; ++restarts) {
    const absl::Status early = server_->Push("b", 2, Update(5, 3)).status();
    EXPECT_EQ(early.code(), absl::StatusCode::kInvalidArgument);
    EXPECT_THAT(early.message(), HasSubstr("version 1 has rank 2"));
    ASSERT_TRUE(Restart().ok());
  }
  for (const char* client : {"a", "b"}) ASSERT_TRUE(server_->Push(client, 2, Update(client[0], 2)).ok());
  server_->AwaitVersion(2);
}

TEST_F(AgreementTest, AFirstClientWithLessDoesNotDecideForThoseWithMore) {
  const AdapterSpec narrow{"", {kModules[0]}, {}}, wide{"", kModules, {}}, other{"", {kModules[1]}, {}};
  Start(FederationFor("fed", "stack", 2, 2));
  EXPECT_EQ(server_->Join("a", "fed", narrow)->spec->modules, narrow.modules);
  EXPECT_EQ(server_->Join("b", "fed", other).status().code(), absl::StatusCode::kFailedPrecondition);
  const auto joined = server_->Join("b", "fed", wide);
  ASSERT_TRUE(joined.ok()) << joined.status();
  EXPECT_EQ(joined->spec->modules, kModules);
  ASSERT_TRUE(Restart().ok());
  EXPECT_EQ(server_->Join("a")->spec->modules, kModules);
}

TEST_F(AgreementTest, OnceAnUpdateWasTakenOnlyTheConfigurationAddsModules) {
  const AdapterSpec narrow{"", {kModules[0]}, {}}, wide{"", kModules, {}};
  Start(FederationFor("fed", "stack", 2, 2));
  ASSERT_TRUE(server_->Join("a", "fed", narrow).ok());
  ASSERT_TRUE(server_->Push("a", 1, Update(1, 2, {kModules[0]})).ok());
  EXPECT_EQ(server_->Join("b", "fed", wide).status().code(), absl::StatusCode::kFailedPrecondition);
  server_->federations()[0].spec = wide;
  for (int restarts = 0; restarts < 2; ++restarts) {
    const absl::Status restarted = Restart();
    ASSERT_TRUE(restarted.ok()) << restarted;
    EXPECT_EQ(server_->Join("b", "fed", wide)->spec->modules, kModules);
  }
  ASSERT_TRUE(server_->Push("b", 1, Update(2)).ok());
  server_->AwaitVersion(1);
}

// The sender's round may be published while its last stream is being read back.
TEST_F(AgreementTest, AnUpdateWhosePartsCouldNotBeReadIsNotTakenAndLetGoOf) {
  Start(FederationFor("fed", "stack", 2, 2));
  SealedUpdate update = server_->Seal("a", 1, Update(1));
  update.frozen = absl::NotFoundError("not sealed");
  EXPECT_EQ(server_->Contribute(update).status().code(), absl::StatusCode::kUnavailable);
  EXPECT_FALSE(server_->store().Find("fed", UpdateName("a", update.key.sha256)).ok());
  update.key.round = 7;
  const absl::Status closed = server_->Contribute(update).status();
  EXPECT_EQ(closed.code(), absl::StatusCode::kFailedPrecondition);
  EXPECT_THAT(closed.message(), HasSubstr("round 7 is not open yet"));
}

// An adapter of another kind with its whole document, as dense_mean compares it.
std::shared_ptr<const Adapter> Document(const std::string& extra) {
  auto adapter = std::make_shared<Adapter>();
  adapter->config.kind = AdapterKind::kAveraged;
  adapter->config.json = "{\"peft_type\": \"IA3\"" + extra + "}";
  adapter->tensors.push_back({{"w", DType::kF32, {1}, {}}});
  return adapter;
}

// Only one document stays in memory, whichever client is the first by name.
TEST(RehearsalTest, ComparesDocumentsWithTheOneItKeeps) {
  for (const std::vector<std::string>& order : {std::vector<std::string>{"a", "b"}, {"b", "a"}}) {
    Rehearsal rehearsal = *Rehearsal::Begin("dense_mean");
    for (const std::string& client : order) ASSERT_TRUE(rehearsal.Add(client, 1, Document(""), "").ok());
    const absl::Status other = rehearsal.Add("c", 1, Document(", \"seed\": 3"), "");
    EXPECT_THAT(other.message(), HasSubstr("seed"));
    EXPECT_FALSE(rehearsal.Add("0", 1, Document(", \"seed\": 3"), "").ok());
  }
}

TEST(UpdateConfigTest, KeepsTheDocumentOnlyWhereItIsPublished) {
  const std::string json = Update(1).config_json;
  EXPECT_EQ(ParseUpdateConfig(json, **MakeAggregator("stack"))->json, "");
  EXPECT_EQ(ParseUpdateConfig(json, **MakeAggregator("dense_mean"))->json, json);
}

}  // namespace
}  // namespace cairn
