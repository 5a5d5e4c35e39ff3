#include "base/shared_text.h"

#include <gtest/gtest.h>

#include <utility>

namespace cairn {
namespace {

TEST(SharedTextTest, CopiesShareTheirText) {
  const SharedText text(std::string(100, 'x'));
  const SharedText copy = text;
  EXPECT_EQ(copy.text().data(), text.text().data());
  EXPECT_EQ(SharedText().text(), "");
}

TEST(SharedTextTest, AMovedFromOneIsAText) {
  SharedText text("abc");
  const SharedText moved = std::move(text);
  EXPECT_EQ(moved.text(), "abc");
  EXPECT_EQ(text.text(), "abc");  // NOLINT(bugprone-use-after-move): what this is about.
}

TEST(SharedTextTest, EqualTextsAreOne) {
  SharedTexts texts;
  const SharedText first = texts.Of("abc"), second = texts.Of(std::string("abc")), other = texts.Of("abd");
  EXPECT_EQ(first.text().data(), second.text().data());
  EXPECT_EQ(first, second);
  EXPECT_FALSE(first == other);
  EXPECT_EQ(other.text(), "abd");
}

}  // namespace
}  // namespace cairn
