#include "wire/push_header.h"

#include <functional>
#include <string>

#include "base/digest.h"
#include "base/limits.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace cairn::wire {
namespace {

using ::testing::HasSubstr;

constexpr std::uint64_t kUploadMax = 1000;

v1::PushHeader GoodHeader() {
  v1::PushHeader header;
  header.set_federation("licenses");
  header.set_round(1);
  header.set_client("client-1");
  header.set_examples(10);
  header.set_adapter_config("{}");
  header.set_payload_bytes(kUploadMax);
  return header;
}

TEST(PushHeader, AcceptsTheSmallestAndTheFullest) {
  v1::PushHeader header = GoodHeader();
  EXPECT_TRUE(CheckPushHeader(header, kUploadMax).ok());
  header.set_sha256(Sha256Hex(""));
  header.set_offset(kUploadMax);  // Everything is there but the trailer.
  EXPECT_TRUE(CheckPushHeader(header, kUploadMax).ok());
}

struct BadHeader {
  const char* name;
  std::function<void(v1::PushHeader&)> spoil;
  const char* message;
};

class PushHeaderBad : public ::testing::TestWithParam<BadHeader> {};

TEST_P(PushHeaderBad, IsRefusedByName) {
  v1::PushHeader header = GoodHeader();
  GetParam().spoil(header);
  const absl::Status status = CheckPushHeader(header, kUploadMax);
  EXPECT_EQ(status.code(), absl::StatusCode::kInvalidArgument);
  EXPECT_THAT(std::string(status.message()), HasSubstr(GetParam().message));
}

INSTANTIATE_TEST_SUITE_P(
    Fields, PushHeaderBad,
    ::testing::Values(BadHeader{"Federation", [](auto& h) { h.set_federation("a/b"); }, "federation id"},
                      BadHeader{"Client", [](auto& h) { h.set_client(""); }, "client id"},
                      BadHeader{"Round", [](auto& h) { h.set_round(0); }, "round 0"},
                      BadHeader{"Examples", [](auto& h) { h.set_examples(0); }, "examples 0"},
                      BadHeader{"NoConfig", [](auto& h) { h.clear_adapter_config(); }, "adapter_config of 0 bytes"},
                      BadHeader{
                          "LongConfig",
                          [](auto& h) { h.set_adapter_config(std::string(limits::kAdapterConfigBytesMax + 1, ' ')); },
                          "adapter_config"},
                      BadHeader{"NoPayload", [](auto& h) { h.set_payload_bytes(0); }, "payload_bytes 0"},
                      BadHeader{"TooLarge", [](auto& h) { h.set_payload_bytes(kUploadMax + 1); }, "at most 1000"},
                      BadHeader{"Digest", [](auto& h) { h.set_sha256("abc"); }, "sha256"},
                      BadHeader{"OffsetBeyond",
                                [](auto& h) {
                                  h.set_sha256(Sha256Hex(""));
                                  h.set_offset(kUploadMax + 1);
                                },
                                "offset 1001"},
                      BadHeader{"OffsetOfTheNameless", [](auto& h) { h.set_offset(1); }, "without sha256"}),
    [](const auto& info) { return std::string(info.param.name); });

}  // namespace
}  // namespace cairn::wire
