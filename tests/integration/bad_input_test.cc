// Everything an upload can be wrong in, against a real server. Each is refused with a status that says what and where,
// is counted by reason, changes nothing, and does not disturb another client's upload that goes on at the same time.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <functional>
#include <limits>
#include <memory>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_replace.h"
#include "aggregators/testing.h"
#include "base/digest.h"
#include "base/limits.h"
#include "base/test_directory.h"
#include "tests/integration/remote.h"
#include "tests/integration/server_process.h"

namespace cairn::testing {
namespace {

using ::testing::HasSubstr;
using Code = absl::StatusCode;

// Large enough for two chunks: 2 * 4 * (5000 + 3000) * 16 bytes.
const std::vector<ModuleSpec> kModules = {{"block.down", 5000, 3000}, {"block.up", 5000, 3000}};
constexpr std::int64_t kRank = 18;
constexpr char kFederation[] = "f";
constexpr std::uint64_t kUploadMax = 4 * limits::kMiB;

UpdateBytes GoodUpdate(std::uint64_t seed) { return MakeUpdateBytes(seed, kModules, kRank, 2 * kRank, DType::kF32); }

UpdateBytes WithModules(const std::vector<ModuleSpec>& modules) {
  return MakeUpdateBytes(1, modules, kRank, 2 * kRank, DType::kF32);
}

UpdateBytes WithConfig(const std::string& from, const std::string& to) {
  UpdateBytes update = GoodUpdate(1);
  update.config_json = absl::StrReplaceAll(update.config_json, {{from, to}});
  return update;
}

// In B of the last module, which is the end of the file, or in A of the first.
UpdateBytes WithValue(float value, bool last) {
  return MakeUpdateBytes(1, kModules, kRank, 2 * kRank, DType::kF32,
                         [=](const ModuleSpec& module, std::vector<float>& a, std::vector<float>& b) {
                           if (last && module.name == "block.up") b.back() = value;
                           if (!last && module.name == "block.down") a.front() = value;
                         });
}

UpdateBytes StateDict() {
  const std::vector<float> weights(64 * 64, 0.5f);
  const absl::string_view bytes(reinterpret_cast<const char*>(weights.data()), weights.size() * sizeof(float));
  UpdateBytes update = GoodUpdate(1);
  update.safetensors = *SerializeSafetensors({{"model.block.down.weight", DType::kF32, {64, 64}, bytes}});
  return update;
}

struct Attempt {
  UpdateBytes update = GoodUpdate(1);
  std::function<void(v1::PushHeader&)> edit_header = [](v1::PushHeader&) {};
  // What follows the header; unless set, the whole payload and the trailer that belongs to it.
  std::function<void(RawPush&, const v1::PushHeader&, const UpdateBytes&)> send;
};

struct Wrong {
  std::string name;
  std::function<Attempt()> make;
  Code code;
  std::string reason;                 // The metric's label.
  std::vector<std::string> says;      // Besides the client's name.
  std::string counted = kFederation;  // Under which federation's label.
};

void PrintTo(const Wrong& wrong, std::ostream* out) { *out << wrong.name; }

Attempt Sending(UpdateBytes update) { return {.update = std::move(update)}; }
Attempt WithHeader(std::function<void(v1::PushHeader&)> edit) { return {.edit_header = std::move(edit)}; }
Attempt Following(std::function<void(RawPush&, const v1::PushHeader&, const UpdateBytes&)> send) {
  return {.send = std::move(send)};
}

std::string BrokenChunk(absl::string_view payload) {
  return wire::EncodePrefix({wire::FrameKind::kChunk, 12345, static_cast<std::uint32_t>(payload.size())}) +
         std::string(payload);
}

std::vector<Wrong> Adapters() {
  return {
      {"ShapeOfA",
       [] {
         return Sending(WithModules({{"block.down", 4096, 3000}, kModules[1]}));
       },
       Code::kInvalidArgument,
       "shape",
       {"block.down", "lora_A", "5000", "4096"}},
      {"ShapeOfB",
       [] {
         return Sending(WithModules({kModules[0], {"block.up", 5000, 2999}}));
       },
       Code::kInvalidArgument,
       "shape",
       {"block.up", "lora_B", "3000", "2999"}},
      {"RankUnlikeItsConfig",
       [] { return Sending(WithConfig("\"r\": 18", "\"r\": 9")); },
       Code::kInvalidArgument,
       "shape",
       {"block.down", "lora_A", "expected [9, 5000]", "got [18, 5000]"}},
      {"UnknownModule",
       [] {
         return Sending(WithModules({kModules[0], kModules[1], {"block.zig", 8, 8}}));
       },
       Code::kInvalidArgument,
       "shape",
       {"block.zig"}},
      {"MissingModule",
       [] { return Sending(WithModules({kModules[0]})); },
       Code::kInvalidArgument,
       "shape",
       {"block.up"}},
      {"StateDict",
       [] { return Sending(StateDict()); },
       Code::kInvalidArgument,
       "shape",
       {"full state dict", "model.block.down.weight"}},
      {"NaN",
       [] { return Sending(WithValue(std::nanf(""), false)); },
       Code::kInvalidArgument,
       "non_finite",
       {"block.down.lora_A", "element 0", "expected finite"}},
      {"NaNAtTheEnd",
       [] { return Sending(WithValue(std::nanf(""), true)); },
       Code::kInvalidArgument,
       "non_finite",
       {"block.up.lora_B", "element 53999"}},
      {"InfinityAtTheEnd",
       [] { return Sending(WithValue(-std::numeric_limits<float>::infinity(), true)); },
       Code::kInvalidArgument,
       "non_finite",
       {"block.up.lora_B", "element 53999"}},
      {"ConfigIsNoJson",
       [] { return Sending(WithConfig("{\n", "{,\n")); },
       Code::kInvalidArgument,
       "format",
       {"adapter_config.json"}},
      {"DoRA",
       [] { return Sending(WithConfig("{\n", "{\n\"use_dora\": true,\n")); },
       Code::kInvalidArgument,
       "format",
       {"use_dora"}},
      {"NotSafetensors",
       [] {
         UpdateBytes update = GoodUpdate(1);
         update.safetensors.assign(2000, 'x');
         return Sending(update);
       },
       Code::kInvalidArgument,
       "format",
       {"safetensors"}},
  };
}

std::vector<Wrong> Headers() {
  // A wrong header is counted before its federation is looked up: under none.
  return {
      {"ZeroWeight",
       [] { return WithHeader([](v1::PushHeader& h) { h.set_examples(0); }); },
       Code::kInvalidArgument,
       "weight",
       {"examples 0", "at least 1"},
       ""},
      // A sender that takes the field for a signed one writes -1 as ten bytes, all bits set.
      {"NegativeWeight",
       [] { return WithHeader([](v1::PushHeader& h) { h.set_examples(~0ULL); }); },
       Code::kInvalidArgument,
       "weight",
       {"18446744073709551615", "at most 9007199254740992"},
       ""},
      {"HugeWeight",
       [] { return WithHeader([](v1::PushHeader& h) { h.set_examples((1ULL << 53) + 1); }); },
       Code::kInvalidArgument,
       "weight",
       {"9007199254740993", "at most 9007199254740992"},
       ""},
      {"BeyondUploadMax",
       [] { return WithHeader([](v1::PushHeader& h) { h.set_payload_bytes(kUploadMax + 1); }); },
       Code::kInvalidArgument,
       "oversize",
       {"4194305", "4194304"},
       ""},
      {"RoundZero",
       [] { return WithHeader([](v1::PushHeader& h) { h.set_round(0); }); },
       Code::kInvalidArgument,
       "header",
       {"round 0"},
       ""},
      {"DigestIsNoDigest",
       [] { return WithHeader([](v1::PushHeader& h) { h.set_sha256("abc"); }); },
       Code::kInvalidArgument,
       "header",
       {"sha256"},
       ""},
      {"UnknownFederation",
       [] { return WithHeader([](v1::PushHeader& h) { h.set_federation("nope"); }); },
       Code::kNotFound,
       "unknown",
       {"\"nope\"", "\"f\""},
       ""},
      {"UnknownClient",
       [] { return WithHeader([](v1::PushHeader& h) { h.set_client("bad-stranger"); }); },
       Code::kNotFound,
       "unknown",
       {"bad-stranger", "Join"},
       ""},
      {"PastRound",
       [] { return WithHeader([](v1::PushHeader& h) { h.set_round(1); }); },
       Code::kFailedPrecondition,
       "closed",
       {"round 1 is closed", "at round 2"}},
      {"FutureRound",
       [] { return WithHeader([](v1::PushHeader& h) { h.set_round(7); }); },
       Code::kFailedPrecondition,
       "closed",
       {"round 7", "at round 2"}},
      {"OffsetThatIsNotHere",
       [] { return WithHeader([](v1::PushHeader& h) { h.set_offset(1000); }); },
       Code::kAborted,
       "resume",
       {"1000", "ResumePoint"}},
  };
}

std::vector<Wrong> Streams() {
  return {
      {"Truncated",
       [] {
         return Following([](RawPush& push, const v1::PushHeader&, const UpdateBytes& update) {
           push.Chunks(absl::string_view(update.safetensors).substr(0, limits::kChunkBytes + 5));
         });
       },
       Code::kDataLoss,
       "truncated",
       {"1048581"}},
      {"TrailerTooEarly",
       [] {
         return Following([](RawPush& push, const v1::PushHeader& header, const UpdateBytes& update) {
           push.Chunks(absl::string_view(update.safetensors).substr(0, 100));
           push.Trailer(header.sha256());
         });
       },
       Code::kDataLoss,
       "truncated",
       {"100"}},
      {"MoreThanAnnounced",
       [] {
         return Following([](RawPush& push, const v1::PushHeader& header, const UpdateBytes& update) {
           push.Chunks(update.safetensors + "x");
           push.Trailer(header.sha256());
         });
       },
       Code::kInvalidArgument,
       "oversize",
       {"announced"}},
      {"ChunkChecksum",
       [] {
         return Following([](RawPush& push, const v1::PushHeader&, const UpdateBytes& update) {
           push.Message(BrokenChunk(absl::string_view(update.safetensors).substr(0, 1000)));
         });
       },
       Code::kDataLoss,
       "checksum",
       {"crc32c", "3039"}},
      {"DigestOfTheTrailer",
       [] {
         return Following([](RawPush& push, const v1::PushHeader&, const UpdateBytes& update) {
           push.Chunks(update.safetensors);
           push.Trailer(std::string(64, '0'));
         });
       },
       Code::kDataLoss,
       "digest",
       {Sha256Hex(GoodUpdate(1).safetensors), std::string(64, '0')}},
      {"GarbageFrame",
       [] {
         return Following(
             [](RawPush& push, const v1::PushHeader&, const UpdateBytes&) { push.Message("this is no frame at all"); });
       },
       Code::kInvalidArgument,
       "format",
       {"magic"}},
      {"ShortFrame",
       [] { return Following([](RawPush& push, const v1::PushHeader&, const UpdateBytes&) { push.Message("CRNF"); }); },
       Code::kInvalidArgument,
       "format",
       {"16"}},
      {"SecondHeader",
       [] {
         return Following([](RawPush& push, const v1::PushHeader& header, const UpdateBytes&) { push.Header(header); });
       },
       Code::kInvalidArgument,
       "format",
       {"second header"}},
  };
}

std::vector<Wrong> All() {
  std::vector<Wrong> all = Adapters();
  for (const auto& more : {Headers(), Streams()}) all.insert(all.end(), more.begin(), more.end());
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
      auto client = Client::Join(FastOptions(server_->address(), kFederation, name), ShapeOf(kModules));
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
  const auto other = Send(Sending(GoodUpdate(2)));
  EXPECT_EQ(other.status().code(), Code::kAlreadyExists);
  EXPECT_THAT(std::string(other.status().message()), HasSubstr("client \"bad\" has already contributed"));
  EXPECT_EQ(Rejected(kFederation, "duplicate"), 1);
  EXPECT_EQ(State(), before);
  EXPECT_TRUE(FinishGood().ok());
}

TEST_F(Duplicates, TheSdkSaysTheSame) {
  EXPECT_EQ(Push(1, 2, WithModules({kModules[0]})).code(), Code::kInvalidArgument);
  EXPECT_EQ(Push(1, 7, GoodUpdate(1)).code(), Code::kFailedPrecondition);
  EXPECT_EQ(Push(1, 2, WithConfig("{\n", "{\n\"use_dora\": true,\n")).code(), Code::kInvalidArgument);
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
