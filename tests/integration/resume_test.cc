// Uploads that break off, and servers that die: nothing acknowledged is lost, nothing is sent twice.
#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include "absl/time/clock.h"
#include "adapter/directory.h"
#include "aggregators/testing.h"
#include "base/limits.h"
#include "base/test_directory.h"
#include "tests/integration/remote.h"
#include "tests/integration/server_process.h"

namespace cairn::testing {
namespace {

// 3 MB an update: three chunks.
const std::vector<ModuleSpec> kModules = {{"block.down", 16'000, 8'000}};
constexpr std::int64_t kRank = 32;
constexpr std::uint64_t kHalf = limits::kChunkBytes + 500'001;  // In the middle of a chunk and of an element.

UpdateBytes Update(std::uint64_t seed) { return MakeUpdateBytes(seed, kModules, kRank, kRank, DType::kF32); }

class ResumeTestBase : public ::testing::Test {
 protected:
  void Serve(const std::string& more = "") {
    server_ = std::make_unique<ServerProcess>(directory_.path(),
                                              more + "federations:\n  - {name: f, rounds: 2, clients: {min: 2}}\n");
    const absl::Status started = server_->Start();
    ASSERT_TRUE(started.ok()) << started;
    for (const char* name : {"ada", "bob"}) {
      auto client = Client::Join(FastOptions(server_->address(), "f", name), ShapeOf(kModules));
      ASSERT_TRUE(client.ok()) << client.status();
      clients_.push_back(*std::move(client));
    }
    connection_ = Connect(FastOptions(server_->address(), "f", "ada"));
    header_ = HeaderFor(FastOptions(server_->address(), "f", "ada"), 1, update_);
  }

  // Sends the first bytes of ada's update, and breaks off.
  void SendHalf() {
    {
      RawPush push(*connection_);
      ASSERT_TRUE(push.Header(header_));
      ASSERT_TRUE(push.Chunks(absl::string_view(update_.safetensors).substr(0, kHalf)));
      while (BytesReceived() < kHalf) absl::SleepFor(absl::Milliseconds(5));  // Breaking off drops what is on its way.
    }
    ASSERT_EQ(AwaitReceived(*connection_, header_, kHalf), kHalf);
  }

  // ABORTED while the server has not noticed yet that the first stream is gone.
  absl::StatusOr<v1::Receipt> SendRest() {
    header_.set_offset(kHalf);
    while (true) {
      auto receipt = PushWhole(*connection_, header_, absl::string_view(update_.safetensors).substr(kHalf));
      if (!absl::IsAborted(receipt.status()) && !absl::IsUnavailable(receipt.status())) return receipt;
      absl::SleepFor(absl::Milliseconds(10));
    }
  }

  absl::Status Push(std::size_t client, std::uint64_t round, const UpdateBytes& update) {
    return clients_[client]->PushBytes(Round{round}, update.config_json, update.safetensors, 10).status();
  }

  double BytesReceived() {
    return MetricValue(server_->metrics_address(), "cairn_received_bytes_total{federation=\"f\"}");
  }

  const TestDirectory directory_;
  std::unique_ptr<ServerProcess> server_;
  std::vector<std::unique_ptr<Client>> clients_;
  std::unique_ptr<sdk::Connection> connection_;
  const UpdateBytes update_ = Update(1);
  v1::PushHeader header_;
};

class ResumeTest : public ResumeTestBase, public ::testing::WithParamInterface<const char*> {};

TEST_P(ResumeTest, ABrokenUploadGoesOnAtItsByte) {
  Serve(GetParam());
  SendHalf();
  const auto point = ResumePoint(*connection_, header_);
  ASSERT_TRUE(point.ok()) << point.status();
  EXPECT_EQ(point->offset(), kHalf);
  EXPECT_FALSE(point->has_receipt());
  const auto receipt = SendRest();
  ASSERT_TRUE(receipt.ok()) << receipt.status();
  EXPECT_EQ(receipt->sha256(), header_.sha256());
  EXPECT_EQ(BytesReceived(), update_.safetensors.size());
  EXPECT_TRUE(ResumePoint(*connection_, header_)->has_receipt());
}

INSTANTIATE_TEST_SUITE_P(InBothModes, ResumeTest, ::testing::Values("durability: durable\n", "durability: memory\n"),
                         [](const auto& info) {
                           return std::string(info.param) == "durability: memory\n" ? "Memory" : "Durable";
                         });

class RestartTest : public ResumeTestBase {};

TEST_F(RestartTest, AnUploadGoesOnAfterTheServerWasKilled) {
  Serve();
  SendHalf();
  ASSERT_TRUE(server_->Restart().ok());
  EXPECT_EQ(AwaitReceived(*connection_, header_, kHalf), kHalf);
  const auto receipt = SendRest();
  ASSERT_TRUE(receipt.ok()) << receipt.status();
  EXPECT_EQ(BytesReceived(), update_.safetensors.size() - kHalf);
}

TEST_F(RestartTest, OtherBytesStartFromTheBeginning) {
  Serve();
  SendHalf();
  v1::PushHeader other = HeaderFor(FastOptions(server_->address(), "f", "ada"), 1, Update(2));
  EXPECT_EQ(ResumePoint(*connection_, other)->offset(), 0u);
  other.set_offset(kHalf);  // A sender that does not ask.
  EXPECT_EQ(PushWhole(*connection_, other, Update(2).safetensors.substr(kHalf)).status().code(),
            absl::StatusCode::kAborted);
}

class ChangedOnDiskTest : public ResumeTestBase, public ::testing::WithParamInterface<int> {};

// The bytes that were there before the kill are looked at again: a wrong one among them is found, and it is not the
// client's fault.
TEST_P(ChangedOnDiskTest, IsFoundAndAskedForAgain) {
  Serve();
  SendHalf();
  server_->Kill();
  for (const auto& entry : std::filesystem::directory_iterator(server_->data_dir() / "uploads")) {
    std::fstream file(entry.path(), std::ios::in | std::ios::out | std::ios::binary);
    file.seekp(GetParam());
    file.put('\0').put('\0').put('\0').put('\0');
  }
  ASSERT_TRUE(server_->Start().ok());
  EXPECT_EQ(AwaitReceived(*connection_, header_, kHalf), kHalf);
  EXPECT_EQ(SendRest().status().code(), absl::StatusCode::kDataLoss);
  EXPECT_EQ(ResumePoint(*connection_, header_)->offset(), 0u);  // The next attempt does not meet them again.
}
INSTANTIATE_TEST_SUITE_P(HeaderAndValues, ChangedOnDiskTest, ::testing::Values(20, 1'000'000));

TEST_F(RestartTest, ClientsReconnectAndTheRoundGoesOn) {
  Serve();
  ASSERT_TRUE(Push(0, 1, Update(1)).ok());
  absl::StatusOr<Round> next = absl::UnknownError("");
  std::thread waiting([&] { next = clients_[0]->AwaitRound(absl::Seconds(20)); });  // Over the restarts.
  for (int i = 0; i < 2; ++i) ASSERT_TRUE(server_->Restart().ok());
  const auto info = StatusOf(server_->address(), "f");
  ASSERT_TRUE(info.ok()) << info.status();
  EXPECT_EQ(info->clients(0).state(), v1::ClientProgress::STATE_CONTRIBUTED);
  EXPECT_EQ(info->clients(1).state(), v1::ClientProgress::STATE_JOINED);
  ASSERT_TRUE(Push(1, 1, Update(2)).ok());
  waiting.join();
  ASSERT_TRUE(next.ok()) << next.status();
  EXPECT_EQ(next->number, 2u);
  EXPECT_EQ(next->version, 1u);
  const auto stored = OpenAdapterDirectory(server_->latest("f"));
  ASSERT_TRUE(stored.ok()) << stored.status();
  EXPECT_EQ(stored->adapter.modules[0].rank, 2 * kRank);  // Both, once each.
}

TEST_F(RestartTest, ARoundThatIsCompleteIsPublishedAfterwards) {
  Serve();
  ASSERT_TRUE(Push(0, 1, Update(1)).ok());
  ASSERT_TRUE(Push(1, 1, Update(2)).ok());
  ASSERT_TRUE(server_->Restart().ok());  // Before, while or after it aggregated.
  const auto next = clients_[0]->AwaitRound(absl::Seconds(20));
  ASSERT_TRUE(next.ok()) << next.status();
  EXPECT_EQ(next->number, 2u);
  EXPECT_TRUE(Push(0, 1, Update(1)).ok());  // The same receipt still.
  EXPECT_EQ(Push(0, 1, Update(3)).code(), absl::StatusCode::kFailedPrecondition);
}

// The receipt names what the server has; memory does not survive, so the round asks again.
TEST_F(RestartTest, MemoryModeAsksForTheRoundAgain) {
  Serve("durability: memory\n");
  ASSERT_TRUE(Push(0, 1, Update(1)).ok());
  ASSERT_TRUE(server_->Restart().ok());
  const auto again = clients_[0]->AwaitRound(absl::Seconds(20));
  ASSERT_TRUE(again.ok()) << again.status();
  EXPECT_EQ(again->number, 1u);
  ASSERT_TRUE(Push(0, 1, Update(1)).ok());
  ASSERT_TRUE(Push(1, 1, Update(2)).ok());
  const auto next = clients_[0]->AwaitRound(absl::Seconds(20));
  ASSERT_TRUE(next.ok()) << next.status();
  EXPECT_EQ(next->number, 2u);
  EXPECT_EQ(OpenAdapterDirectory(server_->latest("f"))->adapter.modules[0].rank, 2 * kRank);
  ASSERT_TRUE(server_->Restart().ok());  // What is published survives.
  EXPECT_EQ(*clients_[1]->Pull(0, Form::kAdapter, directory_ / "pulled"), 1u);
}

}  // namespace
}  // namespace cairn::testing
