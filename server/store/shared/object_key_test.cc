#include "server/store/shared/object_key.h"

#include <gtest/gtest.h>

#include "absl/status/status.h"

namespace cairn {
namespace {

TEST(ObjectKey, IsWrittenAndRead) {
  const ObjectKey key{0x12, 0xabcdef01, 0x0123456789abcdef};
  EXPECT_EQ(key.ToHex(), "00000012abcdef010123456789abcdef");
  const auto read = ObjectKey::FromHex(key.ToHex());
  ASSERT_TRUE(read.ok()) << read.status();
  EXPECT_EQ(*read, key);
}

TEST(ObjectKey, OtherTextIsRefused) {
  for (const char* text : {"", "00000012abcdef010123456789abcde", "00000012abcdef010123456789abcdef0",
                           "00000012ABCDEF010123456789abcdef", "0x000012abcdef010123456789abcdef"}) {
    EXPECT_TRUE(absl::IsInvalidArgument(ObjectKey::FromHex(text).status())) << text;
  }
}

TEST(ObjectKey, ComparesEveryPart) {
  constexpr ObjectKey key{1, 2, 3};
  static_assert(key == ObjectKey{1, 2, 3} && key < ObjectKey{1, 2, 4} && key < ObjectKey{1, 3, 0});
  EXPECT_NE(key, (ObjectKey{0, 2, 3}));
  EXPECT_NE(key, (ObjectKey{1, 0, 3}));
  EXPECT_NE(key, (ObjectKey{1, 2, 0}));
}

}  // namespace
}  // namespace cairn
