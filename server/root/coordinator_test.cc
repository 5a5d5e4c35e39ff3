#include "server/root/coordinator.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <future>
#include <mutex>

#include "adapter/directory.h"
#include "server/root/testing.h"

namespace cairn {
namespace {

using ::testing::ElementsAre;
using testing::FederationFor;
using ::testing::HasSubstr;
using testing::kModules;
using testing::TestCoordinator;
using testing::Update;
namespace fs = std::filesystem;

absl::StatusCode CodeOf(const absl::Status& status) { return status.code(); }
template <typename T>
absl::StatusCode CodeOf(const absl::StatusOr<T>& result) {
  return result.status().code();
}

class CoordinatorTest : public ::testing::Test {
 protected:
  void Start(std::vector<FederationOptions> federations, bool durable = true) {
    server_ = std::make_unique<TestCoordinator>(std::move(federations), durable);
    const absl::Status started = server_->Start();
    ASSERT_TRUE(started.ok()) << started;
  }
  std::unique_ptr<TestCoordinator> server_;
};

TEST_F(CoordinatorTest, RunsRoundsFromJoiningToPublishing) {
  Start({FederationFor("fed", "stack", 2, 2)});
  auto joined = server_->Join("a");
  ASSERT_TRUE(joined.ok()) << joined.status();
  EXPECT_EQ(joined->spec, nullptr);
  EXPECT_EQ(joined->snapshot->state.phase, round::Phase::kWaiting);
  ASSERT_TRUE(server_->Join("b").ok());
  EXPECT_EQ(server_->Now().state.phase, round::Phase::kOpen);
  for (std::uint64_t round : {1, 2}) {
    ASSERT_TRUE(server_->Push("a", round, Update(10 * round, 3)).ok());
    auto receipt = server_->Push("b", round, Update(10 * round + 1, 2));
    ASSERT_TRUE(receipt.ok()) << receipt.status();
    EXPECT_EQ(receipt->client, "b");
    EXPECT_EQ(receipt->round, round);
    EXPECT_EQ(receipt->received_ms, 1'000'000'000);
    server_->AwaitVersion(round);
  }
  auto whole = server_->FindVersion(0, false), delta = server_->FindVersion(2, true);
  ASSERT_TRUE(whole.ok() && delta.ok());
  EXPECT_EQ(whole->version, 2u);
  EXPECT_EQ(OpenAdapter(whole->path, whole->adapter.config)->adapter.modules[0].rank, 10);
  EXPECT_EQ(OpenAdapter(delta->path, delta->adapter.config)->adapter.modules[0].rank, 5);
  EXPECT_EQ(CodeOf(server_->FindVersion(3, false)), absl::StatusCode::kNotFound);
  EXPECT_EQ(fs::read_symlink(server_->directory / "published/fed/latest"), "v00002");
}

TEST_F(CoordinatorTest, KnowsWhatItDoesNotKnow) {
  Start({FederationFor("fed", "mean", 1, 1), FederationFor("other", "mean", 1, 1)});
  EXPECT_EQ(CodeOf(server_->Join("a", "nobody")), absl::StatusCode::kNotFound);
  EXPECT_THAT(server_->Join("a", "nobody").status().message(), HasSubstr("\"fed\", \"other\""));
  EXPECT_EQ(CodeOf(server_->Join("../a")), absl::StatusCode::kInvalidArgument);
  EXPECT_EQ(CodeOf(server_->Leave("a")), absl::StatusCode::kNotFound);
  EXPECT_EQ(CodeOf(server_->CheckUpload({"fed", 1, "a", "", 1})), absl::StatusCode::kNotFound);
  EXPECT_EQ(CodeOf(server_->FindVersion(0, false)), absl::StatusCode::kNotFound);
  EXPECT_THAT(server_->FindVersion(0, false).status().message(), HasSubstr("nothing of \"fed\" is published yet"));
  ASSERT_TRUE(server_->Join("a").ok());
  ASSERT_TRUE(server_->Push("a", 1, Update(1)).ok());
  server_->AwaitVersion(1);
  EXPECT_EQ(CodeOf(server_->FindVersion(1, true)), absl::StatusCode::kFailedPrecondition);
}

// A second connection sees only what is committed, and cannot be opened for writing while a transaction runs.
TEST_F(CoordinatorTest, AnswersOnlyWhatIsDurable) {
  Start({FederationFor("fed", "stack", 1, 2)});
  ASSERT_TRUE(server_->Join("a").ok());
  std::promise<bool> seen;
  (*server_)->Contribute(server_->Seal("a", 1, Update(1)), [&](const absl::StatusOr<ReceiptRow>& receipt) {
    auto database = Database::Open(server_->directory / "cairn.sqlite", Database::Sync::kOff);
    seen.set_value(receipt.ok() && database.ok() && (*database)->LoadReceipt("fed", 1, "a")->has_value());
  });
  EXPECT_TRUE(seen.get_future().get());
}

TEST_F(CoordinatorTest, TheSameBytesGetTheSameReceiptAndOthersAreRefused) {
  Start({FederationFor("fed", "stack", 1, 2)});
  ASSERT_TRUE(server_->Join("a").ok());
  auto first = server_->Push("a", 1, Update(1));
  ASSERT_TRUE(first.ok()) << first.status();
  server_->clock.Advance(absl::Seconds(5));
  auto again = server_->Push("a", 1, Update(1));
  ASSERT_TRUE(again.ok()) << again.status();
  EXPECT_EQ(again->received_ms, first->received_ms);
  const auto other = server_->Push("a", 1, Update(2));
  EXPECT_EQ(CodeOf(other), absl::StatusCode::kAlreadyExists);
  EXPECT_THAT(other.status().message(), HasSubstr("\"a\""));
  EXPECT_EQ(server_->Now().state.contributed(), 1u);

  auto admission = server_->CheckUpload({"fed", 1, "a", first->sha256, first->bytes});
  ASSERT_TRUE(admission.ok() && admission->receipt.has_value());
  EXPECT_EQ(admission->receipt->sha256, first->sha256);
  EXPECT_EQ(CodeOf(server_->CheckUpload({"fed", 2, "a", "", 1})), absl::StatusCode::kFailedPrecondition);
}

// A receipt promises that the update counts: what the rule cannot combine must be refused before it.
TEST_F(CoordinatorTest, AnUpdateThatDoesNotCombineIsRefusedBeforeItsReceipt) {
  Start({FederationFor("fed", "mean", 2, 2)});
  ASSERT_TRUE(server_->Join("a").ok());
  ASSERT_TRUE(server_->Join("b").ok());
  ASSERT_TRUE(server_->Push("a", 1, Update(1, 2)).ok());
  const auto refused = server_->Push("b", 1, Update(2, 4));
  EXPECT_EQ(CodeOf(refused), absl::StatusCode::kInvalidArgument);
  EXPECT_THAT(refused.status().message(), HasSubstr("rank"));
  EXPECT_EQ(server_->Now().state.contributed(), 1u);
  ASSERT_TRUE(server_->Push("b", 1, Update(2, 2)).ok()) << "the refused attempt left nothing behind";
  server_->AwaitVersion(1);
}

TEST_F(CoordinatorTest, TheFirstAcceptedUpdateDecidesTheModules) {
  Start({FederationFor("fed", "stack", 2, 2)});
  ASSERT_TRUE(server_->Join("a").ok());
  ASSERT_TRUE(server_->Join("b").ok());
  SealedUpdate without_weight = server_->Seal("a", 1, Update(1, 2, {{"stray", 3, 3}}), 0);
  EXPECT_EQ(CodeOf(server_->Contribute(without_weight)), absl::StatusCode::kInvalidArgument);
  EXPECT_EQ(server_->Join("a")->spec, nullptr) << "a refused update must not decide";
  ASSERT_TRUE(server_->Push("a", 1, Update(1)).ok());
  EXPECT_EQ(server_->Join("a")->spec->modules, kModules);
  const auto other = server_->Push("b", 1, Update(2, 2, {{"stray", 3, 3}}));
  EXPECT_EQ(CodeOf(other), absl::StatusCode::kInvalidArgument);
  EXPECT_EQ(CodeOf(server_->Join("b", "fed", AdapterSpec{"", {{"stray", 3, 3}}})),
            absl::StatusCode::kFailedPrecondition);
}

TEST_F(CoordinatorTest, AClientMayAdaptAPartOfTheModules) {
  Start({FederationFor("fed", "stack", 2, 2)});
  ASSERT_TRUE(server_->Join("a", "fed", AdapterSpec{"", kModules, {{"norm", {8}}}}).ok());
  const std::vector<ModuleSpec> part = {kModules[1]};
  const auto joined = server_->Join("b", "fed", AdapterSpec{"", part, {}});
  ASSERT_TRUE(joined.ok()) << joined.status();
  EXPECT_EQ(joined->spec->modules, kModules) << "the federation's";
  const auto refusal = [&](const AdapterSpec& spec) { return server_->Join("c", "fed", spec).status(); };
  EXPECT_THAT(refusal({"", {{"stray", 3, 3}}, {}}).message(), HasSubstr("\"stray\""));
  EXPECT_THAT(refusal({"", {}, {{"head", {8}}}}).message(), HasSubstr("\"head\""));
  EXPECT_EQ(refusal({"", {{kModules[0].name, 16, 99}}, {}}).code(), absl::StatusCode::kFailedPrecondition);
  EXPECT_EQ(refusal({"", {kModules[1], kModules[0]}, {}}).code(), absl::StatusCode::kInvalidArgument) << "order";
  ASSERT_TRUE(server_->Push("a", 1, Update(1)).ok());
  ASSERT_TRUE(server_->Push("b", 1, Update(2, 2, part)).ok());
  server_->AwaitVersion(1);
  const auto whole = server_->FindVersion(1, false);
  const auto published = OpenAdapter(whole->path, whole->adapter.config);
  EXPECT_EQ(published->adapter.modules[0].rank, 2);
  EXPECT_EQ(published->adapter.modules[1].rank, 4);
}

TEST_F(CoordinatorTest, ModulesSayNothingWhereTensorsAreAveragedByName) {
  Start({FederationFor("fed", "dense_mean", 1, 1)});
  const auto joined = server_->Join("a", "fed", AdapterSpec{"", kModules, {}});
  ASSERT_TRUE(joined.ok()) << joined.status();
  EXPECT_EQ(joined->spec, nullptr);
  ASSERT_TRUE(server_->Push("a", 1, Update(1)).ok());
  EXPECT_EQ(server_->Join("a")->spec->tensors.size(), 2 * kModules.size());
  EXPECT_TRUE(server_->Join("a", "fed", AdapterSpec{"", kModules, {}}).ok()) << "again, after a restart, say";
}

TEST_F(CoordinatorTest, ClientsMustHaveFrozenTheSameValues) {
  Start({FederationFor("fed", "ffa", 2, 2)});
  ASSERT_TRUE(server_->Join("a").ok());
  ASSERT_TRUE(server_->Join("b").ok());
  ASSERT_TRUE(server_->Push("a", 1, Update(1)).ok());
  const auto refused = server_->Push("b", 1, Update(2));
  EXPECT_EQ(CodeOf(refused), absl::StatusCode::kInvalidArgument);
  EXPECT_THAT(refused.status().message(), HasSubstr("layers.0.q lora_A differs"));
  // Also after a restart, which has the bytes of "a" only.
  server_->Stop();
  ASSERT_TRUE(server_->Start().ok());
  EXPECT_EQ(CodeOf(server_->Push("b", 1, Update(2))), absl::StatusCode::kInvalidArgument);
  ASSERT_TRUE(server_->Push("b", 1, Update(1)).ok());
  server_->AwaitVersion(1);
}

TEST_F(CoordinatorTest, TheStateSaysHowVersionsAreMadeAndHowExactTheLatestIs) {
  Start({FederationFor("fed", "svd", 1, 1)});
  EXPECT_EQ(server_->Now().combine, "svd");
  EXPECT_EQ(server_->Now().rule, "examples");
  EXPECT_EQ(server_->Now().publish, "widest");
  EXPECT_EQ(server_->Now().relative_error, std::nullopt);
  ASSERT_TRUE(server_->Join("a").ok());
  ASSERT_TRUE(server_->Push("a", 1, Update(1)).ok());
  server_->AwaitVersion(1);
  ASSERT_TRUE(server_->Now().relative_error.has_value());
  EXPECT_LT(*server_->Now().relative_error, 1e-6);
  EXPECT_THAT(server_->metrics.Render(), HasSubstr("cairn_published_relative_error{federation=\"fed\"}"));
  EXPECT_THAT(server_->metrics.Render(), HasSubstr("cairn_published_module_relative_error{federation=\"fed\",module="));
  server_->Stop();
  ASSERT_TRUE(server_->Start().ok());
  EXPECT_TRUE(server_->Now().relative_error.has_value()) << "it is kept";
}

TEST_F(CoordinatorTest, TheStateNamesTheLatestTwoVersionsByTheirBytes) {
  Start({FederationFor("fed", "stack", 1, 1)});
  EXPECT_EQ(server_->Now().version_sha256, "");
  ASSERT_TRUE(server_->Join("a").ok());
  for (std::uint64_t version = 1; version <= 3; ++version) {
    const std::string before = server_->Now().version_sha256;
    ASSERT_TRUE(server_->Push("a", version, Update(version)).ok());
    server_->AwaitVersion(version);
    EXPECT_EQ(server_->Now().previous_sha256, before);
    EXPECT_NE(server_->Now().version_sha256, before);
  }
  const Snapshot now = server_->Now();
  EXPECT_EQ(now.version_sha256.size(), 64u);
  server_->Stop();
  ASSERT_TRUE(server_->Start().ok());
  EXPECT_EQ(server_->Now().version_sha256, now.version_sha256);
  EXPECT_EQ(server_->Now().previous_sha256, now.previous_sha256);
}

TEST_F(CoordinatorTest, ClosesAtTheDeadlineWithTheMinimum) {
  auto options = FederationFor("fed", "stack", 1, 3);
  options.policy.deadline = absl::Minutes(30);
  options.policy.progress_timeout = absl::Hours(2);
  Start({options});
  ASSERT_TRUE(server_->Join("a").ok());
  ASSERT_TRUE(server_->Push("a", 1, Update(1)).ok());
  server_->clock.Advance(absl::Minutes(30) - absl::Seconds(1));
  EXPECT_EQ(server_->Now().state.phase, round::Phase::kOpen);
  server_->clock.Advance(absl::Seconds(1));
  server_->AwaitVersion(1);
  EXPECT_EQ(CodeOf(server_->Push("a", 1, Update(2))), absl::StatusCode::kFailedPrecondition);
}

TEST_F(CoordinatorTest, ALeftClientCountsNoMoreButItsUpdateDoes) {
  Start({FederationFor("fed", "stack", 2, 2)});
  ASSERT_TRUE(server_->Join("a").ok());
  ASSERT_TRUE(server_->Join("b").ok());
  ASSERT_TRUE(server_->Push("a", 1, Update(1)).ok());
  ASSERT_TRUE(server_->Leave("a").ok());
  EXPECT_EQ(server_->Now().state.active(), 1u);
  ASSERT_TRUE(server_->Push("b", 1, Update(2)).ok());
  server_->AwaitVersion(1);
  EXPECT_EQ(server_->Now().state.phase, round::Phase::kWaiting);
  EXPECT_EQ(OpenAdapterDirectory(server_->directory / "published/fed/latest")->adapter.modules[0].rank, 4);
}

TEST_F(CoordinatorTest, FederationsDoNotDisturbEachOther) {
  Start({FederationFor("fed", "stack", 1, 1), FederationFor("other", "mean", 1, 2)});
  ASSERT_TRUE(server_->Join("a", "other").ok());
  ASSERT_TRUE(server_->Push("a", 1, Update(1), "other").ok());
  EXPECT_EQ(CodeOf(server_->Push("a", 1, Update(1))), absl::StatusCode::kNotFound);
  ASSERT_TRUE(server_->Join("a").ok());
  ASSERT_TRUE(server_->Push("a", 1, Update(1, 4, {{"elsewhere", 2, 2}})).ok());
  server_->AwaitVersion(1);
  EXPECT_EQ(server_->Now("other").state.version, 0u);
  EXPECT_EQ(server_->Now("other").state.contributed(), 1u);
  // Publishing "fed" lets go of its updates only.
  EXPECT_TRUE(server_->store().Find("other", UpdateName("a", Sha256Hex(Update(1).safetensors))).ok());
}

TEST_F(CoordinatorTest, AListenerHearsTheStateThenEverythingUntilItLeaves) {
  Start({FederationFor("fed", "stack", 1, 1), FederationFor("other", "stack", 1, 1)});
  ASSERT_TRUE(server_->Join("a").ok());
  std::mutex mutex;
  std::vector<Notice> heard;
  auto subscription = server_->Subscribe([&](const Notice& notice) {
    std::lock_guard lock(mutex);
    heard.push_back(notice);
  });
  ASSERT_TRUE(subscription.ok()) << subscription.status();
  ASSERT_TRUE(server_->Join("b", "other").ok());
  (*server_)->Progress({"fed", 1, "a", "", 200}, 100);
  ASSERT_TRUE(server_->Push("a", 1, Update(1)).ok());
  server_->AwaitVersion(1);
  (*server_)->Unsubscribe(*subscription);
  const std::size_t until_then = heard.size();
  ASSERT_TRUE(server_->Leave("a").ok());
  EXPECT_EQ(heard.size(), until_then);

  std::vector<Notice::Kind> kinds;
  for (const Notice& notice : heard) kinds.push_back(notice.kind);
  using Kind = Notice::Kind;
  EXPECT_THAT(kinds, ElementsAre(Kind::kSnapshot, Kind::kProgress, Kind::kContributed, Kind::kClosed, Kind::kPublished,
                                 Kind::kOpened));
  for (const Notice& notice : heard) EXPECT_EQ(notice.snapshot->federation, "fed");
  EXPECT_EQ(heard[0].snapshot->state.round, 1u);
  EXPECT_THAT(heard[1].snapshot->waiting_for, HasSubstr("a at 50 %"));
  EXPECT_EQ(heard[2].client, "a");
  EXPECT_EQ(heard[4].snapshot->state.version, 1u);
  EXPECT_EQ(server_->Subscribe([](const Notice&) {}, "nobody").status().code(), absl::StatusCode::kNotFound);
}

// Of a federation with many clients a snapshot is large, and progress is told often.
TEST_F(CoordinatorTest, NoticesOfOneTransactionHaveOneSnapshot) {
  Start({FederationFor("fed", "stack", 1, 1)});
  for (const char* client : {"a", "b", "c"}) ASSERT_TRUE(server_->Join(client).ok());
  std::vector<Notice> heard;  // All of them before what is asked later is answered.
  auto subscription = server_->Subscribe([&](const Notice& notice) { heard.push_back(notice); });
  ASSERT_TRUE(subscription.ok()) << subscription.status();
  std::promise<void> held, queued;
  (*server_)->Snapshots("", [&](const auto&) {
    held.set_value();
    queued.get_future().wait();
  });
  held.get_future().wait();
  for (const char* client : {"a", "b", "c"}) (*server_)->Progress({"fed", 1, client, "", 200}, 100);
  queued.set_value();
  EXPECT_THAT(server_->Now().waiting_for, HasSubstr("c at 50 %"));
  (*server_)->Progress({"fed", 1, "a", "", 200}, 150);
  EXPECT_THAT(server_->Now().waiting_for, HasSubstr("a at 75 %"));
  (*server_)->Unsubscribe(*subscription);
  ASSERT_EQ(heard.size(), 5u);
  EXPECT_EQ(heard[1].snapshot, heard[3].snapshot);
  EXPECT_NE(heard[3].snapshot, heard[4].snapshot);
  EXPECT_EQ(heard[3].client, "c");
  EXPECT_THAT(heard[4].snapshot->waiting_for, HasSubstr("a at 75 %"));
}

TEST_F(CoordinatorTest, ARefusedUploadIsToldWithItsReason) {
  Start({FederationFor("fed", "stack", 1, 1)});
  ASSERT_TRUE(server_->Join("a").ok());
  std::promise<Notice> refused;
  auto subscription = server_->Subscribe([&](const Notice& notice) {
    if (notice.kind == Notice::Kind::kRejected) refused.set_value(notice);
  });
  ASSERT_TRUE(subscription.ok());
  (*server_)->Progress({"fed", 1, "a", "", 200}, 100);
  (*server_)->UploadEnded({"fed", 1, "a", "", 200}, absl::InvalidArgumentError("tensor x is NaN"));
  const Notice notice = refused.get_future().get();
  (*server_)->Unsubscribe(*subscription);
  EXPECT_EQ(notice.client, "a");
  EXPECT_EQ(notice.detail, "tensor x is NaN");
  EXPECT_EQ(notice.snapshot->state.clients.at("a").part, round::Client::Part::kJoined);
}

TEST_F(CoordinatorTest, AConfiguredBaseModelIsHeldBeforeTheRuleSeesTheUpdate) {
  auto options = FederationFor("fed", "stack", 1, 2);
  options.base_model = "org/base";
  Start({options});
  ASSERT_TRUE(server_->Join("a").ok());
  auto stranger = Update(1), silent = Update(1);
  PeftConfig config = *ParsePeftConfig(stranger.config_json);
  config.base_model = "org/other";
  stranger.config_json = SerializePeftConfig(config);
  const auto refused = server_->Push("a", 1, stranger);
  EXPECT_EQ(CodeOf(refused), absl::StatusCode::kInvalidArgument);
  EXPECT_THAT(refused.status().message(), HasSubstr("org/other"));
  ASSERT_TRUE(server_->Push("a", 1, silent).ok());
  EXPECT_EQ(server_->Join("a")->spec->base_model, "org/base");
}

// The gateway has gone, the last update has come: its round closes while the coordinator ends.
TEST_F(CoordinatorTest, EndsWhileARoundCloses) {
  for (int i = 0; i < 5; ++i) {
    Start({FederationFor("fed", "stack", 1, 1)});
    ASSERT_TRUE(server_->Join("a").ok());
    const SealedUpdate update = server_->Seal("a", 1, Update(1));
    std::promise<absl::StatusOr<ReceiptRow>> receipt;
    (*server_)->Contribute(update, [&](absl::StatusOr<ReceiptRow> row) { receipt.set_value(std::move(row)); });
    server_->Stop();
    EXPECT_TRUE(receipt.get_future().get().ok());
    ASSERT_TRUE(server_->Start().ok());
    server_->AwaitVersion(1);
  }
}

}  // namespace
}  // namespace cairn
