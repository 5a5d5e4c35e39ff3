#include "aggregators/base_output.h"

#include <algorithm>
#include <cmath>
#include <map>
#include <nlohmann/json.hpp>
#include <string>
#include <utility>

#include "absl/strings/escaping.h"
#include "absl/strings/str_cat.h"
#include "base/files.h"
#include "base/open_files.h"
#include "base/parallel.h"
#include "base/status_macros.h"

namespace cairn {
namespace {

constexpr std::int64_t kRunElements = 1 << 18;  // Copied at a time.
constexpr char kIndexFile[] = "model.safetensors.index.json";

// One file gets the name by which programs look for it; shards keep the names that the index has.
std::string NameOf(const TensorFiles& base, const TensorShard& shard) {
  return base.has_index() ? shard.name : absl::StrCat(kBaseModelStem, ".safetensors");
}

std::string IndexJson(const TensorFiles& base, std::uint64_t tensor_bytes) {
  nlohmann::ordered_json index = {{"metadata", {{"total_size", tensor_bytes}}}};
  std::map<std::string, std::string> files;
  for (std::size_t t = 0; t < base.tensors().size(); ++t) {
    files[base.tensors()[t].name] = base.shards()[base.shard_of(t)].name;
  }
  index["weight_map"] = files;
  return index.dump(2) + "\n";
}

}  // namespace

absl::StatusOr<BaseOutput> BaseOutput::Create(const TensorFiles& base, const std::filesystem::path& directory,
                                              const std::vector<DType>& types) {
  CAIRN_RETURN_IF_ERROR(AllowOpenFiles(base.shards().size()));
  BaseOutput output(base);
  output.directory_ = directory;
  std::vector<std::vector<TensorInfo>> headers(base.shards().size());
  for (std::size_t t = 0; t < types.size(); ++t) {
    const TensorView& tensor = base.tensors()[t];
    headers[base.shard_of(t)].push_back({.name = tensor.name, .dtype = types[t], .shape = tensor.shape});
  }
  for (std::size_t s = 0; s < headers.size(); ++s) {
    const TensorShard& shard = base.shards()[s];
    CAIRN_ASSIGN_OR_RETURN(TensorFile file,
                           TensorFile::Create(directory / NameOf(base, shard), headers[s], shard.metadata));
    output.files_.push_back(std::move(file));
  }
  for (std::size_t t = 0; t < types.size(); ++t) {
    const TensorView& tensor = base.tensors()[t];
    TensorFile& file = output.files_[base.shard_of(t)];
    output.tensors_.push_back({types[t], file.Append({.name = tensor.name, .dtype = types[t], .shape = tensor.shape})});
  }
  return output;
}

std::uint64_t BaseOutput::OffsetOf(std::size_t tensor, std::int64_t element) const {
  return tensors_[tensor].at + static_cast<std::uint64_t>(element) * SizeOf(tensors_[tensor].type);
}

void BaseOutput::Read(std::size_t tensor, std::int64_t first, absl::Span<double> out) const {
  const TensorView& from = base_->tensors()[tensor];
  ToDouble(from.dtype, from.data.data() + static_cast<std::size_t>(first) * SizeOf(from.dtype), out.size(), out.data());
  base_->DropPages();
}

absl::Status BaseOutput::Write(std::size_t tensor, std::int64_t first, absl::Span<const double> values) const {
  const DType type = tensors_[tensor].type;
  std::string bytes(values.size() * SizeOf(type), '\0');
  FromDouble(type, values.data(), values.size(), bytes.data());
  if (FirstNonFinite(type, bytes.data(), values.size()) != values.size()) return Overflow(tensor);
  return files_[base_->shard_of(tensor)].Write(OffsetOf(tensor, first), bytes);
}

// Infinities and NaN that are the base's own, such as those of a mask, stay what they are.
absl::Status BaseOutput::Cast(std::size_t tensor, std::int64_t first, absl::Span<const double> values) const {
  const DType type = tensors_[tensor].type;
  const std::size_t size = SizeOf(type);
  std::string bytes(values.size() * size, '\0');
  FromDouble(type, values.data(), values.size(), bytes.data());
  for (std::size_t i = 0; i < values.size(); ++i) {
    i += FirstNonFinite(type, bytes.data() + i * size, values.size() - i);
    if (i < values.size() && std::isfinite(values[i])) return Overflow(tensor);
  }
  return files_[base_->shard_of(tensor)].Write(OffsetOf(tensor, first), bytes);
}

absl::Status BaseOutput::Overflow(std::size_t tensor) const {
  return absl::OutOfRangeError(absl::StrCat("a value of \"", absl::CHexEscape(base_->tensors()[tensor].name),
                                            "\" overflows ", NameOf(type(tensor)), " in the merged model"));
}

absl::Status BaseOutput::Write(std::size_t tensor, absl::string_view bytes) const {
  return files_[base_->shard_of(tensor)].Write(tensors_[tensor].at, bytes);
}

absl::Status BaseOutput::Copy(std::size_t tensor, int threads) const {
  const TensorView& from = base_->tensors()[tensor];
  const auto size = static_cast<std::int64_t>(SizeOf(from.dtype));
  const auto elements = static_cast<std::int64_t>(from.data.size()) / size;
  const auto copy_run = [&](int, std::int64_t i) -> absl::Status {
    const std::int64_t first = i * kRunElements, count = std::min(kRunElements, elements - first);
    if (type(tensor) != from.dtype) {
      std::vector<double> values(static_cast<std::size_t>(count));
      Read(tensor, first, absl::MakeSpan(values));
      return Cast(tensor, first, values);
    }
    const absl::string_view run = from.data.substr(first * size, count * size);
    CAIRN_RETURN_IF_ERROR(files_[base_->shard_of(tensor)].Write(OffsetOf(tensor, first), run));
    base_->DropPages();
    return absl::OkStatus();
  };
  return ParallelFor(threads, (elements + kRunElements - 1) / kRunElements, copy_run);
}

absl::StatusOr<std::uint64_t> BaseOutput::Finish() && {
  std::uint64_t bytes = 0, tensor_bytes = 0;
  for (std::size_t t = 0; t < tensors_.size(); ++t) {
    tensor_bytes += static_cast<std::uint64_t>(base_->tensors()[t].elements()) * SizeOf(tensors_[t].type);
  }
  for (TensorFile& file : files_) {
    CAIRN_ASSIGN_OR_RETURN(const std::uint64_t size, std::move(file).Finish());
    bytes += size;
  }
  if (base_->has_index()) {
    CAIRN_RETURN_IF_ERROR(WriteFileAtomically(directory_ / kIndexFile, IndexJson(*base_, tensor_bytes)));
  }
  return bytes;
}

}  // namespace cairn
