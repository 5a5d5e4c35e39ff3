#include "aggregators/frozen.h"

#include <algorithm>
#include <cstring>
#include <utility>
#include <vector>

#include "absl/strings/escaping.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "base/digest.h"
#include "base/status_macros.h"

namespace cairn {
namespace {

constexpr std::size_t kBlockElements = 4096;
constexpr char kStepCounter[] = ".num_batches_tracked";

std::string DigestOf(const TensorView& matrix) {
  Sha256 sha;
  std::vector<double> block;
  const std::size_t elements = matrix.elements();
  for (std::size_t first = 0; first < elements; first += kBlockElements) {
    block.resize(std::min(kBlockElements, elements - first));
    ToDouble(matrix.dtype, matrix.data.data() + first * SizeOf(matrix.dtype), block.size(), block.data());
    for (double& value : block) value += 0.0;  // -0 and 0 are the same number.
    sha.Update({reinterpret_cast<const char*>(block.data()), block.size() * sizeof(double)});
  }
  return ToHex(sha.Finish());
}

bool IsCommon(const DenseTensor& tensor) { return !IsFloat(tensor.view.dtype) && !IsStepCounter(tensor.view); }

// A line; names may be any text.
void Append(std::string* lines, absl::string_view what, absl::string_view name, absl::string_view part,
            absl::string_view digest) {
  absl::StrAppend(lines, what, " ", absl::CHexEscape(name), part, " ", digest, "\n");
}

// Calls visit(what, digest) for each line.
template <typename Visit>
void ForEachPart(absl::string_view lines, Visit visit) {
  for (absl::string_view line : absl::StrSplit(lines, '\n', absl::SkipEmpty())) {
    const std::size_t blank = line.rfind(' ');
    visit(line.substr(0, blank), line.substr(blank + 1));
  }
}

}  // namespace

bool IsStepCounter(const TensorView& view) {
  return view.dtype == DType::kI64 && view.elements() == 1 && absl::EndsWith(view.name, kStepCounter);
}

std::string FrozenDigests(const Adapter& adapter, FrozenFactors which) {
  std::string lines;
  for (const LoraModule& module : adapter.modules) {
    if (which.a) Append(&lines, "module", module.name, " lora_A", DigestOf(module.a));
    if (which.b) Append(&lines, "module", module.name, " lora_B", DigestOf(module.b));
  }
  for (const DenseTensor& tensor : adapter.tensors) {
    if (IsCommon(tensor)) Append(&lines, "tensor", tensor.view.name, "", Sha256Hex(tensor.view.data));
  }
  return lines;
}

bool HasFrozenParts(const Adapter& adapter, FrozenFactors which) {
  return ((which.a || which.b) && !adapter.modules.empty()) ||
         std::any_of(adapter.tensors.begin(), adapter.tensors.end(), IsCommon);
}

absl::Status CommonParts::Check(absl::string_view rule, absl::string_view holder, absl::string_view digests) const {
  absl::Status status;
  ForEachPart(digests, [&](absl::string_view what, absl::string_view digest) {
    const auto first = first_.find(what);
    if (!status.ok() || first == first_.end() || first->second.digest == digest) return;
    const absl::string_view why =
        absl::StartsWith(what, "tensor ")
            ? absl::string_view("it is of no floating-point type, so it cannot be averaged")
            : absl::string_view("the same frozen values are needed in all clients; stack takes any");
    status = absl::InvalidArgumentError(absl::StrCat("combine ", rule, ": ", what, " differs between ", holder, " and ",
                                                     first->second.holder, ": ", why));
  });
  return status;
}

void CommonParts::Add(absl::string_view holder, absl::string_view digests) {
  ForEachPart(digests, [&](absl::string_view what, absl::string_view digest) {
    first_.try_emplace(std::string(what), First{std::string(holder), std::string(digest)});
  });
}

namespace {

// Of those that count steps (frozen.h).
TensorView Largest(const TensorHolders& holders) {
  const auto value = [](const DenseTensor* tensor) {
    std::int64_t steps;
    std::memcpy(&steps, tensor->view.data.data(), sizeof steps);
    return steps;
  };
  return std::max_element(holders.begin(), holders.end(),
                          [&](const auto& x, const auto& y) { return value(x.second) < value(y.second); })
      ->second->view;
}

}  // namespace

absl::StatusOr<TensorView> SameInAll(const TensorHolders& holders) {
  const TensorView& first = holders.front().second->view;
  const bool steps = std::all_of(holders.begin(), holders.end(),
                                 [](const auto& holder) { return IsStepCounter(holder.second->view); });
  if (steps) return Largest(holders);
  for (const auto& [client, tensor] : holders) {
    if (tensor->view.dtype == first.dtype && tensor->view.data == first.data) continue;
    return absl::InvalidArgumentError(absl::StrCat("tensor \"", first.name, "\" of type ", NameOf(first.dtype),
                                                   " cannot be averaged and differs between client ",
                                                   holders.front().first, " and client ", client));
  }
  return first;
}

}  // namespace cairn
