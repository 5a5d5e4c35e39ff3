#include "adapter/safetensors.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstring>
#include <string>

#include "absl/strings/str_cat.h"
#include "base/limits.h"

namespace cairn {
namespace {

using testing::HasSubstr;

std::string WithLength(std::uint64_t length, absl::string_view rest) {
  std::string file(8, '\0');
  std::memcpy(file.data(), &length, 8);
  return file.append(rest.data(), rest.size());
}
std::string File(absl::string_view json, std::size_t data_bytes) {
  return WithLength(json.size(), json) + std::string(data_bytes, '\0');
}

std::string Entry(absl::string_view name, absl::string_view dtype, absl::string_view shape, int begin, int end) {
  return absl::StrCat("\"", name, "\":{\"dtype\":\"", dtype, "\",\"shape\":", shape, ",\"data_offsets\":[", begin, ",",
                      end, "]}");
}

TensorView View(std::string name, DType dtype, std::vector<std::int64_t> shape, absl::string_view data) {
  return {std::move(name), dtype, std::move(shape), data};
}

TEST(Safetensors, WritesTheseBytes) {
  const auto file = SerializeSafetensors({View("b", DType::kF16, {1, 2}, "wxyz"), View("a", DType::kF32, {}, "1234")},
                                         {{"format", "pt"}});
  ASSERT_TRUE(file.ok()) << file.status();
  const std::string json =
      "{\"__metadata__\":{\"format\":\"pt\"},"
      "\"b\":{\"dtype\":\"F16\",\"shape\":[1,2],\"data_offsets\":[0,4]},"
      "\"a\":{\"dtype\":\"F32\",\"shape\":[],\"data_offsets\":[4,8]}}";
  ASSERT_EQ(json.size(), 139u);
  EXPECT_EQ(*file, WithLength(144, json + std::string(5, ' ') + "wxyz1234"));
}

TEST(Safetensors, ReadsBackWhatItWrote) {
  const auto file = SerializeSafetensors(
      {View("z \"\\ \xc3\xa9", DType::kBF16, {3, 1}, "abcdef"), View("a", DType::kF32, {1}, "1234")},
      {{"k", "\x01\n\""}});
  ASSERT_TRUE(file.ok()) << file.status();
  const auto parsed = ParseSafetensors(*file);
  ASSERT_TRUE(parsed.ok()) << parsed.status();
  ASSERT_EQ(parsed->tensors.size(), 2u);
  EXPECT_EQ(parsed->tensors[0].name, "a");
  EXPECT_EQ(parsed->tensors[0].data, "1234");
  EXPECT_EQ(parsed->tensors[1].name, "z \"\\ \xc3\xa9");
  EXPECT_EQ(parsed->tensors[1].dtype, DType::kBF16);
  EXPECT_EQ(parsed->tensors[1].shape, (std::vector<std::int64_t>{3, 1}));
  EXPECT_EQ(parsed->tensors[1].elements(), 3);
  EXPECT_EQ(parsed->tensors[1].data, "abcdef");
  EXPECT_EQ(parsed->metadata.at("k"), "\x01\n\"");
}

TEST(Safetensors, AcceptsAFileWithoutTensors) {
  const auto file = SerializeSafetensors({});
  ASSERT_TRUE(file.ok());
  EXPECT_TRUE(ParseSafetensors(*file)->tensors.empty());
}

TEST(Safetensors, HeaderAloneGivesFileOffsetsInOrder) {
  const std::string json = "{" + Entry("late", "F32", "[2]", 4, 12) + "," + Entry("early", "F16", "[2]", 0, 4) + "}";
  const std::string prefix = WithLength(json.size(), json);
  const auto header = ReadSafetensorsHeader(prefix, prefix.size() + 12);
  ASSERT_TRUE(header.ok()) << header.status();
  EXPECT_EQ(header->header_bytes, prefix.size());
  EXPECT_EQ(header->tensors[0].name, "early");
  EXPECT_EQ(header->tensors[0].begin, prefix.size());
  EXPECT_EQ(header->tensors[1].end, prefix.size() + 12);
}

TEST(Safetensors, HeaderLengthIsChecked) {
  EXPECT_EQ(*SafetensorsHeaderBytes(WithLength(2, ""), 10), 10u);
  const auto message = [](absl::string_view prefix, std::uint64_t file_bytes) {
    return std::string(SafetensorsHeaderBytes(prefix, file_bytes).status().message());
  };
  EXPECT_THAT(message("1234567", 7), HasSubstr("expected at least 8 bytes, got 7"));
  EXPECT_THAT(message(WithLength(0, ""), 8), HasSubstr("length 0"));
  EXPECT_THAT(message(WithLength(3, ""), 10), HasSubstr("length 3 exceeds the file of 10 bytes"));
  EXPECT_THAT(message(WithLength(~0ull, ""), ~0ull), HasSubstr("expected at most 16777216 bytes"));
  EXPECT_THAT(message(WithLength(limits::kSafetensorsHeaderBytesMax + 1, ""), ~0ull), HasSubstr("expected at most"));
}

struct BadFile {
  const char* what;
  std::string file;
  const char* message;
};

std::vector<BadFile> BadFiles() {
  const std::string good = Entry("t", "F32", "[2]", 0, 8);
  const auto one = [](absl::string_view entry) { return absl::StrCat("{", entry, "}"); };
  return {
      {"leading space", File(" " + one(good), 8), "expected a JSON object"},
      {"trailing newline", File(one(good) + "\n", 8), "expected a JSON object"},
      {"array", File("[]", 0), "expected a JSON object"},
      {"only padding", File("   ", 0), "expected a JSON object"},
      {"cut JSON", File("{\"t\":{}", 0), "not JSON at byte"},
      {"two documents", File("{}{}", 0), "not JSON at byte 3"},
      {"hidden after NUL", File(std::string("{}\0 }", 5), 0), "not JSON at byte 3"},
      {"not UTF-8", File("{\"\xff\":1}", 0), "not JSON at byte 3"},
      {"trailing comma", File("{" + good + ",}", 8), "not JSON at byte"},
      {"comment", File("{/**/}", 0), "not JSON at byte"},
      {"duplicate tensor", File("{" + good + "," + good + "}", 8), "duplicate key \"t\""},
      {"duplicate escaped", File("{" + good + ",\"\\u0074\":{}}", 8), "duplicate key \"t\""},
      {"duplicate inside", File(one("\"t\":{\"dtype\":\"F32\",\"dtype\":\"F16\"}"), 0), "duplicate key \"dtype\""},
      {"too deep", File(one("\"t\":{\"shape\":[[[[[]]]]]}"), 0), "nested deeper than 3"},
      {"depth bomb", File(one("\"t\":" + std::string(1'000'000, '[')), 0), "nested deeper than 3"},
      {"not an object", File(one("\"t\":7"), 0), "tensor \"t\": expected an object, got 7"},
      {"missing key", File(one("\"t\":{\"dtype\":\"F32\",\"shape\":[]}"), 4),
       "tensor \"t\": expected the keys dtype, shape and data_offsets"},
      {"unknown key", File(one("\"t\":{\"dtype\":\"F32\",\"shape\":[],\"data_offsets\":[0,4],\"x\":1}"), 4),
       "tensor \"t\": unknown key \"x\""},
      {"dtype", File(one(Entry("t", "C64", "[1]", 0, 8)), 8),
       "tensor \"t\": dtype: expected F64, F32, F16, BF16, I64,"},
      {"dtype size", File(one(Entry("t", "U8", "[2]", 0, 8)), 8), "tensor \"t\": expected 2 bytes for U8 [2], got 8"},
      {"dtype type", File(one("\"t\":{\"dtype\":1,\"shape\":[],\"data_offsets\":[0,4]}"), 4),
       "tensor \"t\": dtype: expected a string, got 1"},
      {"shape type", File(one(Entry("t", "F32", "2", 0, 8)), 8), "tensor \"t\": shape: expected a list, got 2"},
      {"negative", File(one(Entry("t", "F32", "[-2]", 0, 8)), 8), "shape: expected positive integers, got -2"},
      {"minus zero", File(one(Entry("t", "F32", "[-0]", 0, 0)), 0), "shape: expected positive integers, got 0"},
      {"fraction", File(one(Entry("t", "F32", "[2.0]", 0, 8)), 8), "shape: expected positive integers, got 2"},
      {"huge", File(one(Entry("t", "F32", "[18446744073709551615]", 0, 8)), 8), "shape: expected positive integers"},
      {"empty tensor", File(one(Entry("t", "F32", "[4,0]", 0, 0)), 0),
       "tensor \"t\": shape: expected positive dimensions, got [4, 0]"},
      {"overflow", File(one(Entry("t", "F32", "[4294967296,4294967296]", 0, 8)), 8), "exceeds 2^63 bytes"},
      {"dimensions", File(one(Entry("t", "F32", "[1,1,1,1,1,1,1,1,1]", 0, 4)), 4),
       "shape: expected at most 8 dimensions, got 9"},
      {"offsets", File(one("\"t\":{\"dtype\":\"F32\",\"shape\":[],\"data_offsets\":[0,4,8]}"), 8),
       "data_offsets: expected a list of two non-negative integers"},
      {"negative offset", File(one(Entry("t", "F32", "[2]", -8, 0)), 8), "data_offsets: expected a list of two"},
      {"reversed", File(one(Entry("t", "F32", "[2]", 8, 0)), 8), "data_offsets: begin 8 is after end 0"},
      {"size", File(one(Entry("t", "F32", "[3]", 0, 8)), 8), "tensor \"t\": expected 12 bytes for F32 [3], got 8"},
      {"gap", File(one(Entry("t", "F32", "[1]", 4, 8)), 8),
       "tensor \"t\": data_offsets: expected begin 0, got 4 (gap)"},
      {"overlap", File("{" + good + "," + Entry("u", "F32", "[1]", 4, 8) + "}", 8),
       "tensor \"u\": data_offsets: expected begin 8, got 4 (overlap)"},
      {"same bytes twice", File("{" + good + "," + Entry("u", "F32", "[2]", 0, 8) + "}", 8), "(overlap)"},
      {"beyond", File(one(good), 7), "tensor \"t\": data_offsets: end 8 is beyond the data section of 7 bytes"},
      {"trailing", File(one(good), 9), "the tensors end at byte 8 of a data section of 9 bytes"},
      {"empty name", File(one(Entry("", "F32", "[2]", 0, 8)), 8), "tensor \"\": empty name"},
      {"long name", File(one(Entry(std::string(513, 'n'), "F32", "[2]", 0, 8)), 8),
       "name: expected at most 512 bytes, got 513"},
      {"control", File(one(Entry("a\\nb", "F32", "[2]", 0, 8)), 8), "tensor \"a\\nb\": name: control character"},
      {"metadata type", File(one("\"__metadata__\":[]"), 0), "__metadata__: expected an object, got a list of 0"},
      {"metadata value", File(one("\"__metadata__\":{\"k\":1}"), 0), "__metadata__: \"k\": expected a string, got 1"},
  };
}

TEST(Safetensors, RefusesBadFilesAndSaysWhy) {
  for (const BadFile& bad : BadFiles()) {
    const auto parsed = ParseSafetensors(bad.file);
    EXPECT_EQ(parsed.status().code(), absl::StatusCode::kInvalidArgument) << bad.what;
    EXPECT_THAT(std::string(parsed.status().message()), HasSubstr(bad.message)) << bad.what;
  }
}

TEST(Safetensors, RefusesEveryTruncation) {
  const auto file = SerializeSafetensors({View("t", DType::kF32, {2}, "12345678")}, {{"format", "pt"}});
  for (std::size_t size = 0; size < file->size(); ++size) {
    EXPECT_FALSE(ParseSafetensors(absl::string_view(*file).substr(0, size)).ok()) << size;
  }
}

TEST(Safetensors, BoundsTheNumberOfTensors) {
  std::vector<TensorInfo> tensors(limits::kTensorsMax);
  for (std::size_t i = 0; i < tensors.size(); ++i) tensors[i] = {.name = absl::StrCat(i), .shape = {1}};
  const auto full = SafetensorsPreamble(tensors, {});
  ASSERT_TRUE(full.ok()) << full.status();
  EXPECT_TRUE(ReadSafetensorsHeader(*full, full->size() + 4 * tensors.size()).ok());

  const std::size_t brace = full->rfind('}');
  std::string json = full->substr(8, brace - 8) + ",\"extra\":{}}";
  const auto more = ReadSafetensorsHeader(WithLength(json.size(), json), 1 << 30);
  EXPECT_THAT(std::string(more.status().message()), HasSubstr("expected at most 65536 tensors"));
  tensors.push_back({.name = "extra", .shape = {1}});
  EXPECT_FALSE(SafetensorsPreamble(tensors, {}).ok());
}

TEST(Safetensors, BoundsTheNumberOfValues) {
  std::string json = "{\"t\":[0";
  for (int i = 0; i < 1'000'000; ++i) json += ",0";
  EXPECT_THAT(std::string(ParseSafetensors(File(json + "]}", 0)).status().message()), HasSubstr("more than"));
}

TEST(Safetensors, RefusesToWriteWhatItWouldNotRead) {
  const auto write = [](std::string name, std::vector<std::int64_t> shape, absl::string_view data) {
    return SerializeSafetensors({View(std::move(name), DType::kF32, std::move(shape), data)}).status();
  };
  EXPECT_TRUE(write("t", {1}, "1234").ok());
  EXPECT_EQ(write("t", {1}, "123").message(), "tensor \"t\": expected 4 bytes of data, got 3");
  EXPECT_FALSE(write("", {1}, "1234").ok());
  EXPECT_FALSE(write("\xff", {1}, "1234").ok());
  EXPECT_FALSE(write("__metadata__", {1}, "1234").ok());
  EXPECT_FALSE(write("t", {-1, -1}, "1234").ok());
  EXPECT_FALSE(write("t", {0}, "").ok());
  const TensorInfo twice{.name = "t", .shape = {1}};
  EXPECT_EQ(SafetensorsPreamble({twice, twice}, {}).status().message(), "tensor \"t\": duplicate name");
  const TensorInfo huge{.name = "t", .shape = {std::int64_t{1} << 60}};
  const TensorInfo huge_too{.name = "u", .shape = {std::int64_t{1} << 60}};
  EXPECT_FALSE(SafetensorsPreamble({huge, huge_too}, {}).ok());
  EXPECT_FALSE(SafetensorsPreamble({twice}, {{"k", "\xff"}}).ok());
}

}  // namespace
}  // namespace cairn
