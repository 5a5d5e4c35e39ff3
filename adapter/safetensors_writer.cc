#include <cstring>
#include <limits>
#include <set>

#include "absl/strings/ascii.h"
#include "absl/strings/escaping.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "adapter/safetensors.h"
#include "adapter/safetensors_internal.h"
#include "adapter/strict_json.h"
#include "base/limits.h"
#include "base/status_macros.h"

namespace cairn {
namespace {

constexpr std::size_t kAlignment = 8;  // The data section starts at a multiple, as in files of other implementations.

absl::Status AppendMetadata(const std::map<std::string, std::string>& metadata, std::string& json) {
  absl::StrAppend(&json, "\"", kMetadataKey, "\":{");
  absl::string_view separator;
  for (const auto& [key, value] : metadata) {
    CAIRN_ASSIGN_OR_RETURN(const std::string quoted_key, JsonString(key));
    CAIRN_ASSIGN_OR_RETURN(const std::string quoted_value, JsonString(value));
    absl::StrAppend(&json, separator, quoted_key, ":", quoted_value);
    separator = ",";
  }
  json += '}';
  return absl::OkStatus();
}

// Appends one entry and moves `offset` behind its bytes.
absl::Status AppendTensor(const TensorInfo& tensor, std::uint64_t& offset, std::string& json) {
  CAIRN_RETURN_IF_ERROR(CheckTensorName(tensor.name));
  CAIRN_ASSIGN_OR_RETURN(const std::string name, JsonString(tensor.name));
  CAIRN_ASSIGN_OR_RETURN(const std::uint64_t bytes, TensorBytes(tensor.dtype, tensor.shape, tensor.name));
  if (bytes > std::numeric_limits<std::int64_t>::max() - offset) {
    return TensorError(tensor.name, "the file would exceed 2^63 bytes");
  }
  absl::StrAppend(&json, name, ":{\"dtype\":\"", NameOf(tensor.dtype), "\",\"shape\":[",
                  absl::StrJoin(tensor.shape, ","), "],\"data_offsets\":[", offset, ",", offset + bytes, "]}");
  offset += bytes;
  return absl::OkStatus();
}

absl::StatusOr<std::string> HeaderJson(const std::vector<TensorInfo>& tensors,
                                       const std::map<std::string, std::string>& metadata) {
  std::string json = "{";
  if (!metadata.empty()) CAIRN_RETURN_IF_ERROR(AppendMetadata(metadata, json));
  std::set<absl::string_view> names;
  std::uint64_t offset = 0;
  for (const TensorInfo& tensor : tensors) {
    if (!names.insert(tensor.name).second) return TensorError(tensor.name, "duplicate name");
    if (json.size() > 1) json += ',';
    CAIRN_RETURN_IF_ERROR(AppendTensor(tensor, offset, json));
  }
  json += '}';
  return json;
}

absl::Status CheckDataBytes(const TensorView& tensor) {
  CAIRN_ASSIGN_OR_RETURN(const std::uint64_t bytes, TensorBytes(tensor.dtype, tensor.shape, tensor.name));
  if (bytes == tensor.data.size()) return absl::OkStatus();
  return TensorError(tensor.name, absl::StrCat("expected ", bytes, " bytes of data, got ", tensor.data.size()));
}

}  // namespace

absl::Status TensorError(absl::string_view name, absl::string_view message) {
  return absl::InvalidArgumentError(
      absl::StrCat("tensor \"", absl::CHexEscape(name.substr(0, limits::kTensorNameBytesMax)), "\": ", message));
}

absl::Status CheckTensorName(absl::string_view name) {
  if (name.empty()) return TensorError(name, "empty name");
  if (name.size() > limits::kTensorNameBytesMax) {
    return TensorError(
        name, absl::StrCat("name: expected at most ", limits::kTensorNameBytesMax, " bytes, got ", name.size()));
  }
  for (unsigned char c : name) {
    if (absl::ascii_iscntrl(c)) return TensorError(name, "name: control character");
  }
  if (name == kMetadataKey) return TensorError(name, "name: reserved for metadata");
  return absl::OkStatus();
}

absl::StatusOr<std::uint64_t> TensorBytes(DType dtype, absl::Span<const std::int64_t> shape, absl::string_view name) {
  if (shape.size() > limits::kTensorDimsMax) {
    return TensorError(
        name, absl::StrCat("shape: expected at most ", limits::kTensorDimsMax, " dimensions, got ", shape.size()));
  }
  std::int64_t bytes = static_cast<std::int64_t>(SizeOf(dtype));
  for (std::int64_t dim : shape) {
    if (dim <= 0) {
      return TensorError(name, absl::StrCat("shape: expected positive dimensions, got ", ShapeString(shape)));
    }
    if (__builtin_mul_overflow(bytes, dim, &bytes)) {
      return TensorError(name, absl::StrCat("shape: ", ShapeString(shape), " exceeds 2^63 bytes"));
    }
  }
  return static_cast<std::uint64_t>(bytes);
}

absl::StatusOr<std::string> SafetensorsPreamble(const std::vector<TensorInfo>& tensors,
                                                const std::map<std::string, std::string>& metadata) {
  if (tensors.size() > limits::kTensorsMax) {
    return absl::InvalidArgumentError(
        absl::StrCat("safetensors: expected at most ", limits::kTensorsMax, " tensors, got ", tensors.size()));
  }
  CAIRN_ASSIGN_OR_RETURN(std::string json, HeaderJson(tensors, metadata));
  json.append((kAlignment - json.size() % kAlignment) % kAlignment, ' ');
  if (json.size() > limits::kSafetensorsHeaderBytesMax) {
    return absl::InvalidArgumentError(absl::StrCat("safetensors: expected a header of at most ",
                                                   limits::kSafetensorsHeaderBytesMax, " bytes, got ", json.size()));
  }
  const std::uint64_t length = json.size();
  std::string preamble(sizeof length, '\0');
  std::memcpy(preamble.data(), &length, sizeof length);
  return preamble + json;
}

absl::StatusOr<std::string> SerializeSafetensors(const std::vector<TensorView>& tensors,
                                                 const std::map<std::string, std::string>& metadata) {
  std::vector<TensorInfo> infos;
  infos.reserve(tensors.size());
  for (const TensorView& tensor : tensors) {
    CAIRN_RETURN_IF_ERROR(CheckDataBytes(tensor));
    infos.push_back({.name = tensor.name, .dtype = tensor.dtype, .shape = tensor.shape});
  }
  CAIRN_ASSIGN_OR_RETURN(std::string file, SafetensorsPreamble(infos, metadata));
  for (const TensorView& tensor : tensors) absl::StrAppend(&file, tensor.data);
  return file;
}

}  // namespace cairn
