#include "server/gateway/upload_check.h"

#include <algorithm>
#include <utility>

#include "absl/strings/str_cat.h"
#include "aggregators/module_sum.h"
#include "base/limits.h"
#include "base/status_macros.h"

namespace cairn {
namespace {

absl::Status CheckScales(const Adapter& shape) {
  for (const LoraModule& module : shape.modules) {
    if (module.scale <= limits::kScaleMax) continue;
    return absl::InvalidArgumentError(absl::StrCat("module \"", module.name,
                                                   "\": scale (from lora_alpha and the rank) ", module.scale,
                                                   "; expected at most ", limits::kScaleMax));
  }
  return absl::OkStatus();
}

// One module of absurd rank would use up what the round as a whole may have.
absl::Status CheckRanks(const Adapter& shape) {
  for (const LoraModule& module : shape.modules) {
    const std::int64_t full = FullRank({module.name, module.d_in, module.d_out, module.layer});
    const std::int64_t most = std::max(full, limits::kUsualRankMax);
    if (module.rank <= most) continue;
    return absl::InvalidArgumentError(absl::StrCat("module \"", module.name, "\": rank ", module.rank,
                                                   "; expected at most ", most, " for a weight of rank ", full));
  }
  return absl::OkStatus();
}

std::map<std::string, int, std::less<>> FactorExponents(const Adapter& shape) {
  std::map<std::string, int, std::less<>> exponents;
  for (const LoraModule& module : shape.modules) {
    const int exponent = module.core ? limits::kCoreFactorExponentMax : limits::kFactorExponentMax;
    exponents[module.a.name] = exponents[module.b.name] = exponent;
    if (module.core) exponents[module.core->name] = exponent;
  }
  return exponents;
}

}  // namespace

UploadCheck::UploadCheck(PeftConfig config, std::shared_ptr<const AdapterSpec> spec, std::uint64_t file_bytes,
                         ShapeCheck more)
    : config_(std::move(config)), spec_(std::move(spec)), file_bytes_(file_bytes), more_(std::move(more)) {}

absl::Status UploadCheck::Refuse(absl::string_view reason, absl::Status status) {
  if (!status.ok()) reason_ = reason;
  return status;
}

absl::Status UploadCheck::Feed(absl::string_view bytes) {
  if (bytes.size() > file_bytes_ - position_) {
    return Refuse("format",
                  absl::InvalidArgumentError(absl::StrCat("more than the ", file_bytes_, " bytes announced")));
  }
  while (!parsed_ && !bytes.empty()) CAIRN_RETURN_IF_ERROR(FeedHeader(bytes));
  return FeedTensors(bytes);
}

absl::Status UploadCheck::FeedHeader(absl::string_view& bytes) {
  const std::size_t taken = std::min<std::size_t>(bytes.size(), prefix_bytes_ - prefix_.size());
  prefix_.append(bytes.data(), taken);
  bytes.remove_prefix(taken);
  position_ += taken;
  if (prefix_.size() < prefix_bytes_) return absl::OkStatus();
  if (prefix_bytes_ == 8) {
    auto header_bytes = SafetensorsHeaderBytes(prefix_, file_bytes_);
    CAIRN_RETURN_IF_ERROR(Refuse("format", header_bytes.status()));
    if (*header_bytes > limits::kUploadHeaderBytesMax) {
      return Refuse("format", absl::InvalidArgumentError(absl::StrCat("safetensors header of ", *header_bytes,
                                                                      " bytes; expected at most ",
                                                                      limits::kUploadHeaderBytesMax)));
    }
    prefix_bytes_ = *header_bytes;
    return absl::OkStatus();
  }
  return ParseHeader();
}

absl::Status UploadCheck::ParseHeader() {
  auto header = ReadSafetensorsHeader(prefix_, file_bytes_);
  CAIRN_RETURN_IF_ERROR(Refuse("format", header.status()));
  auto shape = DescribeAdapter(*header, config_);
  CAIRN_RETURN_IF_ERROR(Refuse("shape", shape.status()));
  // First: a kind of adapter that is refused has other tensors than the federation, too, which is not the reason.
  if (more_ != nullptr) CAIRN_RETURN_IF_ERROR(Refuse("shape", more_(*shape)));
  if (spec_ != nullptr) CAIRN_RETURN_IF_ERROR(Refuse("shape", CheckAgainstSpec(*shape, *spec_)));
  CAIRN_RETURN_IF_ERROR(Refuse("shape", CheckScales(*shape)));
  CAIRN_RETURN_IF_ERROR(Refuse("shape", CheckRanks(*shape)));
  exponents_ = FactorExponents(*shape);
  header_ = *std::move(header);
  shape_ = std::make_shared<const Adapter>(*std::move(shape));
  parsed_ = true;
  std::string().swap(prefix_);
  return absl::OkStatus();
}

absl::Status UploadCheck::FeedTensors(absl::string_view bytes) {
  while (!bytes.empty() && tensor_ < header_.tensors.size()) {
    const TensorInfo& tensor = header_.tensors[tensor_];
    const std::size_t here = std::min<std::uint64_t>(bytes.size(), tensor.end - position_);
    CAIRN_RETURN_IF_ERROR(Refuse("non_finite", CheckElements(tensor, bytes.substr(0, here))));
    bytes.remove_prefix(here);
    position_ += here;
    if (position_ == tensor.end) ++tensor_;
  }
  return absl::OkStatus();
}

int UploadCheck::ExponentOf(absl::string_view tensor) const {
  const auto found = exponents_.find(tensor);
  return found == exponents_.end() ? limits::kValueExponentMax : found->second;
}

absl::Status UploadCheck::CheckElements(const TensorInfo& tensor, absl::string_view bytes) {
  if (!IsFloat(tensor.dtype)) return absl::OkStatus();  // Every value is as good as any other.
  const std::size_t size = SizeOf(tensor.dtype);
  const int exponent = ExponentOf(tensor.name);
  std::uint64_t first = (position_ - split_.size() - tensor.begin) / size;  // Index of the first element looked at.
  auto fail = [&](std::uint64_t index) {
    return absl::InvalidArgumentError(absl::StrCat("tensor \"", tensor.name, "\": element ", index,
                                                   " is NaN, infinite or too large; expected finite values below 2^",
                                                   exponent));
  };
  if (!split_.empty()) {
    const std::size_t missing = std::min(size - split_.size(), bytes.size());
    split_.append(bytes.data(), missing);
    bytes.remove_prefix(missing);
    if (split_.size() < size) return absl::OkStatus();
    if (FirstTooLarge(tensor.dtype, split_.data(), 1, exponent) == 0) return fail(first);
    split_.clear();
    ++first;
  }
  const std::size_t count = bytes.size() / size;
  const std::size_t bad = FirstTooLarge(tensor.dtype, bytes.data(), count, exponent);
  if (bad < count) return fail(first + bad);
  const absl::string_view rest = bytes.substr(count * size);
  split_.assign(rest.data(), rest.size());
  return absl::OkStatus();
}

absl::StatusOr<std::shared_ptr<const Adapter>> UploadCheck::Finish() {
  if (!parsed_ || position_ != file_bytes_) {
    return absl::FailedPreconditionError(absl::StrCat("only ", position_, " of ", file_bytes_, " bytes were checked"));
  }
  return shape_;
}

}  // namespace cairn
