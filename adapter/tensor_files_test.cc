#include "adapter/tensor_files.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <utility>

#include "absl/strings/str_cat.h"
#include "base/test_directory.h"

namespace cairn {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;

class TensorFilesTest : public testing::Test {
 protected:
  // A file of tensors [1] with one byte each: its own name's first letter.
  void WriteShard(const std::string& file, const std::vector<std::string>& names) {
    std::vector<TensorView> tensors;
    for (const std::string& name : names) {
      tensors.push_back(
          {.name = name, .dtype = DType::kU8, .shape = {1}, .data = absl::string_view(name).substr(0, 1)});
    }
    Write(file, *SerializeSafetensors(tensors, {{"of", file}}));
  }
  void Write(const std::string& file, const std::string& bytes) {
    ASSERT_TRUE(WriteFileAtomically(directory_ / file, bytes).ok());
  }
  void WriteIndex(const std::string& weight_map) {
    Write("m.safetensors.index.json",
          absl::StrCat(R"({"metadata": {"total_size": 3}, "weight_map": )", weight_map, "}"));
  }
  std::string Message() { return std::string(TensorFiles::Open(directory_.path(), "m").status().message()); }

  TestDirectory directory_;
};

std::vector<std::string> NamesOf(const TensorFiles& files) {
  std::vector<std::string> names;
  for (const TensorView& tensor : files.tensors()) names.push_back(tensor.name);
  return names;
}

TEST_F(TensorFilesTest, OpensOneFileByItselfOrByItsStem) {
  WriteShard("m.safetensors", {"y", "x"});
  for (const std::filesystem::path& path : {directory_ / "m.safetensors", directory_.path()}) {
    const auto files = TensorFiles::Open(path, "m");
    ASSERT_TRUE(files.ok()) << files.status();
    EXPECT_THAT(NamesOf(*files), ElementsAre("x", "y"));
    ASSERT_EQ(files->shards().size(), 1u);
    EXPECT_EQ(files->shards()[0].name, "m.safetensors");
    EXPECT_EQ(files->shards()[0].metadata.at("of"), "m.safetensors");
    EXPECT_EQ(files->bytes(), std::filesystem::file_size(directory_ / "m.safetensors"));
  }
}

TEST_F(TensorFilesTest, PutsShardsTogether) {
  WriteShard("m-2.safetensors", {"a", "d"});
  WriteShard("m-1.safetensors", {"c", "b"});
  WriteIndex(R"({"a": "m-2.safetensors", "b": "m-1.safetensors", "c": "m-1.safetensors", "d": "m-2.safetensors"})");
  auto opened = TensorFiles::Open(directory_.path(), "m");
  ASSERT_TRUE(opened.ok()) << opened.status();
  const TensorFiles files = *std::move(opened);
  EXPECT_THAT(NamesOf(files), ElementsAre("a", "b", "c", "d"));
  for (const TensorView& tensor : files.tensors()) EXPECT_EQ(tensor.data, tensor.name);
  EXPECT_EQ(files.shards().size(), 2u);
  files.DropPages();
  EXPECT_EQ(files.tensors()[3].data, "d");
}

TEST_F(TensorFilesTest, RefusesAnIndexThatItsFilesContradict) {
  WriteShard("m-1.safetensors", {"a", "b"});
  WriteShard("m-2.safetensors", {"c"});
  WriteIndex(R"({"a": "m-1.safetensors", "c": "m-2.safetensors"})");
  EXPECT_THAT(Message(),
              HasSubstr("m.safetensors.index.json: tensor \"b\": in m-1.safetensors, but weight_map lacks it"));
  WriteIndex(R"({"a": "m-1.safetensors", "b": "m-2.safetensors", "c": "m-2.safetensors"})");
  EXPECT_THAT(Message(), HasSubstr("tensor \"b\": in m-1.safetensors, but weight_map says m-2.safetensors"));
  WriteIndex(R"({"a": "m-1.safetensors", "b": "m-1.safetensors", "c": "m-2.safetensors", "d": "m-2.safetensors"})");
  EXPECT_THAT(Message(), HasSubstr("tensor \"d\": weight_map: not in m-2.safetensors"));
  WriteShard("m-2.safetensors", {"b", "c"});
  WriteIndex(R"({"a": "m-1.safetensors", "b": "m-1.safetensors", "c": "m-2.safetensors"})");
  EXPECT_THAT(Message(), HasSubstr("tensor \"b\": in m-1.safetensors and in m-2.safetensors"));
}

TEST_F(TensorFilesTest, RefusesFileNamesThatLeadElsewhere) {
  for (const char* name : {"../m.safetensors", "/m.safetensors", "x/m.safetensors", ".m.safetensors", ".safetensors",
                           "m.bin", "", "m\\n.safetensors"}) {
    WriteIndex(absl::StrCat(R"({"a": ")", name, R"("})"));
    EXPECT_THAT(Message(), HasSubstr("tensor \"a\": weight_map: expected the name of a .safetensors file")) << name;
  }
  WriteIndex(R"({"a": 3})");
  EXPECT_THAT(Message(), HasSubstr("in the same folder, got 3"));
}

TEST_F(TensorFilesTest, RefusesOtherIndices) {
  WriteIndex("[]");
  EXPECT_THAT(Message(), HasSubstr("weight_map: expected an object with tensors, got a list of 0"));
  WriteIndex("{}");
  EXPECT_THAT(Message(), HasSubstr("weight_map: expected an object with tensors"));
  Write("m.safetensors.index.json", "{}");
  EXPECT_THAT(Message(),
              HasSubstr("m.safetensors.index.json: weight_map: expected an object with tensors, got nothing"));
  WriteIndex(R"({"a": "m-1.safetensors", "a": "m-1.safetensors"})");
  EXPECT_THAT(Message(), HasSubstr("duplicate key \"a\""));
  WriteIndex(R"({"a": "m-1.safetensors"})");
  EXPECT_EQ(TensorFiles::Open(directory_.path(), "m").status().code(), absl::StatusCode::kNotFound);
  WriteShard("m.safetensors", {"a"});
  EXPECT_THAT(Message(), HasSubstr("expected one of m.safetensors and m.safetensors.index.json, got both"));
}

TEST_F(TensorFilesTest, SaysWhichFileIsBad) {
  EXPECT_EQ(TensorFiles::Open(directory_.path(), "m").status().code(), absl::StatusCode::kNotFound);
  Write("m.safetensors", "short");
  EXPECT_EQ(Message(), absl::StrCat((directory_ / "m.safetensors").native(),
                                    ": safetensors header: expected at least 8 bytes, got 5"));
}

}  // namespace
}  // namespace cairn
