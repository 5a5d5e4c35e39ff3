// Fields behind a right header: refused, or a sum that can be read, merged and written again.
#include <cstdint>
#include <cstdlib>
#include <string>
#include <vector>

#include "absl/types/span.h"
#include "aggregators/partial/bytes.h"
#include "aggregators/partial/index.h"
#include "aggregators/partial_sum.h"
#include "base/digest.h"

namespace {

constexpr std::int64_t kElementsMax = 1 << 20;

std::string WithHeader(const char* payload, std::size_t size) {
  cairn::internal::ByteWriter bytes;
  bytes.Raw("CRNP");
  bytes.Number(std::uint32_t{1});
  bytes.Number(std::uint64_t{size});
  bytes.Number(cairn::Crc32c(payload, size));
  bytes.Number(std::uint32_t{0});
  bytes.Raw({payload, size});
  return std::move(bytes).Take();
}

absl::Status Read(const cairn::Factor& factor) {
  return cairn::ForEachBlock(factor, [](absl::Span<const float>) { return absl::OkStatus(); });
}

void Use(const cairn::PartialView& view) {
  cairn::ResultSink sink;
  sink.module = [](const cairn::CombinedModule& module) {
    const absl::Status a = Read(*module.a), b = Read(*module.b);
    return a.ok() ? b : a;
  };
  sink.tensor = [](const cairn::CombinedTensor& tensor) {
    return tensor.values == nullptr ? absl::OkStatus() : Read(*tensor.values);
  };
  view.Report(sink).IgnoreError();
  auto sum = cairn::PartialSum::Create(view.combine());
  if (!sum.ok()) std::abort();
  if (!sum->Merge(view).ok()) return;  // Frozen values that are not finite.
  if (sum->contributors() != view.contributors() || !cairn::internal::ParseIndex(sum->Index()).ok()) std::abort();
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string index = WithHeader(reinterpret_cast<const char*>(data), size);
  const auto parsed = cairn::internal::ParseIndex(index);
  if (!parsed.ok() || parsed->state->shape.layout.elements > kElementsMax) return 0;
  const std::vector<std::int64_t> plane(parsed->state->shape.layout.elements, 0x0123456789abcdef);
  const auto view = cairn::PartialView::Parse(
      index, std::vector<absl::Span<const std::int64_t>>(parsed->planes, absl::MakeConstSpan(plane)));
  if (!view.ok()) std::abort();
  Use(*view);
  return 0;
}
