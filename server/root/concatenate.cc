#include "server/root/concatenate.h"

#include "absl/strings/str_cat.h"
#include "base/limits.h"
#include "base/status_macros.h"

namespace cairn {
namespace {

// Appends rows [rank, d_in] below what is there.
void AppendRows(const LoraModule& module, std::vector<float>& a) {
  const std::size_t at = a.size();
  a.resize(at + module.rank * module.d_in);
  ToFloat(module.a.dtype, module.a.data.data(), module.rank * module.d_in, a.data() + at);
}

// Writes columns [d_out, rank] into b [d_out, total] from column `first`, times the scale.
void WriteColumns(const LoraModule& module, std::int64_t total, std::int64_t first, std::vector<float>& b) {
  const std::size_t row_bytes = module.rank * SizeOf(module.b.dtype);
  const float scale = static_cast<float>(module.scale);
  for (std::int64_t row = 0; row < module.d_out; ++row) {
    float* out = &b[row * total + first];
    ToFloat(module.b.dtype, module.b.data.data() + row * row_bytes, module.rank, out);
    for (std::int64_t j = 0; j < module.rank; ++j) out[j] *= scale;
  }
}

}  // namespace

absl::StatusOr<std::vector<AdapterWriter::Shape>> ConcatenatedShapes(const Adapter& first,
                                                                     const Adapter& second) {
  if (SpecOf(first).modules != SpecOf(second).modules) {
    return absl::FailedPreconditionError("concatenate: the adapters adapt different modules");
  }
  std::vector<AdapterWriter::Shape> shapes;
  for (std::size_t i = 0; i < first.modules.size(); ++i) {
    const LoraModule& module = first.modules[i];
    const std::int64_t rank = module.rank + second.modules[i].rank;
    if (rank > limits::kRankMax) {
      return absl::FailedPreconditionError(absl::StrCat(
          "module \"", module.name, "\": the whole adapter's rank would be ", rank, ", more than ", limits::kRankMax,
          ": merge the published adapter into the base model and start a new federation"));
    }
    shapes.push_back({module.name, module.d_in, module.d_out, rank});
  }
  return shapes;
}

absl::Status Concatenate(const StoredAdapter& first, const StoredAdapter& second, AdapterWriter& writer) {
  std::vector<float> a, b;
  for (std::size_t i = 0; i < first.adapter.modules.size(); ++i) {
    const LoraModule& one = first.adapter.modules[i];
    const LoraModule& two = second.adapter.modules[i];
    a.clear();
    AppendRows(one, a);
    AppendRows(two, a);
    const std::int64_t rank = one.rank + two.rank;
    b.assign(one.d_out * rank, 0);
    WriteColumns(one, rank, 0, b);
    WriteColumns(two, rank, one.rank, b);
    CAIRN_RETURN_IF_ERROR(writer.Append(a, b));
    first.file.DropPages();
    second.file.DropPages();
  }
  return absl::OkStatus();
}

}  // namespace cairn
