#include "adapter/directory.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "absl/strings/str_cat.h"
#include "base/digest.h"
#include "base/limits.h"
#include "base/test_directory.h"

namespace cairn {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;

std::vector<AdapterWriter::Shape> Shapes() { return {{"x.q", 3, 4, 2}, {"q", 2, 1, 1}}; }
std::vector<float> Range(int first, int count) {
  std::vector<float> values(count);
  for (int i = 0; i < count; ++i) values[i] = static_cast<float>(first + i);
  return values;
}

absl::StatusOr<std::string> Write(const std::filesystem::path& file) {
  auto writer = AdapterWriter::Create(file, Shapes());
  if (!writer.ok()) return writer.status();
  EXPECT_TRUE(writer->Append(Range(0, 6), Range(10, 8)).ok());
  EXPECT_TRUE(writer->Append(Range(20, 2), Range(30, 1)).ok());
  return (*std::move(writer)).Finish();
}

TEST(AdapterWriter, AndOpenAdapterDirectoryAgree) {
  TestDirectory directory;
  const auto digest = Write(directory / kAdapterModelFile);
  ASSERT_TRUE(digest.ok()) << digest.status();
  const PeftConfig config = UnitScaleConfig({{"x.q", 2}, {"q", 1}}, "org/base", "");
  ASSERT_TRUE(WriteFileAtomically(directory / kAdapterConfigFile, SerializePeftConfig(config)).ok());

  auto opened = OpenAdapterDirectory(directory.path());
  ASSERT_TRUE(opened.ok()) << opened.status();
  const StoredAdapter stored = *std::move(opened);
  EXPECT_EQ(Sha256Hex(stored.file.bytes()), *digest);
  ASSERT_EQ(stored.adapter.modules.size(), 2u);
  EXPECT_EQ(stored.adapter.modules[0].name, "q");
  EXPECT_EQ(stored.adapter.modules[0].scale, 1);
  const LoraModule& module = stored.adapter.modules[1];
  EXPECT_EQ(module.scale, 1);
  std::vector<float> b(8);
  ToFloat(module.b.dtype, module.b.data.data(), b.size(), b.data());
  EXPECT_EQ(b, Range(10, 8));
}

TEST(AdapterWriter, LaysModulesOutInTheirOrder) {
  TestDirectory directory;
  ASSERT_TRUE(Write(directory / "f").ok());
  const std::string bytes = *ReadFile(directory / "f", limits::kMiB);
  const auto header = ReadSafetensorsHeader(bytes, bytes.size());
  std::vector<std::string> names;
  for (const TensorInfo& tensor : header->tensors) names.push_back(tensor.name);
  EXPECT_THAT(names, ElementsAre(LoraAName("x.q"), LoraBName("x.q"), LoraAName("q"), LoraBName("q")));
  EXPECT_EQ(header->metadata.at("format"), "pt");
}

TEST(AdapterWriter, RefusesOtherSizesThanAnnounced) {
  TestDirectory directory;
  auto writer = AdapterWriter::Create(directory / "f", {{"q", 2, 1, 1}});
  ASSERT_TRUE(writer.ok());
  const absl::Status status = writer->Append(Range(0, 3), Range(0, 1));
  EXPECT_EQ(status.code(), absl::StatusCode::kInvalidArgument);
  EXPECT_EQ(status.message(), "module \"q\": expected 2 and 1 values of A and B, got 3 and 1");
  EXPECT_TRUE(writer->Append(Range(0, 2), Range(0, 1)).ok());
  EXPECT_EQ(writer->Append(Range(0, 2), Range(0, 1)).message(), "adapter: expected 1 modules, got more");
}

TEST(AdapterWriter, AnUnfinishedFileDisappears) {
  TestDirectory directory;
  {
    auto writer = AdapterWriter::Create(directory / "f", Shapes());
    ASSERT_TRUE(writer.ok());
    EXPECT_TRUE(std::filesystem::exists(directory / "f"));
    const auto digest = (*std::move(writer)).Finish();
    EXPECT_EQ(digest.status().code(), absl::StatusCode::kFailedPrecondition);
    EXPECT_EQ(digest.status().message(), "adapter: expected 2 modules, got 0");
  }
  EXPECT_FALSE(std::filesystem::exists(directory / "f"));
}

TEST(AdapterWriter, ChecksShapesBeforeItTouchesTheDisk) {
  TestDirectory directory;
  for (const AdapterWriter::Shape& shape :
       {AdapterWriter::Shape{"q", 0, 1, 1}, {"q", 1, -1, 1}, {"q", 1, 1, limits::kRankMax + 1}, {"\n", 1, 1, 1}}) {
    EXPECT_FALSE(AdapterWriter::Create(directory / "f", {shape}).ok());
  }
  EXPECT_FALSE(AdapterWriter::Create(directory / "f", {{"q", 1, 1, 1}, {"q", 1, 1, 1}}).ok());
  EXPECT_FALSE(std::filesystem::exists(directory / "f"));
  EXPECT_EQ(AdapterWriter::Create(directory / "none" / "f", Shapes()).status().code(), absl::StatusCode::kNotFound);
}

TEST(OpenAdapterDirectory, NamesTheFileInErrors) {
  TestDirectory directory;
  EXPECT_THAT(std::string(OpenAdapterDirectory(directory.path()).status().message()), HasSubstr(kAdapterConfigFile));
  const PeftConfig config = UnitScaleConfig({{"q", 1}}, "", "");
  ASSERT_TRUE(WriteFileAtomically(directory / kAdapterConfigFile, SerializePeftConfig(config)).ok());
  EXPECT_EQ(OpenAdapterDirectory(directory.path()).status().code(), absl::StatusCode::kNotFound);
  ASSERT_TRUE(WriteFileAtomically(directory / kAdapterModelFile, "short").ok());
  EXPECT_EQ(
      OpenAdapterDirectory(directory.path()).status().message(),
      absl::StrCat((directory / kAdapterModelFile).native(), ": safetensors header: expected at least 8 bytes, got 5"));
}

}  // namespace
}  // namespace cairn
