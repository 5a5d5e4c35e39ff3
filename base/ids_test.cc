#include "base/ids.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "base/limits.h"

namespace cairn {
namespace {

TEST(CheckId, AcceptsNamesThatAreSafeAsFileNames) {
  for (const char* id : {"a", "client-3", "A.b_c-9", "0", "-x", "a..b"}) {
    EXPECT_TRUE(CheckId("client id", id).ok()) << id;
  }
  EXPECT_TRUE(CheckId("client id", std::string(limits::kIdBytesMax, 'x')).ok());
}

TEST(CheckId, RefusesTheOthers) {
  for (const char* id : {"", ".", "..", ".hidden", "a/b", "a b", "a\n", "\xc3\xa9", "a:b", "a\\b"}) {
    EXPECT_EQ(CheckId("client id", id).code(), absl::StatusCode::kInvalidArgument) << id;
  }
  EXPECT_FALSE(CheckId("client id", std::string(limits::kIdBytesMax + 1, 'x')).ok());
  EXPECT_FALSE(CheckId("client id", absl::string_view("a\0b", 3)).ok());
}

TEST(CheckId, NamesTheFieldAndEscapesTheValue) {
  EXPECT_THAT(std::string(CheckId("federation id", "a\nb").message()),
              testing::StartsWith("federation id \"a\\nb\": expected 1 to 64 characters"));
}

}  // namespace
}  // namespace cairn
