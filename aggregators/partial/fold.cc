#include "aggregators/partial/fold.h"

#include <map>
#include <utility>

#include "absl/strings/str_cat.h"
#include "aggregators/blame.h"
#include "base/progress.h"

namespace cairn::internal {
namespace {

using kernels::BlockWindows;

constexpr std::int64_t kBlocksTold = 64;  // At a time, of those that are done.

void TellBlock(std::int64_t b) {
  if (b % kBlocksTold == 0) WorkProgress::Made();
}

// Those that add to one accumulator, and what they add.
struct UpdateSources {
  std::vector<const PartialSum::Update*> updates;
  std::vector<ScaledView> views;  // One for each.
};

class UpdateFold {
 public:
  UpdateFold(const Accumulator& accumulator, BlockWindows* windows, GrowingPlanes& planes)
      : accumulator_(accumulator), windows_(windows), planes_(planes) {}

  absl::Status Add(const UpdateSources& with, BlockTerms& scratch) {
    std::vector<BlockSource> sources;
    for (const ScaledView& view : with.views) sources.push_back({&view});
    for (std::int64_t b = 0; b < accumulator_.blocks(); ++b) {
      TellBlock(b);
      const SumBlock block = accumulator_.Block(b);
      std::size_t failed = 0;
      const Folded folded = scratch.Add(
          absl::MakeSpan(sources), block, windows_[accumulator_.first_block + b],
          [&](int plane) { return planes_.At(plane, accumulator_.OffsetOf(block), block.rows * block.columns); },
          &failed);
      if (folded == Folded::kNoPlane) return planes_.status();
      if (folded == Folded::kNotFinite) return NotFinite(*with.updates[failed]);
    }
    return absl::OkStatus();
  }

 private:
  absl::Status NotFinite(const PartialSum::Update& update) const {
    const Contributor& who = update.who;
    const std::map<std::string, ClientUpdate> one = {
        {who.client, {who.client, static_cast<double>(who.examples), update.adapter, ""}}};
    const absl::Status status =
        Blame(absl::OutOfRangeError(absl::StrCat("client ", who.client, ": values that overflow float64 in a sum")),
              one, accumulator_.name);
    return BlameClient(absl::InvalidArgumentError(status.message()), who.client);
  }

  const Accumulator& accumulator_;
  BlockWindows* const windows_;
  GrowingPlanes& planes_;
};

}  // namespace

absl::Span<std::int64_t> GrowingPlanes::At(int plane, std::int64_t first, std::int64_t count) {
  if (static_cast<std::size_t>(plane) == planes_.size()) {
    auto made = make_(static_cast<std::size_t>(elements_));
    if (made.ok() && (*made)->values().size() != static_cast<std::size_t>(elements_)) {
      made = absl::InternalError(absl::StrCat("a plane of ", (*made)->values().size(), " elements, not ", elements_));
    }
    if (!made.ok()) {
      status_ = made.status();
      return {};
    }
    planes_.push_back(*std::move(made));
  }
  return planes_[plane]->values().subspan(first, count);
}

absl::Status FoldUpdates(absl::Span<const PartialSum::Update> updates, const Layout& layout,
                         std::vector<BlockWindows>& windows, GrowingPlanes& planes) {
  BlockTerms scratch;
  for (const Accumulator& accumulator : layout.accumulators) {
    UpdateSources with;
    for (const PartialSum::Update& update : updates) {
      ScaledView view;
      const auto examples = static_cast<double>(update.who.examples);
      if (!TermsOf(*update.adapter, accumulator, examples, &view)) continue;
      with.updates.push_back(&update);
      with.views.push_back(std::move(view));
    }
    const absl::Status status = UpdateFold(accumulator, windows.data(), planes).Add(with, scratch);
    if (!status.ok()) return status;
  }
  return absl::OkStatus();
}

absl::Status FoldSums(const OtherSums& other, const Layout& layout, std::vector<BlockWindows>& windows,
                      GrowingPlanes& planes) {
  const std::vector<std::size_t> places = PlacesIn(layout, other.layout);
  for (std::size_t i = 0; i < places.size(); ++i) {
    const Accumulator &from = other.layout.accumulators[i], &to = layout.accumulators[places[i]];
    for (std::int64_t b = 0; b < from.blocks(); ++b) {
      TellBlock(b);
      const SumBlock block = from.Block(b), into = to.Block(b);
      const Folded folded = AddBlockSums(
          other.windows[from.first_block + b], block,
          [&](int plane) { return other.planes[plane].subspan(from.OffsetOf(block), block.rows * block.columns); },
          into, windows[to.first_block + b],
          [&](int plane) { return planes.At(plane, to.OffsetOf(into), into.rows * into.columns); });
      if (folded != Folded::kDone) return planes.status();
    }
  }
  return absl::OkStatus();
}

}  // namespace cairn::internal
