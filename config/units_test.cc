#include "config/units.h"

#include <gtest/gtest.h>

namespace cairn {
namespace {

TEST(Units, ParsesBytes) {
  EXPECT_EQ(*ParseBytes("1024"), 1024u);
  EXPECT_EQ(*ParseBytes("512MiB"), 512ull << 20);
  EXPECT_EQ(*ParseBytes("4GB"), 4'000'000'000u);
  EXPECT_EQ(*ParseBytes("4 KiB"), 4096u);
  EXPECT_EQ(*ParseBytes("0B"), 0u);
  for (const char* bad :
       {"", "MiB", "-1", "1.5GiB", "12 parsecs", "1mib", "8388608TiB", "99999999999999999999", " 1"}) {
    EXPECT_EQ(ParseBytes(bad).status().code(), absl::StatusCode::kInvalidArgument) << bad;
  }
}

TEST(Units, FormatsBytesSoThatTheyReadBack) {
  EXPECT_EQ(FormatBytes(512ull << 20), "512MiB");
  EXPECT_EQ(FormatBytes(1ull << 30), "1GiB");
  EXPECT_EQ(FormatBytes(1000), "1000B");
  EXPECT_EQ(FormatBytes(0), "0B");
  for (const std::uint64_t bytes : {0ull, 1ull, 1023ull, 1536ull, 3ull << 40})
    EXPECT_EQ(*ParseBytes(FormatBytes(bytes)), bytes);
}

TEST(Units, ParsesDurations) {
  EXPECT_EQ(*ParseDuration("30m"), absl::Minutes(30));
  EXPECT_EQ(*ParseDuration("1h30m"), absl::Minutes(90));
  EXPECT_EQ(*ParseDuration("250ms"), absl::Milliseconds(250));
  for (const char* bad : {"", "3", "0", "-1s", "inf", "1 fortnight"}) {
    EXPECT_EQ(ParseDuration(bad).status().code(), absl::StatusCode::kInvalidArgument) << bad;
  }
}

}  // namespace
}  // namespace cairn
