// Parts of updates, read by one node of another, over loopback.
#include "server/node/peers.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "base/limits.h"
#include "proto/cairn/v1/federation.grpc.pb.h"
#include "server/node/peer_testing.h"

namespace cairn {
namespace {

using ::testing::HasSubstr;
using testing::RandomBytes;
using testing::TestPeer;

constexpr std::uint64_t kMiB = limits::kMiB;

class PeersTest : public ::testing::Test {
 protected:
  absl::Status Read(const UploadKey& key, const std::vector<ByteRange>& ranges, std::string* got) {
    got->assign(key.bytes, '\0');
    return peers_.Read("n2", peer_.address(), key, ranges, [&](std::uint64_t offset, absl::string_view bytes) {
      got->replace(offset, bytes.size(), bytes.data(), bytes.size());
      return absl::OkStatus();
    });
  }
  absl::Status Read(const UploadKey& key, const std::vector<ByteRange>& ranges) {
    std::string ignored;
    return Read(key, ranges, &ignored);
  }

  Metrics metrics_{"test"};
  TestPeer peer_;
  RootConnection root_{peer_.address(), grpc::InsecureChannelCredentials()};
  Peers peers_{"n1", grpc::InsecureChannelCredentials(), &root_, &metrics_};
};

TEST_F(PeersTest, RangesComeToTheirPlacesAndNothingElse) {
  const std::string bytes = RandomBytes(1, 4 * kMiB + 17);
  const UploadKey key = peer_.Seal("a", bytes);
  // Neither in order nor disjoint; one of several chunks, empty ones, the last byte.
  const std::vector<ByteRange> ranges = {{3 * kMiB, 100},          {1000, 0},  {5, 1},
                                         {kMiB / 2, 2 * kMiB + 1}, {kMiB, 10}, {bytes.size() - 1, 1},
                                         {bytes.size(), 0}};
  std::string expected(bytes.size(), '\0'), got;
  std::uint64_t sum = 0;
  for (const ByteRange& range : ranges) {
    expected.replace(range.offset, range.bytes, bytes, range.offset, range.bytes);
    sum += range.bytes;
  }
  const absl::Status read = Read(key, ranges, &got);
  ASSERT_TRUE(read.ok()) << read;
  EXPECT_TRUE(got == expected);
  EXPECT_THAT(metrics_.Render(),
              HasSubstr(absl::StrCat("cairn_node_bytes_total{federation=\"fed\",kind=\"part\"} ", sum, "\n")));
  EXPECT_TRUE(Read(key, {}).ok());
  EXPECT_TRUE(Read(key, {{0, 0}}).ok());
}

TEST_F(PeersTest, MoreRangesThanARequestTakesAreAskedForInTurn) {
  const std::string bytes = RandomBytes(2, 3 * limits::kReadRangesMax);
  std::vector<ByteRange> ranges;
  std::string expected(bytes.size(), '\0'), got;
  for (std::uint64_t at = 0; at < bytes.size(); at += 2) {
    ranges.push_back({at, 1});
    expected[at] = bytes[at];
  }
  const absl::Status read = Read(peer_.Seal("a", bytes), ranges, &got);
  ASSERT_TRUE(read.ok()) << read;
  EXPECT_TRUE(got == expected);
}

TEST_F(PeersTest, WhatIsNotThereOrNotTheSameIsRefused) {
  const UploadKey key = peer_.Seal("a", std::string(100, 'x'));
  EXPECT_TRUE(Read(key, {{0, 100}}).ok());
  UploadKey other = key;
  other.client = "b";
  EXPECT_EQ(Read(other, {{0, 1}}).code(), absl::StatusCode::kNotFound);
  other = key;
  other.bytes = 101;
  EXPECT_EQ(Read(other, {{0, 1}}).code(), absl::StatusCode::kDataLoss);
  const std::uint64_t most = ~std::uint64_t{0};
  for (const ByteRange& range : {ByteRange{0, 101}, ByteRange{100, 1}, ByteRange{101, 0}, ByteRange{1, most}}) {
    EXPECT_EQ(Read(key, {{0, 1}, range}).code(), absl::StatusCode::kOutOfRange) << range.offset;
  }
  for (const std::string name : {"..", "../fed/a", "a~b", ""}) {
    other = key;
    other.client = name;
    EXPECT_EQ(Read(other, {{0, 1}}).code(), absl::StatusCode::kInternal) << name;
    other = key;
    other.federation = name;
    EXPECT_EQ(Read(other, {{0, 1}}).code(), absl::StatusCode::kInternal) << name;
  }
}

TEST_F(PeersTest, AnErrorOfWhoeverTakesTheBytesIsTheResult) {
  const UploadKey key = peer_.Seal("a", RandomBytes(3, 32 * kMiB));
  const absl::Status read =
      peers_.Read("n2", peer_.address(), key, {{0, key.bytes}},
                  [](std::uint64_t, absl::string_view) { return absl::ResourceExhaustedError("disk full"); });
  EXPECT_EQ(read, absl::ResourceExhaustedError("disk full"));
}

TEST_F(PeersTest, WhatLiesWithTheRootIsReadThere) {
  const UploadKey key = peer_.Seal("a", "0123456789");
  std::string got;
  const auto read = peers_.Read("", "", key, {{2, 3}}, [&](std::uint64_t offset, absl::string_view bytes) {
    EXPECT_EQ(offset, 2u + got.size());
    got.append(bytes.data(), bytes.size());
    return absl::OkStatus();
  });
  EXPECT_TRUE(read.ok()) << read;
  EXPECT_EQ(got, "234");
}

TEST_F(PeersTest, ANodeThatIsAwayIsUnavailableUntilItIsBack) {
  const UploadKey key = peer_.Seal("a", "0123456789");
  ASSERT_TRUE(Read(key, {{0, 10}}).ok());
  peer_.Stop();
  EXPECT_EQ(Read(key, {{0, 10}}).code(), absl::StatusCode::kUnavailable);
  peer_.Start();  // Elsewhere.
  const absl::Status read = Read(key, {{0, 10}});
  EXPECT_TRUE(read.ok()) << read;
  EXPECT_EQ(peers_.Read("n3", "", key, {{0, 1}}, [](auto, auto) { return absl::OkStatus(); }).code(),
            absl::StatusCode::kFailedPrecondition);
}

// Far more than what is under way at a time.
TEST_F(PeersTest, ANodeThatGoesAwayInTheMiddleIsUnavailable) {
  const UploadKey key = peer_.Seal("a", RandomBytes(4, 64 * kMiB));
  std::uint64_t got = 0;
  const absl::Status read =
      peers_.Read("n2", peer_.address(), key, {{0, key.bytes}}, [&](std::uint64_t, absl::string_view bytes) {
        if (got == 0) peer_.Stop();
        got += bytes.size();
        return absl::OkStatus();
      });
  EXPECT_EQ(read.code(), absl::StatusCode::kUnavailable) << read;
  EXPECT_LT(got, key.bytes);
}

TEST_F(PeersTest, CloseEndsReadsThatRunAndThatCome) {
  const UploadKey key = peer_.Seal("a", RandomBytes(5, 64 * kMiB));
  std::uint64_t got = 0;
  const absl::Status read =
      peers_.Read("n2", peer_.address(), key, {{0, key.bytes}}, [&](std::uint64_t, absl::string_view bytes) {
        if (got == 0) peers_.Close();
        got += bytes.size();
        return absl::OkStatus();
      });
  EXPECT_EQ(read.code(), absl::StatusCode::kCancelled) << read;
  EXPECT_LT(got, key.bytes);
  EXPECT_EQ(Read(key, {{0, 1}}).code(), absl::StatusCode::kCancelled);
  EXPECT_EQ(peers_.Read("", "", key, {{0, 1}}, [](auto, auto) { return absl::OkStatus(); }).code(),
            absl::StatusCode::kCancelled);
}

// Whoever may read updates there may not send any.
TEST_F(PeersTest, ThereIsNothingElseAtThatAddress) {
  const auto channel = grpc::CreateChannel(peer_.address(), grpc::InsecureChannelCredentials());
  const auto stub = v1::Federation::NewStub(channel);
  grpc::ClientContext context;
  v1::StatusReply reply;
  EXPECT_EQ(stub->Status(&context, v1::StatusRequest(), &reply).error_code(), grpc::StatusCode::UNIMPLEMENTED);
}

}  // namespace
}  // namespace cairn
