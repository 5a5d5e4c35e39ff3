#include <stdlib.h>

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "client/sdk/client.h"
#include "client/sdk/testing_server.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace cairn::sdk {
namespace {

namespace fs = std::filesystem;
using ::testing::ElementsAre;
using ::testing::HasSubstr;

class PullTest : public ::testing::Test {
 protected:
  void SetUp() override {
    std::string name = (fs::temp_directory_path() / "cairn-pull-XXXXXX").string();
    ASSERT_NE(mkdtemp(name.data()), nullptr);
    root_ = name;
    for (std::size_t i = 0; i < 2'500'000; ++i) payload_.push_back(static_cast<char>(i * 31 + i / 977));
    server_.With([&](TestingState& state) {
      state.published = payload_;
      state.published_version = 7;
      state.adapter_config = R"({"r": 8})";
    });
    server_.Start();
    auto client = Client::Join(TestingOptions(server_));
    ASSERT_TRUE(client.ok()) << client.status();
    client_ = *std::move(client);
  }
  void TearDown() override { fs::remove_all(root_); }

  void Script(PullFault fault) {
    server_.With([&](TestingState& state) { state.pull_faults.push_back(fault); });
  }
  std::vector<std::uint64_t> Offsets() {
    return server_.With([](TestingState& state) { return state.pull_offsets; });
  }
  static std::string Read(const fs::path& file) {
    std::ifstream in(file, std::ios::binary);
    return {std::istreambuf_iterator<char>(in), {}};
  }
  void ExpectWhole() {
    EXPECT_TRUE(Read(root_ / "out/adapter_model.safetensors") == payload_);
    EXPECT_EQ(Read(root_ / "out/adapter_config.json"), R"({"r": 8})");
    ExpectOnlyEntry();
  }
  void ExpectOnlyEntry() { EXPECT_EQ(std::distance(fs::directory_iterator(root_), fs::directory_iterator()), 1); }

  fs::path root_;
  std::string payload_;
  TestingServer server_;
  std::unique_ptr<Client> client_;
};

TEST_F(PullTest, WritesAnAdapterDirectoryAndReturnsItsVersion) {
  const auto version = client_->Pull(0, Form::kAdapter, root_ / "out");
  ASSERT_TRUE(version.ok()) << version.status();
  EXPECT_EQ(*version, 7u);
  ExpectWhole();
}

TEST_F(PullTest, ReplacesAnEarlierVersion) {
  fs::create_directories(root_ / "out");
  std::ofstream(root_ / "out/adapter_config.json") << "old";
  ASSERT_TRUE(client_->Pull(7, Form::kDelta, root_ / "out").ok());
  ExpectWhole();
}

TEST_F(PullTest, GoesOnAtTheByteWhereItBroke) {
  Script({.break_at = 1'000'001});
  Script({.break_at = 2'400'000});
  std::vector<std::uint64_t> reached;
  const auto version = client_->Pull(0, Form::kAdapter, root_ / "out", [&](std::uint64_t done, std::uint64_t total) {
    EXPECT_EQ(total, payload_.size());
    reached.push_back(done);
  });
  ASSERT_TRUE(version.ok()) << version.status();
  EXPECT_THAT(Offsets(), ElementsAre(0, 1'000'001, 2'400'000));
  EXPECT_TRUE(std::is_sorted(reached.begin(), reached.end()));
  EXPECT_EQ(reached.back(), payload_.size());
  ExpectWhole();
}

TEST_F(PullTest, ABadChunkIsAskedForAgain) {
  Script({.flipped_bit = true});
  ASSERT_TRUE(client_->Pull(0, Form::kAdapter, root_ / "out").ok());
  EXPECT_THAT(Offsets(), ElementsAre(0, 0));
  ExpectWhole();
}

TEST_F(PullTest, AWrongDigestStartsAllOverOnce) {
  Script({.wrong_bytes = true});
  ASSERT_TRUE(client_->Pull(0, Form::kAdapter, root_ / "out").ok());
  EXPECT_THAT(Offsets(), ElementsAre(0, 0));
  ExpectWhole();
}

TEST_F(PullTest, AWrongDigestTwiceIsFinalAndLeavesTheOldAdapter) {
  fs::create_directories(root_ / "out");
  std::ofstream(root_ / "out/adapter_config.json") << "old";
  Script({.wrong_bytes = true});
  Script({.wrong_bytes = true});
  const absl::Status status = client_->Pull(7, Form::kAdapter, root_ / "out").status();
  EXPECT_EQ(status.code(), absl::StatusCode::kDataLoss);
  EXPECT_THAT(std::string(status.message()), HasSubstr("pull version 7 of test"));
  EXPECT_EQ(Read(root_ / "out/adapter_config.json"), "old");
  ExpectOnlyEntry();
}

class PullStartTest : public PullTest {
 protected:
  // What a round that starts from version 7 gives who has `merged`.
  std::optional<Form> StartOf(const std::string& merged) {
    fs::remove_all(root_ / "out");
    const auto start = client_->PullStart(round_, merged, root_ / "out");
    EXPECT_TRUE(start.ok()) << start.status();
    const std::optional<Form> form = start.value_or(std::nullopt);
    EXPECT_EQ(form && *form != Form::kBase, fs::exists(root_ / "out"));
    return form;
  }
  std::vector<int> PulledForms() {
    return server_.With([](TestingState& state) { return std::exchange(state.pull_forms, {}); });
  }

  Round round_{8, 7, StartMode::kMerge, absl::InfiniteFuture(), "seven", "six"};
};

TEST_F(PullStartTest, IsADeltaOnlyForWhoHasTheVersionBefore) {
  EXPECT_EQ(StartOf("six"), Form::kDelta);
  EXPECT_EQ(StartOf(""), Form::kAdapter);
  EXPECT_EQ(StartOf("five"), Form::kAdapter);
  EXPECT_EQ(StartOf("seven"), std::nullopt);
  round_.start = StartMode::kResidual;
  EXPECT_EQ(StartOf("six"), Form::kDelta);
  EXPECT_EQ(StartOf("seven"), Form::kAdapter);  // Its first units are trained further.
  round_.start = StartMode::kWarm;
  EXPECT_EQ(StartOf("six"), Form::kAdapter);
  EXPECT_EQ(StartOf("seven"), Form::kAdapter);
  EXPECT_THAT(PulledForms(),
              ElementsAre(v1::PullRequest::FORM_DELTA, v1::PullRequest::FORM_ADAPTER, v1::PullRequest::FORM_ADAPTER,
                          v1::PullRequest::FORM_DELTA, v1::PullRequest::FORM_ADAPTER, v1::PullRequest::FORM_ADAPTER,
                          v1::PullRequest::FORM_ADAPTER));
}

TEST_F(PullStartTest, OfTheFirstVersionIsADeltaForThePristineBase) {
  round_ = {2, 1, StartMode::kMerge, absl::InfiniteFuture(), "one", ""};
  EXPECT_EQ(StartOf(""), Form::kDelta);
  EXPECT_EQ(StartOf("another one"), Form::kAdapter);
}

// A server with an empty data directory counts from 1 again: the same numbers are other versions.
TEST_F(PullStartTest, WhatIsMergedOfAnotherServerDoesNotCount) {
  for (StartMode start : {StartMode::kMerge, StartMode::kResidual}) {
    round_.start = start;
    EXPECT_EQ(StartOf("another six"), Form::kAdapter);
    EXPECT_EQ(StartOf("another seven"), Form::kAdapter);
    const Round begun{1, 0, start};
    EXPECT_EQ(*client_->PullStart(begun, "seven", root_ / "none"), Form::kBase);
    EXPECT_EQ(*client_->PullStart(begun, "", root_ / "none"), std::nullopt);
  }
  EXPECT_EQ(*client_->PullStart({1, 0, StartMode::kWarm}, "seven", root_ / "none"), std::nullopt);
  EXPECT_FALSE(fs::exists(root_ / "none"));
}

// Of a server that does not say which versions it has.
TEST_F(PullStartTest, WithoutAnIdentityEverythingIsPulled) {
  round_.version_sha256 = round_.previous_sha256 = "";
  EXPECT_EQ(StartOf("six"), Form::kAdapter);
  EXPECT_EQ(StartOf(""), Form::kAdapter);
}

TEST_F(PullTest, TheBaseCannotBePulled) {
  EXPECT_EQ(client_->Pull(7, Form::kBase, root_ / "out").status().code(), absl::StatusCode::kInvalidArgument);
}

TEST_F(PullTest, AnUnknownVersionIsFinal) {
  const absl::Status status = client_->Pull(8, Form::kAdapter, root_ / "out").status();
  EXPECT_EQ(status.code(), absl::StatusCode::kNotFound);
  EXPECT_FALSE(fs::exists(root_ / "out"));
  EXPECT_EQ(Offsets().size(), 1u);
}

TEST_F(PullTest, StopsWhenAVersionChangesUnderIt) {
  Script({.break_at = 1'000'000});
  const ProgressCallback republish = [&](std::uint64_t, std::uint64_t) {
    server_.With([](TestingState& state) { state.published[0] ^= 1; });
  };
  EXPECT_EQ(client_->Pull(0, Form::kAdapter, root_ / "out", republish).status().code(), absl::StatusCode::kAborted);
  EXPECT_FALSE(fs::exists(root_ / "out"));
}

}  // namespace
}  // namespace cairn::sdk
