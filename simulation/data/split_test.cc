#include "simulation/data/split.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "absl/strings/str_cat.h"
#include "simulation/data/shared_words.h"

namespace cairn {
namespace {

using ::testing::HasSubstr;

// Paragraphs of words that appear nowhere else.
std::string UniqueText(absl::string_view tag, int paragraphs) {
  std::string out;
  for (int p = 0; p < paragraphs; ++p) {
    for (int w = 0; w < 60; ++w) absl::StrAppend(&out, tag, p, "x", w, " ");
    absl::StrAppend(&out, "\n\n");
  }
  return out;
}

ClientCorpus Corpus(const std::string& client, const std::string& text) { return {client, {{"a.txt", text}}}; }

TEST(Split, GivesEveryByteToOnePart) {
  const std::string text = UniqueText("w", 60);
  const auto splits = Split({Corpus("c", text)}, 100);
  ASSERT_TRUE(splits.ok()) << splits.status();
  const ClientSplit& split = splits->front();
  EXPECT_EQ(split.pretrain.size() + split.train.size() + split.held_out.size(), text.size());
  EXPECT_EQ(split.dropped_bytes, 0u);
  EXPECT_GT(split.train.size(), split.held_out.size());
}

TEST(Split, PartsShareNoRunOfWordsWithAnyHeldOutPart) {
  // The second client's document is the first's behind a preface, as editions of one licence are: blocks fall
  // elsewhere.
  const std::string text = UniqueText("w", 60);
  const auto splits = Split({Corpus("one", text), Corpus("two", UniqueText("preface", 22) + text)}, 100);
  ASSERT_TRUE(splits.ok()) << splits.status();
  SharedWords held_out(kSharedWords);
  for (const ClientSplit& split : *splits) held_out.Add(split.held_out);
  for (const ClientSplit& split : *splits) {
    EXPECT_FALSE(held_out.In(split.train)) << split.client;
    EXPECT_FALSE(held_out.In(split.pretrain)) << split.client;
  }
  EXPECT_GT((*splits)[0].dropped_bytes + (*splits)[1].dropped_bytes, 0u);
}

TEST(Split, IsTheSameEveryTime) {
  const std::vector<ClientCorpus> corpora = {Corpus("c", UniqueText("w", 60))};
  const auto first = Split(corpora, 100), second = Split(corpora, 100);
  ASSERT_TRUE(first.ok() && second.ok());
  EXPECT_EQ(first->front().train, second->front().train);
  EXPECT_EQ(first->front().held_out, second->front().held_out);
}

TEST(Split, CutsTextWithoutBlankLines) {
  const auto splits = Split({Corpus("c", std::string(40'000, 'x'))}, 1000);
  ASSERT_TRUE(splits.ok()) << splits.status();
}

TEST(Split, SaysWhichPartHasTooLittleText) {
  const auto splits = Split({Corpus("tiny", "A short text.\n")}, 100);
  EXPECT_EQ(splits.status().code(), absl::StatusCode::kInvalidArgument);
  EXPECT_THAT(splits.status().message(), HasSubstr("client tiny: too little text: expected at least 100 bytes"));
}

TEST(SharedWords, IgnoresCaseAndPunctuationButNeedsTheWholeRun) {
  SharedWords shared(3);
  shared.Add("The quick, brown fox");
  EXPECT_TRUE(shared.In("a QUICK brown\nFox!"));
  EXPECT_FALSE(shared.In("quick brown dog"));
}

}  // namespace
}  // namespace cairn
