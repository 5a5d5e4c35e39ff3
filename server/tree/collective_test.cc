#include "server/tree/collective.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <thread>
#include <vector>

#include "absl/functional/function_ref.h"
#include "absl/strings/str_cat.h"

namespace cairn {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

class CollectiveTest : public ::testing::Test {
 protected:
  void SetUp() override {
    folder_ = std::filesystem::path(::testing::TempDir()) /
              absl::StrCat("collective-", ::testing::UnitTest::GetInstance()->current_test_info()->name());
    std::filesystem::remove_all(folder_);
    std::filesystem::create_directories(folder_);
  }
  void TearDown() override { std::filesystem::remove_all(folder_); }

  CollectiveOptions Options(int rank, int size) const {
    return {.rank = rank, .size = size, .rendezvous = "file:" + folder_.native(), .attempt = "first"};
  }

  std::filesystem::path folder_;
};

using Member = absl::FunctionRef<void(int rank, absl::StatusOr<std::unique_ptr<Collective>> joined)>;

// Every member on a thread of its own, which is all the same to it.
void Together(const std::vector<CollectiveOptions>& members, Member member) {
  std::vector<std::thread> threads;
  for (const CollectiveOptions& options : members) {
    threads.emplace_back([&] { member(options.rank, Collective::Join(options)); });
  }
  for (std::thread& thread : threads) thread.join();
}

void ExpectSums(int rank, absl::StatusOr<std::unique_ptr<Collective>> joined) {
  ASSERT_TRUE(joined.ok()) << joined.status();
  std::vector<std::int64_t> values = {rank, std::int64_t{1} << 61, -rank};
  ASSERT_TRUE((*joined)->AllReduceSum(absl::MakeSpan(values)).ok());
  EXPECT_THAT(values, ElementsAre(3, std::int64_t{3} << 61, -3));
  values = {rank, -5 - rank};
  ASSERT_TRUE((*joined)->AllReduceMax(absl::MakeSpan(values)).ok());
  EXPECT_THAT(values, ElementsAre(2, -5));
  EXPECT_TRUE((*joined)->AllReduceSum({}).ok());
  EXPECT_EQ((*joined)->bytes(), 5u * sizeof(std::int64_t));
}

TEST_F(CollectiveTest, AddsUpThroughAFolder) { Together({Options(0, 3), Options(1, 3), Options(2, 3)}, ExpectSums); }

TEST_F(CollectiveTest, AddsUpThroughARendezvous) {
  const auto rendezvous = Rendezvous::Serve("127.0.0.1", 0);
  ASSERT_TRUE(rendezvous.ok()) << rendezvous.status();
  for (const char* attempt : {"first", "second"}) {
    std::vector<CollectiveOptions> members;
    for (int rank = 0; rank < 3; ++rank) {
      members.push_back({.rank = rank, .size = 3, .rendezvous = (*rendezvous)->name(), .attempt = attempt});
    }
    Together(members, ExpectSums);
  }
}

TEST_F(CollectiveTest, OneIsEnough) {
  const auto rendezvous = Rendezvous::Serve("127.0.0.1", 0);
  ASSERT_TRUE(rendezvous.ok()) << rendezvous.status();
  for (const std::string& place : {Options(0, 1).rendezvous, (*rendezvous)->name()}) {
    CollectiveOptions options = Options(0, 1);
    options.rendezvous = place;
    const auto joined = Collective::Join(options);
    ASSERT_TRUE(joined.ok()) << place << ": " << joined.status();
    std::vector<std::int64_t> values = {7};
    EXPECT_TRUE((*joined)->AllReduceSum(absl::MakeSpan(values)).ok());
    EXPECT_THAT(values, ElementsAre(7));
  }
}

TEST_F(CollectiveTest, AMemberThatNeverComesIsATimeout) {
  CollectiveOptions options = Options(0, 2);
  options.timeout = absl::Milliseconds(200);
  const absl::Status status = Collective::Join(options).status();
  EXPECT_EQ(status.code(), absl::StatusCode::kUnavailable) << status;
  EXPECT_THAT(std::string(status.message()), HasSubstr("group first, member 0 of 2"));
}

// The second group of the same processes finds nothing of the first.
TEST_F(CollectiveTest, AMemberThatLeftIsAnErrorForAllOthersAndForEver) {
  Together({Options(0, 3), Options(1, 3), Options(2, 3)}, [&](int rank, auto joined) {
    ASSERT_TRUE(joined.ok()) << joined.status();
    std::vector<std::int64_t> values(1000, 1);
    ASSERT_TRUE((*joined)->AllReduceSum(absl::MakeSpan(values)).ok());
    if (rank == 1) return;
    const absl::Status lost = (*joined)->AllReduceSum(absl::MakeSpan(values));
    EXPECT_EQ(lost.code(), absl::StatusCode::kUnavailable) << lost;
    EXPECT_EQ((*joined)->AllReduceMax(absl::MakeSpan(values)), lost);
    CollectiveOptions again = Options(rank / 2, 2);
    again.attempt = "second";
    joined = Collective::Join(again);
    ASSERT_TRUE(joined.ok()) << joined.status();
    values = {rank};
    EXPECT_TRUE((*joined)->AllReduceSum(absl::MakeSpan(values)).ok());
    EXPECT_THAT(values, ElementsAre(2));
  });
}

TEST_F(CollectiveTest, RefusesWhatMakesNoSense) {
  const auto code = [](const CollectiveOptions& options) { return Collective::Join(options).status().code(); };
  CollectiveOptions options = Options(1, 1);
  EXPECT_EQ(code(options), absl::StatusCode::kInvalidArgument) << "rank";
  for (const char* attempt : {"", "../first"}) {
    options = Options(0, 1);
    options.attempt = attempt;
    EXPECT_EQ(code(options), absl::StatusCode::kInvalidArgument) << attempt;
  }
  for (const char* rendezvous :
       {"", "udp:localhost:80", "tcp:localhost", "tcp:localhost:0", "tcp:localhost:70000", "file:/no/such/folder"}) {
    options = Options(0, 1);
    options.rendezvous = rendezvous;
    EXPECT_EQ(code(options), absl::StatusCode::kInvalidArgument) << rendezvous;
  }
  options = Options(0, 1);
  options.device = "abacus";
  EXPECT_EQ(code(options), absl::StatusCode::kInvalidArgument) << "device";
  options.device = "meta";
  EXPECT_EQ(code(options), absl::StatusCode::kFailedPrecondition) << "device";
  options = Options(0, 1);
  options.timeout = absl::ZeroDuration();
  EXPECT_EQ(code(options), absl::StatusCode::kInvalidArgument) << "timeout";
  EXPECT_EQ(Rendezvous::Serve("127.0.0.1", 70'000).status().code(), absl::StatusCode::kInvalidArgument);
}

}  // namespace
}  // namespace cairn
