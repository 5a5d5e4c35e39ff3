#include "aggregators/partial_sum.h"

#include <algorithm>
#include <iterator>
#include <limits>
#include <set>
#include <utility>

#include "absl/strings/escaping.h"
#include "absl/strings/str_cat.h"
#include "aggregators/blame.h"
#include "aggregators/check_update.h"
#include "aggregators/partial/fold.h"
#include "aggregators/partial/held.h"
#include "aggregators/partial/index.h"
#include "aggregators/partial/state.h"
#include "aggregators/registry.h"
#include "base/digest.h"
#include "base/limits.h"
#include "base/status_macros.h"

namespace cairn {
namespace {

using internal::FrozenView;
using internal::GrowingPlanes;
using internal::Newcomer;
using internal::PartialShape;
using internal::PartialState;

constexpr std::int64_t kAnyBlocks = std::numeric_limits<std::int64_t>::max() / 2;

bool ByClient(const Contributor& x, const Contributor& y) { return x.client < y.client; }

absl::Status There(absl::string_view client) {
  return BlameClient(absl::AlreadyExistsError(absl::StrCat("client ", client, ": already contributed to this sum")),
                     client);
}

absl::Status CheckUpdate(const PartialSum::Update& update) {
  const Contributor& who = update.who;
  // As a float64, which Aggregator checks, 2^53 + 1 is 2^53.
  if (who.examples == 0 || who.examples > static_cast<std::uint64_t>(kExamplesMax)) {
    return absl::InvalidArgumentError(
        absl::StrCat("weight: expected an example count above 0 and at most 2^53, got ", who.examples));
  }
  if (!IsSha256Hex(who.sha256)) {
    return absl::InvalidArgumentError(
        absl::StrCat("sha256: expected 64 hexadecimal characters, got \"", absl::CHexEscape(who.sha256), "\""));
  }
  CAIRN_RETURN_IF_ERROR(CheckUpdateShapes(update.adapter));
  return CheckUpdateBytes(*update.adapter);
}

absl::Status CheckCount(std::size_t before, std::size_t more) {
  if (before + more <= limits::kCohortClientsMax) return absl::OkStatus();
  return absl::ResourceExhaustedError(
      absl::StrCat("a sum of ", before, " and ", more, " clients; the most is ", limits::kCohortClientsMax));
}

// Both ascend.
absl::Status CheckApart(const std::vector<Contributor>& ours, const std::vector<Contributor>& theirs) {
  std::vector<Contributor> both;
  std::set_intersection(ours.begin(), ours.end(), theirs.begin(), theirs.end(), std::back_inserter(both), ByClient);
  return both.empty() ? absl::OkStatus() : There(both.front().client);
}

void Join(const std::vector<Contributor>& newcomers, PartialState& state) {
  for (const Contributor& newcomer : newcomers) state.examples += newcomer.examples;
  const auto middle = static_cast<std::ptrdiff_t>(state.contributors.size());
  state.contributors.insert(state.contributors.end(), newcomers.begin(), newcomers.end());
  std::inplace_merge(state.contributors.begin(), state.contributors.begin() + middle, state.contributors.end(),
                     ByClient);
}

std::vector<absl::Span<const std::int64_t>> SpansOf(const std::vector<std::unique_ptr<SumPlane>>& planes) {
  std::vector<absl::Span<const std::int64_t>> spans;
  for (const std::unique_ptr<SumPlane>& plane : planes) spans.push_back(plane->values());
  return spans;
}

}  // namespace

absl::StatusOr<bool> IsSum(const std::string& combine) {
  CAIRN_ASSIGN_OR_RETURN(const std::unique_ptr<Aggregator> rule, MakeAggregator(combine));
  return rule->summed().has_value();
}

absl::StatusOr<PartialSum> PartialSum::Create(const std::string& combine, MakePlane make) {
  auto state = std::make_shared<PartialState>();
  state->combine = combine;
  CAIRN_ASSIGN_OR_RETURN(state->rule, internal::MakeSumRule(combine));
  return PartialSum(std::move(state), std::move(make));
}

PartialSum::PartialSum(std::shared_ptr<PartialState> state, MakePlane make)
    : state_(std::move(state)), make_(std::move(make)) {}
PartialSum::PartialSum(PartialSum&&) noexcept = default;
PartialSum& PartialSum::operator=(PartialSum&&) noexcept = default;
PartialSum::~PartialSum() = default;

absl::Status PartialSum::Add(absl::Span<const Update> updates) {
  CAIRN_RETURN_IF_ERROR(usable_);
  if (updates.empty()) return absl::OkStatus();
  CAIRN_RETURN_IF_ERROR(CheckCount(state_->contributors.size(), updates.size()));
  std::vector<Contributor> contributors;
  std::vector<Adapter> shapes;
  std::vector<Newcomer> newcomers;
  std::vector<FrozenView> frozen;
  shapes.reserve(updates.size());  // Newcomers point there.
  for (const Update& update : updates) {
    const std::string& client = update.who.client;
    const absl::Status status = CheckUpdate(update);
    if (!status.ok()) {
      return BlameClient(absl::Status(status.code(), absl::StrCat("client ", client, ": ", status.message())), client);
    }
    contributors.push_back(update.who);
    newcomers.push_back({client, &shapes.emplace_back(internal::WithoutBytes(*update.adapter))});
    std::vector<FrozenView> own = internal::FrozenOf(*update.adapter, *state_->rule->summed(), client);
    std::move(own.begin(), own.end(), std::back_inserter(frozen));
  }
  std::sort(contributors.begin(), contributors.end(), ByClient);
  for (std::size_t i = 1; i < contributors.size(); ++i) {
    if (contributors[i - 1].client == contributors[i].client) return There(contributors[i].client);
  }
  CAIRN_RETURN_IF_ERROR(CheckApart(state_->contributors, contributors));
  CAIRN_RETURN_IF_ERROR(Grow(newcomers, frozen));
  GrowingPlanes planes(planes_, make_, state_->shape.layout.elements);
  CAIRN_RETURN_IF_ERROR(Break(internal::FoldUpdates(updates, state_->shape.layout, state_->windows, planes)));
  for (const Update& update : updates) internal::CountHolders(*update.adapter, update.who.examples, *state_);
  internal::KeepFrozen(frozen, *state_);
  Join(contributors, *state_);
  return absl::OkStatus();
}

absl::Status PartialSum::Merge(const PartialView& other) {
  CAIRN_RETURN_IF_ERROR(usable_);
  if (other.combine() != combine()) {
    return absl::InvalidArgumentError(
        absl::StrCat("a sum for combine ", combine(), " cannot take one for combine ", other.combine()));
  }
  const PartialState& theirs = *other.state_;
  if (theirs.contributors.empty()) return absl::OkStatus();
  CAIRN_RETURN_IF_ERROR(CheckCount(state_->contributors.size(), theirs.contributors.size()));
  CAIRN_RETURN_IF_ERROR(CheckApart(state_->contributors, theirs.contributors));
  const std::vector<FrozenView> frozen = internal::FrozenOf(theirs);
  CAIRN_RETURN_IF_ERROR(Grow({{theirs.contributors.front().client, &theirs.shape.common}}, frozen));
  GrowingPlanes planes(planes_, make_, state_->shape.layout.elements);
  CAIRN_RETURN_IF_ERROR(Break(internal::FoldSums({theirs.shape.layout, theirs.windows, other.planes_},
                                                 state_->shape.layout, state_->windows, planes)));
  internal::CountHolders(theirs, *state_);
  internal::KeepFrozen(frozen, *state_);
  Join(theirs.contributors, *state_);
  return absl::OkStatus();
}

// Makes room for newcomers, if the rule takes them. All that can be refused is refused here, before anything changes;
// the first plane is made here, too.
absl::Status PartialSum::Grow(absl::Span<const Newcomer> newcomers, absl::Span<const FrozenView> frozen) {
  PartialState& state = *state_;
  CAIRN_ASSIGN_OR_RETURN(PartialShape shape,
                         internal::ShapeWith(state.combine, state.contributors, state.shape, newcomers, kAnyBlocks));
  CAIRN_RETURN_IF_ERROR(internal::CheckFrozen(state, frozen));
  if (shape.layout != state.shape.layout) {
    std::vector<std::unique_ptr<SumPlane>> grown;
    std::vector<kernels::BlockWindows> windows(shape.layout.blocks);
    GrowingPlanes planes(grown, make_, shape.layout.elements);
    const std::vector<absl::Span<const std::int64_t>> spans = SpansOf(planes_);
    CAIRN_RETURN_IF_ERROR(
        internal::FoldSums({state.shape.layout, state.windows, spans}, shape.layout, windows, planes));
    if (grown.empty() && shape.layout.elements > 0) planes.At(0, 0, 0);
    CAIRN_RETURN_IF_ERROR(planes.status());
    planes_ = std::move(grown);
    state.windows = std::move(windows);
  }
  state.shape = std::move(shape);
  return absl::OkStatus();
}

// Ends the sum when it holds part of something.
absl::Status PartialSum::Break(absl::Status status) {
  if (!status.ok()) {
    usable_ = absl::FailedPreconditionError(
        absl::StrCat("the sum must be started anew: part of an update is in it: ", status.message()));
  }
  return status;
}

const std::string& PartialSum::combine() const { return state_->combine; }
const std::vector<Contributor>& PartialSum::contributors() const { return state_->contributors; }
absl::uint128 PartialSum::examples() const { return state_->examples; }

PartialView PartialSum::View() const { return PartialView(state_, SpansOf(planes_)); }
std::string PartialSum::Index() const { return internal::SerializeIndex(*state_, static_cast<int>(planes_.size())); }
std::vector<std::unique_ptr<SumPlane>> PartialSum::TakePlanes() && { return std::move(planes_); }

}  // namespace cairn
