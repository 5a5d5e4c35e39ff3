#include "server/root/partial_bytes.h"

#include "absl/strings/str_cat.h"
#include "absl/types/span.h"

namespace cairn {
namespace {

constexpr std::uint64_t kAlignment = sizeof(std::int64_t);
constexpr std::uint32_t kPlanesMax = 3;
constexpr char kZeros[kAlignment] = {};

}  // namespace

std::uint64_t PartialLayout::planes_at() const { return (index_bytes + kAlignment - 1) / kAlignment * kAlignment; }
std::uint64_t PartialLayout::bytes() const { return planes_at() + planes * plane_bytes; }

absl::Status CheckLayout(const PartialLayout& layout, std::uint64_t bytes_max) {
  const bool whole = layout.index_bytes > 0 && layout.planes <= kPlanesMax && layout.plane_bytes % kAlignment == 0 &&
                     (layout.planes == 0) == (layout.plane_bytes == 0);
  // Each by itself first: their sum may be beyond 64 bits.
  const bool small = layout.index_bytes <= bytes_max && layout.plane_bytes <= bytes_max && layout.bytes() <= bytes_max;
  if (whole && small) return absl::OkStatus();
  return absl::DataLossError(absl::StrCat("no partial sum of these updates: an index of ", layout.index_bytes,
                                          " bytes and ", layout.planes, " planes of ", layout.plane_bytes,
                                          " bytes; the most is ", bytes_max));
}

PartialLayout LayoutOf(absl::string_view index, const PartialView& view) {
  PartialLayout layout{index.size(), static_cast<std::uint32_t>(view.planes().size()), 0};
  if (layout.planes > 0) layout.plane_bytes = view.planes().front().size() * sizeof(std::int64_t);
  return layout;
}

std::vector<absl::string_view> PiecesOf(absl::string_view index, const PartialView& view) {
  std::vector<absl::string_view> pieces = {index};
  if (const std::uint64_t zeros = LayoutOf(index, view).planes_at() - index.size(); zeros > 0) {
    pieces.emplace_back(kZeros, zeros);
  }
  for (const absl::Span<const std::int64_t> plane : view.planes()) {
    pieces.emplace_back(reinterpret_cast<const char*>(plane.data()), plane.size() * sizeof(std::int64_t));
  }
  return pieces;
}

absl::StatusOr<PartialView> ReadPartial(const PartialLayout& layout, absl::string_view bytes) {
  std::vector<absl::Span<const std::int64_t>> planes;
  for (std::uint32_t i = 0; i < layout.planes; ++i) {
    const char* const data = bytes.data() + layout.planes_at() + i * layout.plane_bytes;
    planes.emplace_back(reinterpret_cast<const std::int64_t*>(data), layout.plane_bytes / sizeof(std::int64_t));
  }
  auto view = PartialView::Parse(bytes.substr(0, layout.index_bytes), std::move(planes));
  if (absl::IsInvalidArgument(view.status())) return absl::DataLossError(view.status().message());
  return view;
}

}  // namespace cairn
