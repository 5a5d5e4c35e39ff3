#include "adapter/safetensors.h"

#include <algorithm>
#include <functional>
#include <numeric>
#include <utility>

#include "absl/strings/escaping.h"
#include "absl/strings/str_cat.h"
#include "adapter/safetensors_internal.h"
#include "adapter/strict_json.h"
#include "base/limits.h"
#include "base/status_macros.h"

namespace cairn {
namespace {

constexpr std::size_t kLengthBytes = 8;
constexpr JsonBounds kHeaderBounds = {
    // {"name": {"shape": [1]}}
    .depth_max = 3,
    // One entry is an object, a dtype, a shape with its dimensions, and a pair of offsets.
    .values_max = limits::kTensorsMax * (6 + limits::kTensorDimsMax),
};

absl::Status HeaderError(absl::string_view message) {
  return absl::InvalidArgumentError(absl::StrCat("safetensors header: ", message));
}

std::uint64_t LittleEndian64(absl::string_view bytes) {
  std::uint64_t value;
  std::memcpy(&value, bytes.data(), sizeof value);  // dtype.cc asserts a little-endian machine.
  return value;
}

absl::StatusOr<DType> ReadDType(const JsonValue& value, absl::string_view name) {
  const auto* text = value.As<std::string>();
  if (text == nullptr) return TensorError(name, absl::StrCat("dtype: expected a string, got ", Describe(value)));
  absl::StatusOr<DType> dtype = DTypeFromName(*text);
  if (!dtype.ok()) return TensorError(name, dtype.status().message());
  return dtype;
}

absl::StatusOr<std::vector<std::int64_t>> ReadShape(const JsonValue& value, absl::string_view name) {
  const auto* list = value.As<JsonArray>();
  if (list == nullptr) return TensorError(name, absl::StrCat("shape: expected a list, got ", Describe(value)));
  std::vector<std::int64_t> shape;
  for (const JsonValue& item : *list) {
    const auto* dim = item.As<std::uint64_t>();
    if (dim == nullptr || *dim > static_cast<std::uint64_t>(INT64_MAX)) {
      return TensorError(name, absl::StrCat("shape: expected positive integers, got ", Describe(item)));
    }
    shape.push_back(static_cast<std::int64_t>(*dim));
  }
  return shape;
}

// Offsets as written: relative to the data section.
absl::StatusOr<std::pair<std::uint64_t, std::uint64_t>> ReadOffsets(const JsonValue& value, absl::string_view name) {
  const auto* list = value.As<JsonArray>();
  const bool pair = list != nullptr && list->size() == 2;
  const auto* begin = pair ? (*list)[0].As<std::uint64_t>() : nullptr;
  const auto* end = pair ? (*list)[1].As<std::uint64_t>() : nullptr;
  if (begin == nullptr || end == nullptr) {
    return TensorError(name, "data_offsets: expected a list of two non-negative integers");
  }
  if (*begin > *end) return TensorError(name, absl::StrCat("data_offsets: begin ", *begin, " is after end ", *end));
  return std::pair(*begin, *end);
}

absl::Status CheckKeys(const JsonObject& entry, absl::string_view name) {
  for (const auto& [key, unused] : entry) {
    if (key != "dtype" && key != "shape" && key != "data_offsets") {
      return TensorError(name, absl::StrCat("unknown key \"", absl::CHexEscape(key.substr(0, 64)), "\""));
    }
  }
  if (entry.size() != 3) return TensorError(name, "expected the keys dtype, shape and data_offsets");
  return absl::OkStatus();
}

absl::StatusOr<TensorInfo> ReadTensor(std::string name, const JsonValue& value) {
  CAIRN_RETURN_IF_ERROR(CheckTensorName(name));
  const auto* entry = value.As<JsonObject>();
  if (entry == nullptr) return TensorError(name, absl::StrCat("expected an object, got ", Describe(value)));
  CAIRN_RETURN_IF_ERROR(CheckKeys(*entry, name));

  TensorInfo tensor;
  CAIRN_ASSIGN_OR_RETURN(tensor.dtype, ReadDType(*value.Find("dtype"), name));
  CAIRN_ASSIGN_OR_RETURN(tensor.shape, ReadShape(*value.Find("shape"), name));
  CAIRN_ASSIGN_OR_RETURN(const auto offsets, ReadOffsets(*value.Find("data_offsets"), name));
  CAIRN_ASSIGN_OR_RETURN(const std::uint64_t bytes, TensorBytes(tensor.dtype, tensor.shape, name));
  if (offsets.second - offsets.first != bytes) {
    return TensorError(name, absl::StrCat("expected ", bytes, " bytes for ", NameOf(tensor.dtype), " ",
                                          ShapeString(tensor.shape), ", got ", offsets.second - offsets.first));
  }
  tensor.name = std::move(name);
  tensor.begin = offsets.first;
  tensor.end = offsets.second;
  return tensor;
}

absl::StatusOr<std::map<std::string, std::string>> ReadMetadata(const JsonValue& value) {
  const auto* object = value.As<JsonObject>();
  if (object == nullptr) return HeaderError(absl::StrCat("__metadata__: expected an object, got ", Describe(value)));
  std::map<std::string, std::string> metadata;
  for (const auto& [key, item] : *object) {
    const auto* text = item.As<std::string>();
    if (text == nullptr) {
      return HeaderError(absl::StrCat("__metadata__: \"", absl::CHexEscape(key.substr(0, 64)),
                                      "\": expected a string, got ", Describe(item)));
    }
    metadata.emplace(key, *text);
  }
  return metadata;
}

// Sorts by offset, checks that the tensors cover [0, data_bytes) exactly, and makes offsets relative to the file.
absl::Status Tile(SafetensorsHeader& header) {
  std::sort(header.tensors.begin(), header.tensors.end(),
            [](const auto& x, const auto& y) { return x.begin < y.begin; });
  const std::uint64_t data_bytes = header.file_bytes - header.header_bytes;
  std::uint64_t at = 0;
  for (TensorInfo& tensor : header.tensors) {
    if (tensor.begin != at) {
      return TensorError(tensor.name, absl::StrCat("data_offsets: expected begin ", at, ", got ", tensor.begin,
                                                   tensor.begin < at ? " (overlap)" : " (gap)"));
    }
    if (tensor.end > data_bytes) {
      return TensorError(tensor.name, absl::StrCat("data_offsets: end ", tensor.end, " is beyond the data section of ",
                                                   data_bytes, " bytes"));
    }
    at = tensor.end;
    tensor.begin += header.header_bytes;
    tensor.end += header.header_bytes;
  }
  if (at == data_bytes) return absl::OkStatus();
  return HeaderError(absl::StrCat("the tensors end at byte ", at, " of a data section of ", data_bytes, " bytes"));
}

// The JSON text without the spaces that may pad it. Other implementations accept neither leading space nor other
// padding.
absl::StatusOr<absl::string_view> JsonText(absl::string_view header) {
  absl::string_view text = header.substr(kLengthBytes);
  text = text.substr(0, text.find_last_not_of(' ') + 1);
  if (text.empty() || text.front() != '{' || text.back() != '}') return HeaderError("expected a JSON object");
  return text;
}

}  // namespace

std::int64_t TensorView::elements() const {
  return std::accumulate(shape.begin(), shape.end(), std::int64_t{1}, std::multiplies<>());
}

absl::StatusOr<std::uint64_t> SafetensorsHeaderBytes(absl::string_view prefix, std::uint64_t file_bytes) {
  if (prefix.size() < kLengthBytes || file_bytes < kLengthBytes) {
    return HeaderError(absl::StrCat("expected at least ", kLengthBytes, " bytes, got ",
                                    std::min<std::uint64_t>(prefix.size(), file_bytes)));
  }
  const std::uint64_t length = LittleEndian64(prefix);
  if (length == 0) return HeaderError("length 0");
  if (length > limits::kSafetensorsHeaderBytesMax) {
    return HeaderError(absl::StrCat("expected at most ", limits::kSafetensorsHeaderBytesMax, " bytes, got ", length));
  }
  if (length > file_bytes - kLengthBytes) {
    return HeaderError(absl::StrCat("length ", length, " exceeds the file of ", file_bytes, " bytes"));
  }
  return kLengthBytes + length;
}

absl::StatusOr<SafetensorsHeader> ReadSafetensorsHeader(absl::string_view prefix, std::uint64_t file_bytes) {
  SafetensorsHeader header{.file_bytes = file_bytes};
  CAIRN_ASSIGN_OR_RETURN(header.header_bytes, SafetensorsHeaderBytes(prefix, file_bytes));
  if (prefix.size() < header.header_bytes) {
    return HeaderError(absl::StrCat("expected ", header.header_bytes, " bytes, got ", prefix.size()));
  }
  CAIRN_ASSIGN_OR_RETURN(const absl::string_view text, JsonText(prefix.substr(0, header.header_bytes)));
  absl::StatusOr<JsonValue> json = ParseStrictJson(text, kHeaderBounds);
  if (!json.ok()) return HeaderError(json.status().message());
  for (auto& [name, value] : std::get<JsonObject>(json->value)) {
    if (name == kMetadataKey) {
      CAIRN_ASSIGN_OR_RETURN(header.metadata, ReadMetadata(value));
      continue;
    }
    if (header.tensors.size() == limits::kTensorsMax) {
      return HeaderError(absl::StrCat("expected at most ", limits::kTensorsMax, " tensors"));
    }
    CAIRN_ASSIGN_OR_RETURN(TensorInfo tensor, ReadTensor(std::move(name), value));
    header.tensors.push_back(std::move(tensor));
  }
  CAIRN_RETURN_IF_ERROR(Tile(header));
  return header;
}

absl::StatusOr<Safetensors> ParseSafetensors(absl::string_view bytes) {
  CAIRN_ASSIGN_OR_RETURN(SafetensorsHeader header, ReadSafetensorsHeader(bytes, bytes.size()));
  Safetensors file{.metadata = std::move(header.metadata)};
  file.tensors.reserve(header.tensors.size());
  for (TensorInfo& tensor : header.tensors) {
    file.tensors.push_back({std::move(tensor.name), tensor.dtype, std::move(tensor.shape),
                            bytes.substr(tensor.begin, tensor.end - tensor.begin)});
  }
  std::sort(file.tensors.begin(), file.tensors.end(), [](const auto& x, const auto& y) { return x.name < y.name; });
  return file;
}

}  // namespace cairn
