// Everything an upload can be wrong in, against a real server. Each is refused with a status that says what and where,
// is counted by reason, changes nothing, and does not disturb another client's upload that goes on at the same time.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <memory>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "base/test_directory.h"
#include "tests/integration/remote.h"
#include "tests/integration/server_process.h"
#include "tests/integration/wrong_updates.h"
#include "wire/frame.h"

namespace cairn::testing {
namespace {

using ::testing::HasSubstr;
using Code = absl::StatusCode;

constexpr char kFederation[] = "f";

std::vector<Wrong> All() {
  std::vector<Wrong> all = WrongAdapters();
  for (const auto& more : {WrongHeaders(), WrongStreams()}) all.insert(all.end(), more.begin(), more.end());
  return all;
}

// Round 2 is open. `good` has sent the first half of its update when a test begins; `bad` and `third` have joined.
class BadInput : public ::testing::TestWithParam<Wrong> {
 protected:
  void SetUp() override {
    server_ = std::make_unique<ServerProcess>(
        directory_.path(), absl::StrCat("upload_max: 4MiB\nfederations:\n  - {name: f, clients: {min: 1, target: 3}, "
                                        "deadline: 1h}\n"));
    const absl::Status started = server_->Start();
    ASSERT_TRUE(started.ok()) << started;
    for (const char* name : {"good", "bad", "third"}) {
      auto client = Client::Join(FastOptions(server_->address(), kFederation, name), ShapeOf(kCaseModules));
      ASSERT_TRUE(client.ok()) << client.status();
      clients_.push_back(*std::move(client));
    }
    for (std::size_t i = 0; i < clients_.size(); ++i) ASSERT_TRUE(Push(i, 1, GoodUpdate(10 + i)).ok());
    ASSERT_EQ(clients_[0]->AwaitRound(absl::Seconds(20))->number, 2u);
    StartGood();
  }

  absl::Status Push(std::size_t client, std::uint64_t round, const UpdateBytes& update) {
    return clients_[client]->PushBytes(Round{round}, update.config_json, update.safetensors, 10).status();
  }

  ClientOptions Options(const std::string& client) { return FastOptions(server_->address(), kFederation, client); }

  void StartGood() {
    good_ = Connect(Options("good"));
    good_header_ = HeaderFor(Options("good"), 2, good_update_);
    good_push_ = std::make_unique<RawPush>(*good_);
    good_push_->Header(good_header_);
    good_push_->Chunks(absl::string_view(good_update_.safetensors).substr(0, kHalf));
    ASSERT_EQ(AwaitReceived(*good_, good_header_, kHalf), kHalf);
  }

  absl::StatusOr<v1::Receipt> FinishGood() {
    good_push_->Chunks(absl::string_view(good_update_.safetensors).substr(kHalf));
    good_push_->Trailer(good_header_.sha256());
    return good_push_->Finish();
  }

  absl::StatusOr<v1::Receipt> Send(const Attempt& attempt) {
    const auto connection = Connect(Options("bad"));
    v1::PushHeader header = HeaderFor(Options("bad"), 2, attempt.update);
    attempt.edit_header(header);
    if (!attempt.send) return PushWhole(*connection, header, attempt.update.safetensors);
    RawPush push(*connection);
    push.Header(header);
    attempt.send(push, header, attempt.update);
    return push.Finish();
  }

  // What nothing refused may change: all but how far `good` is said to be.
  std::string State() {
    auto info = StatusOf(server_->address(), kFederation);
    if (!info.ok()) return info.status().ToString();
    for (v1::ClientProgress& client : *info->mutable_clients()) {
      if (client.client() == "good") client.clear_bytes_received();
    }
    info->clear_waiting_for();
    return info->ShortDebugString();
  }

  double Rejected(const std::string& federation, const std::string& reason) {
    return MetricValue(server_->metrics_address(), absl::StrCat("cairn_updates_total{federation=\"", federation,
                                                                "\",outcome=\"rejected\",reason=\"", reason, "\"}"));
  }

  static constexpr std::uint64_t kHalf = 600'000;
  const TestDirectory directory_;
  std::unique_ptr<ServerProcess> server_;
  std::vector<std::unique_ptr<Client>> clients_;
  const UpdateBytes good_update_ = GoodUpdate(99);
  v1::PushHeader good_header_;
  std::unique_ptr<sdk::Connection> good_;
  std::unique_ptr<RawPush> good_push_;
};

TEST_P(BadInput, IsRefusedAndChangesNothing) {
  const Wrong& wrong = GetParam();
  const std::string before = State();
  const double rejected = Rejected(wrong.counted, wrong.reason);
  const auto receipt = Send(wrong.make());
  EXPECT_EQ(receipt.status().code(), wrong.code) << receipt.status();
  EXPECT_THAT(std::string(receipt.status().message()), HasSubstr("client \"bad"));
  for (const std::string& words : wrong.says) {
    EXPECT_THAT(std::string(receipt.status().message()), HasSubstr(words));
  }
  EXPECT_EQ(Rejected(wrong.counted, wrong.reason), rejected + 1) << *HttpGet(server_->metrics_address(), "/metrics");
  EXPECT_EQ(State(), before);
  const auto good = FinishGood();
  EXPECT_TRUE(good.ok()) << good.status();
  const absl::Status again = Push(1, 2, GoodUpdate(1));  // The same client, with a right one.
  EXPECT_TRUE(again.ok()) << again;
}

INSTANTIATE_TEST_SUITE_P(Every, BadInput, ::testing::ValuesIn(All()), [](const auto& info) { return info.param.name; });

class Duplicates : public BadInput {};

TEST_F(Duplicates, TheSameBytesGetTheSameReceipt) {
  const Attempt attempt;
  const auto first = Send(attempt);
  ASSERT_TRUE(first.ok()) << first.status();
  const auto second = Send(attempt);
  ASSERT_TRUE(second.ok()) << second.status();
  EXPECT_EQ(first->ShortDebugString(), second->ShortDebugString());
  ASSERT_TRUE(FinishGood().ok());
  ASSERT_TRUE(Push(2, 2, GoodUpdate(3)).ok());
  ASSERT_EQ(clients_[0]->AwaitRound(absl::Seconds(20))->number, 3u);
  const auto after_close = Send(attempt);
  ASSERT_TRUE(after_close.ok()) << after_close.status();
  EXPECT_EQ(first->ShortDebugString(), after_close->ShortDebugString());
}

TEST_F(Duplicates, OtherBytesAreRefused) {
  ASSERT_TRUE(Send({}).ok());
  const std::string before = State();
  const auto other = Send({.update = GoodUpdate(2)});
  EXPECT_EQ(other.status().code(), Code::kAlreadyExists);
  EXPECT_THAT(std::string(other.status().message()), HasSubstr("client \"bad\" has already contributed"));
  EXPECT_EQ(Rejected(kFederation, "duplicate"), 1);
  EXPECT_EQ(State(), before);
  EXPECT_TRUE(FinishGood().ok());
}

TEST_F(Duplicates, TheSdkSaysTheSame) {
  EXPECT_EQ(Push(1, 2, WithModules({{"block.zig", 8, 8}})).code(), Code::kInvalidArgument);
  EXPECT_EQ(Push(1, 7, GoodUpdate(1)).code(), Code::kFailedPrecondition);
  EXPECT_EQ(Push(1, 2, WithConfig("\"use_dora\": false", "\"use_dora\": true")).code(), Code::kInvalidArgument);
  EXPECT_TRUE(Push(1, 2, GoodUpdate(1)).ok());
  EXPECT_TRUE(Push(1, 2, GoodUpdate(1)).ok());
  EXPECT_EQ(Push(1, 2, GoodUpdate(2)).code(), Code::kAlreadyExists);
  EXPECT_TRUE(FinishGood().ok());
}

class FirstFrame : public BadInput {};

// Before its header a stream has no client's name.
TEST_F(FirstFrame, MustBeAHeader) {
  for (const std::string& message : {std::string("garbage"), std::string(), BrokenChunk("x"),
                                     wire::EncodePrefix({wire::FrameKind::kHeader, 0, 3}) + "\xff\xff\xff"}) {
    const double rejected = Rejected("", "header");
    RawPush push(*good_);
    push.Message(message);
    EXPECT_EQ(push.Finish().status().code(), Code::kInvalidArgument) << message;
    EXPECT_EQ(Rejected("", "header"), rejected + 1);
  }
  EXPECT_TRUE(FinishGood().ok());
}

}  // namespace
}  // namespace cairn::testing
