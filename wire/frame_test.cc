#include "wire/frame.h"

#include <cstdint>
#include <string>
#include <vector>

#include "absl/strings/str_format.h"
#include "absl/strings/str_join.h"
#include "base/digest.h"
#include "base/limits.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace cairn::wire {
namespace {

using ::testing::HasSubstr;

std::string Noise(std::size_t bytes) {
  std::string text(bytes, '\0');
  std::uint32_t state = 1;
  for (char& c : text) c = static_cast<char>((state = state * 1664525 + 1013904223) >> 24);
  return text;
}

std::string Flat(const grpc::ByteBuffer& buffer) {
  std::vector<grpc::Slice> slices;
  EXPECT_TRUE(buffer.Dump(&slices).ok());
  std::string bytes;
  for (const grpc::Slice& slice : slices) bytes.append(reinterpret_cast<const char*>(slice.begin()), slice.size());
  return bytes;
}

// `bytes` as a message of slices of `slice_bytes` each, as a socket might deliver them.
grpc::ByteBuffer Scattered(const std::string& bytes, std::size_t slice_bytes) {
  std::vector<grpc::Slice> slices;
  for (std::size_t at = 0; at < bytes.size(); at += slice_bytes) slices.emplace_back(bytes.substr(at, slice_bytes));
  return grpc::ByteBuffer(slices.data(), slices.size());
}

absl::Status ParseStatus(const std::string& bytes) {
  return ReceivedFrame::Parse(Scattered(bytes, bytes.size())).status();
}

TEST(Prefix, HasTheDocumentedLayout) {
  const std::string bytes = EncodePrefix({FrameKind::kChunk, 0x04030201, 0x00010002});
  EXPECT_EQ(bytes, std::string("CRNF\x02\0\0\0\x01\x02\x03\x04\x02\0\x01\0", 16));
  const auto prefix = DecodePrefix(bytes);
  ASSERT_TRUE(prefix.ok()) << prefix.status();
  EXPECT_EQ(prefix->kind, FrameKind::kChunk);
  EXPECT_EQ(prefix->crc32c, 0x04030201u);
  EXPECT_EQ(prefix->payload_bytes, 0x00010002u);
}

TEST(Prefix, RefusesWhatIsNotAFrame) {
  std::string magic = EncodePrefix({FrameKind::kHeader, 0, 1});
  magic[3] = 'G';
  EXPECT_THAT(DecodePrefix(magic).status().message(), HasSubstr("magic"));
  EXPECT_THAT(DecodePrefix(EncodePrefix({static_cast<FrameKind>(4), 0, 1})).status().message(), HasSubstr("kind 4"));
  EXPECT_THAT(DecodePrefix("CRNF").status().message(), HasSubstr("4 bytes"));
  EXPECT_THAT(DecodePrefix(EncodePrefix({FrameKind::kTrailer, 7, 1})).status().message(), HasSubstr("expected 0"));
  EXPECT_THAT(DecodePrefix(EncodePrefix({FrameKind::kChunk, 0, 0})).status().message(), HasSubstr("empty chunk"));
}

TEST(Prefix, BoundsThePayloadByKind) {
  const auto accepts = [](FrameKind kind, std::size_t bytes) {
    return DecodePrefix(EncodePrefix({kind, 0, static_cast<std::uint32_t>(bytes)})).ok();
  };
  EXPECT_TRUE(accepts(FrameKind::kHeader, limits::kPushHeaderBytesMax));
  EXPECT_FALSE(accepts(FrameKind::kHeader, limits::kPushHeaderBytesMax + 1));
  EXPECT_TRUE(accepts(FrameKind::kChunk, limits::kChunkBytes));
  EXPECT_FALSE(accepts(FrameKind::kChunk, limits::kChunkBytes + 1));
  EXPECT_TRUE(accepts(FrameKind::kTrailer, kTrailerBytesMax));
  EXPECT_FALSE(accepts(FrameKind::kTrailer, kTrailerBytesMax + 1));
}

TEST(Frame, ControlFrameSurvivesTheWire) {
  const auto frame = ReceivedFrame::Parse(ControlFrame(FrameKind::kHeader, "a header"));
  ASSERT_TRUE(frame.ok()) << frame.status();
  EXPECT_EQ(frame->prefix().kind, FrameKind::kHeader);
  EXPECT_EQ(*frame->Payload(), "a header");
  const auto empty = ReceivedFrame::Parse(ControlFrame(FrameKind::kTrailer, ""));
  ASSERT_TRUE(empty.ok()) << empty.status();
  EXPECT_EQ(*empty->Payload(), "");
}

TEST(Frame, ChunkSurvivesEverySliceSize) {
  const std::string payload = Noise(200'000);  // Several copy blocks, and not a multiple of one.
  const std::string message = Flat(ChunkFrame(payload, nullptr));
  for (const std::size_t slice_bytes : {1, 7, 15, 16, 17, 65'536, 300'000}) {
    const auto frame = ReceivedFrame::Parse(Scattered(message, slice_bytes));
    ASSERT_TRUE(frame.ok()) << frame.status();
    std::string copy(frame->prefix().payload_bytes, '\0');
    ASSERT_TRUE(frame->CopyPayload(copy.data()).ok()) << slice_bytes;
    EXPECT_TRUE(copy == payload) << slice_bytes;
    EXPECT_TRUE(frame->VerifyChecksum().ok()) << slice_bytes;
    EXPECT_TRUE(absl::StrJoin(frame->slices(), "") == payload) << slice_bytes;
  }
}

TEST(Frame, AFlippedBitIsDataLossWithBothChecksums) {
  const std::string payload = Noise(70'000);
  std::string message = Flat(ChunkFrame(payload, nullptr));
  message.back() ^= 1;
  const auto frame = ReceivedFrame::Parse(Scattered(message, 1000));
  ASSERT_TRUE(frame.ok());
  std::string copy(payload.size(), '\0');
  const absl::Status status = frame->CopyPayload(copy.data());
  EXPECT_EQ(frame->VerifyChecksum(), status);
  EXPECT_EQ(status.code(), absl::StatusCode::kDataLoss);
  EXPECT_THAT(std::string(status.message()),
              HasSubstr(absl::StrFormat("%#010x", Crc32c(payload.data(), payload.size()))));
  EXPECT_THAT(std::string(status.message()), HasSubstr(absl::StrFormat("%#010x", Crc32c(copy.data(), copy.size()))));
}

TEST(Frame, MustBeExactlyPrefixAndPayload) {
  const std::string message = Flat(ControlFrame(FrameKind::kHeader, "payload"));
  EXPECT_EQ(ParseStatus(message + "x").code(), absl::StatusCode::kInvalidArgument);
  EXPECT_EQ(ParseStatus(message.substr(0, message.size() - 1)).code(), absl::StatusCode::kInvalidArgument);
  EXPECT_EQ(ParseStatus(message.substr(0, 15)).code(), absl::StatusCode::kInvalidArgument);
  EXPECT_EQ(ReceivedFrame::Parse(grpc::ByteBuffer()).status().code(), absl::StatusCode::kInvalidArgument);
}

TEST(Frame, ChunkIsNotCopiedAndIsReleasedOnce) {
  const std::string payload = Noise(100'000);
  int released = 0;
  {
    const grpc::ByteBuffer buffer = ChunkFrame(payload, [&released] { ++released; });
    std::vector<grpc::Slice> slices;
    ASSERT_TRUE(buffer.Dump(&slices).ok());
    ASSERT_EQ(slices.size(), 2u);
    EXPECT_EQ(static_cast<const void*>(slices[1].begin()), payload.data());
    EXPECT_EQ(released, 0);
  }
  EXPECT_EQ(released, 1);
}

}  // namespace
}  // namespace cairn::wire
