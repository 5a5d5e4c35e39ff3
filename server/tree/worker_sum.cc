#include "server/tree/worker_sum.h"

#include <algorithm>
#include <exception>
#include <new>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "adapter/lora.h"
#include "aggregators/blame.h"
#include "aggregators/registry.h"
#include "base/failpoint.h"
#include "base/lost_pages.h"
#include "base/status_macros.h"
#include "server/root/update.h"
#include "server/tree/placed_update.h"
#include "server/tree/task_status.h"

namespace cairn::tree {

// An update where it lies.
struct WorkerSum::Input {
  Contributor who;
  std::shared_ptr<const PlacedUpdate> update;
  Adapter adapter;  // Views into it.
};

namespace {

// What libraries throw when there is no memory.
absl::Status Caught(absl::FunctionRef<absl::Status()> work) {
  try {
    return work();
  } catch (const std::bad_alloc&) {
    return absl::ResourceExhaustedError("the worker has not enough memory");
  } catch (const std::exception& error) {
    return absl::InternalError(error.what());
  }
}

}  // namespace

absl::StatusOr<std::unique_ptr<WorkerSum::Input>> WorkerSum::Open(const v1::UpdatePlace& place) const {
  auto input = std::make_unique<Input>();
  input->who = {place.client(), place.sha256(), place.examples()};
  CAIRN_ASSIGN_OR_RETURN(input->update, PlacedUpdate::Open(*objects_, place));
  CAIRN_ASSIGN_OR_RETURN(const PeftConfig config, ParseUpdateConfig(place.adapter_config(), *rule_));
  CAIRN_ASSIGN_OR_RETURN(input->adapter, ParseAdapter(input->update->bytes(), config));
  return input;
}

absl::Status WorkerSum::CheckRead(absl::Span<const std::unique_ptr<Input>> inputs) const {
  CAIRN_RETURN_IF_ERROR(LostPagesGuard::Check());
  for (const auto& input : inputs) {
    if (!input->update->StillValid()) return absl::UnavailableError("the worker slept past its lease");
  }
  return absl::OkStatus();
}

absl::Status WorkerSum::AddAll(absl::Span<const std::unique_ptr<Input>> inputs) {
  std::vector<PartialSum::Update> updates;
  for (const auto& input : inputs) updates.push_back({input->who, &input->adapter});
  return Caught([&] { return sum_->Add(updates); });
}

std::vector<absl::Status> WorkerSum::AddEach(absl::Span<const std::unique_ptr<Input>> inputs) {
  std::vector<absl::Status> results(inputs.size());
  const absl::Status added = inputs.empty() ? absl::OkStatus() : AddAll(inputs);
  if (added.ok()) return results;
  if (absl::IsResourceExhausted(added)) {  // It has waited for long enough.
    std::fill(results.begin(), results.end(), added);
    return results;
  }
  const std::optional<std::string> blamed = BlamedClient(added);
  for (std::size_t i = 0; i < inputs.size(); ++i) {
    if (sum_->usable().ok()) {
      results[i] = AddAll(inputs.subspan(i, 1));  // All or none, so far: who is it?
    } else if (!blamed || *blamed == inputs[i]->who.client) {
      results[i] = added;
    }
  }
  return results;
}

absl::Status WorkerSum::Begin(const std::string& combine) {
  if (sum_) return absl::OkStatus();
  CAIRN_ASSIGN_OR_RETURN(rule_, MakeAggregator(combine));
  CAIRN_ASSIGN_OR_RETURN(PartialSum sum, PartialSum::Create(combine, objects_->Planes()));
  sum_.emplace(std::move(sum));
  return absl::OkStatus();
}

void WorkerSum::Measure(v1::WorkerReply& reply) const {
  const PartialView view = sum_->View();
  const auto& planes = view.planes();
  if (planes.empty()) return;
  reply.set_plane_bytes(planes.front().size() * sizeof(std::int64_t));
  reply.set_planes(static_cast<std::uint32_t>(planes.size()));
}

v1::WorkerReply WorkerSum::Fold(const v1::FoldTask& task) {
  const LostPagesGuard guard;
  v1::WorkerReply reply;
  const absl::Status begun = Begin(task.combine());
  std::vector<std::unique_ptr<Input>> inputs;
  std::vector<v1::TaskStatus*> of_inputs;
  for (const v1::UpdatePlace& place : task.updates()) {
    v1::TaskStatus* const result = reply.add_updates();
    auto input = begun.ok() ? Open(place) : absl::StatusOr<std::unique_ptr<Input>>(begun);
    SetStatus(input.status(), *result);
    CAIRN_FAILPOINT("worker.in_fold").IgnoreError();
    if (!input.ok()) continue;
    inputs.push_back(*std::move(input));
    of_inputs.push_back(result);
  }
  const std::vector<absl::Status> results = AddEach(inputs);
  for (std::size_t i = 0; i < results.size(); ++i) SetStatus(results[i], *of_inputs[i]);
  const absl::Status read = CheckRead(inputs);
  // Whatever was found of an update whose bytes were not there says nothing of the update.
  for (v1::TaskStatus& result : *reply.mutable_updates()) {
    if (!read.ok()) SetStatus(read, result);
  }
  const bool empty = !begun.ok() || !sum_->usable().ok() || sum_->contributors().empty();
  const bool starved = std::any_of(reply.updates().begin(), reply.updates().end(), [](const v1::TaskStatus& result) {
    return absl::IsResourceExhausted(StatusOf(result));
  });
  reply.set_lost(empty || starved || !read.ok());
  if (!reply.lost()) Measure(reply);
  return reply;
}

absl::Status WorkerSum::DoMerge(const v1::SealedPartial& partial) {
  std::vector<NodeObjects::Read> reads;
  std::vector<absl::Span<const std::int64_t>> planes;
  for (const std::string& plane : partial.planes()) {
    CAIRN_ASSIGN_OR_RETURN(const ObjectKey key, ObjectKey::FromHex(plane));
    CAIRN_ASSIGN_OR_RETURN(NodeObjects::Read read, objects_->Get(key));
    const absl::string_view bytes = read.bytes();
    planes.emplace_back(reinterpret_cast<const std::int64_t*>(bytes.data()), bytes.size() / sizeof(std::int64_t));
    reads.push_back(std::move(read));
  }
  CAIRN_ASSIGN_OR_RETURN(const PartialView view, PartialView::Parse(partial.index(), std::move(planes)));
  CAIRN_RETURN_IF_ERROR(Begin(view.combine()));
  CAIRN_RETURN_IF_ERROR(Caught([&] { return sum_->Merge(view); }));
  CAIRN_RETURN_IF_ERROR(LostPagesGuard::Check());
  const bool valid = std::all_of(reads.begin(), reads.end(), [](const auto& read) { return read.StillValid(); });
  return valid ? absl::OkStatus() : absl::UnavailableError("the worker slept past its lease");
}

v1::WorkerReply WorkerSum::Merge(const v1::SealedPartial& partial) {
  const LostPagesGuard guard;
  v1::WorkerReply reply;
  const absl::Status merged = DoMerge(partial);
  SetStatus(merged, *reply.mutable_status());
  reply.set_lost(!merged.ok());
  if (!reply.lost()) Measure(reply);
  return reply;
}

absl::Status WorkerSum::DoSeal(v1::SealedPartial& sealed) {
  if (!sum_) return absl::FailedPreconditionError("there is nothing to seal");
  sealed.set_index(sum_->Index());
  for (std::unique_ptr<SumPlane>& plane : std::move(*sum_).TakePlanes()) {
    CAIRN_FAILPOINT("worker.before_plane_seal").IgnoreError();
    CAIRN_ASSIGN_OR_RETURN(const ObjectKey key, objects_->Seal(std::move(plane)));
    sealed.add_planes(key.ToHex());
  }
  return absl::OkStatus();
}

v1::WorkerReply WorkerSum::Seal() {
  v1::WorkerReply reply;
  // With an error it has the planes that were sealed before: they are the dispatcher's to remove.
  SetStatus(DoSeal(*reply.mutable_sealed()), *reply.mutable_status());
  sum_.reset();
  return reply;
}

}  // namespace cairn::tree
