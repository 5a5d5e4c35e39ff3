#include "server/store/shared/message.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstring>
#include <random>
#include <string>

namespace cairn {
namespace {

using ::testing::HasSubstr;

TEST(Message, RequestsArriveAsSent) {
  const Request sent{.op = Op::kSeal, .number = 7, .crc32c = 8, .key = {1, 2, 3}, .bytes = 9, .slab = {4, 5}};
  const auto got = ParseRequest(PacketOf(sent));
  ASSERT_TRUE(got.ok()) << got.status();
  EXPECT_EQ(PacketOf(*got), PacketOf(sent));
}

TEST(Message, RepliesCarryStatuses) {
  Reply sent{.op = Op::kGet, .number = 3};
  EXPECT_TRUE(sent.status().ok());
  sent.set_status(absl::NotFoundError("gone"));
  const auto got = ParseReply(PacketOf(sent));
  ASSERT_TRUE(got.ok()) << got.status();
  EXPECT_EQ(got->status(), absl::NotFoundError("gone"));
  sent.set_status(absl::NotFoundError(std::string(1000, 'x')));
  EXPECT_EQ(sent.status(), absl::NotFoundError(std::string(kReplyTextBytes, 'x')));
}

TEST(Message, EveryOtherLengthIsRefused) {
  const std::string bytes(2 * sizeof(Reply), '\0');
  for (std::size_t length = 0; length <= bytes.size(); ++length) {
    const auto packet = absl::string_view(bytes).substr(0, length);
    EXPECT_TRUE(absl::IsInvalidArgument(ParseRequest(packet).status())) << length;
    EXPECT_TRUE(absl::IsInvalidArgument(ParseReply(packet).status())) << length;
  }
  const Request request;
  const auto cut = ParseRequest(PacketOf(request).substr(1));
  EXPECT_THAT(cut.status().message(), HasSubstr("expected 48 bytes, got 47"));
}

TEST(Message, EachFieldOfThePrefixIsChecked) {
  Request request{.op = Op::kGet};
  ASSERT_TRUE(ParseRequest(PacketOf(request)).ok());
  request.magic ^= 0x100;
  EXPECT_TRUE(absl::IsInvalidArgument(ParseRequest(PacketOf(request)).status()));
  request = {.version = kMessageVersion + 1, .op = Op::kGet};
  const auto newer = ParseRequest(PacketOf(request));
  EXPECT_TRUE(absl::IsFailedPrecondition(newer.status()));
  EXPECT_THAT(newer.status().message(), HasSubstr("expected version 1, got 2"));
  for (int op : {0, 8, 11, 65535}) {  // 8 is for the agent to say.
    request = {.op = static_cast<Op>(op)};
    EXPECT_TRUE(absl::IsInvalidArgument(ParseRequest(PacketOf(request)).status())) << op;
  }
  Reply reply{.op = Op::kGet, .text_bytes = kReplyTextBytes + 1};
  EXPECT_TRUE(absl::IsInvalidArgument(ParseReply(PacketOf(reply)).status()));
}

TEST(Message, GarbageIsRefused) {
  std::mt19937_64 random(1);
  for (int i = 0; i < 20'000; ++i) {
    std::string bytes(i % 2 == 0 ? sizeof(Request) : sizeof(Reply), '\0');
    for (char& c : bytes) c = static_cast<char>(random());
    EXPECT_FALSE(ParseRequest(bytes).ok());
    EXPECT_FALSE(ParseReply(bytes).ok());
    // With the right prefix, so that the rest is looked at: whatever it says, it is text or an error.
    std::memcpy(bytes.data(), &kMessageMagic, sizeof(kMessageMagic));
    std::memcpy(bytes.data() + 4, &kMessageVersion, sizeof(kMessageVersion));
    const auto reply = ParseReply(bytes);
    EXPECT_LE((reply.ok() ? reply->status() : reply.status()).message().size(), kReplyTextBytes);
  }
}

}  // namespace
}  // namespace cairn
