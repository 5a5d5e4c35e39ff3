#include "aggregators/frozen.h"

#include <algorithm>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "base/digest.h"

namespace cairn {
namespace {

constexpr std::size_t kBlockElements = 4096;

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

// "module factor" -> digest.
std::map<absl::string_view, absl::string_view> ByMatrix(absl::string_view lines) {
  std::map<absl::string_view, absl::string_view> digests;
  for (absl::string_view line : absl::StrSplit(lines, '\n', absl::SkipEmpty())) {
    const std::size_t blank = line.rfind(' ');
    digests.emplace(line.substr(0, blank), line.substr(blank + 1));
  }
  return digests;
}

}  // namespace

std::string FrozenDigests(const Adapter& adapter, FrozenFactors which) {
  std::string lines;
  for (const LoraModule& module : adapter.modules) {
    if (which.a) absl::StrAppend(&lines, module.name, " lora_A ", DigestOf(module.a), "\n");
    if (which.b) absl::StrAppend(&lines, module.name, " lora_B ", DigestOf(module.b), "\n");
  }
  return lines;
}

// Those already there agree with each other: a matrix is compared with the first of them that has it.
absl::Status CheckFrozen(absl::string_view rule, const ClientUpdate& update,
                         const std::map<std::string, ClientUpdate>& others) {
  auto missing = ByMatrix(update.frozen);
  for (auto other = others.begin(); other != others.end() && !missing.empty(); ++other) {
    if (other->second.frozen == update.frozen) return absl::OkStatus();
    for (const auto& [matrix, digest] : ByMatrix(other->second.frozen)) {
      const auto found = missing.find(matrix);
      if (found == missing.end()) continue;
      if (found->second != digest) {
        return absl::InvalidArgumentError(
            absl::StrCat("rule ", rule, ": module ", matrix, " differs between client ", update.client, " and client ",
                         other->first, "; ", rule, " needs the same frozen values in all clients, stack takes any"));
      }
      missing.erase(found);
    }
  }
  return absl::OkStatus();
}

}  // namespace cairn
