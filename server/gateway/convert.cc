#include "server/gateway/convert.h"

#include <algorithm>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/time/time.h"
#include "base/limits.h"

namespace cairn {
namespace {

// HTTP/2 trailers are bounded (8 KiB here), and a status that does not fit is replaced by one about that.
constexpr std::size_t kMessageBytesMax = 2048;

v1::RoundPhase ToProto(round::Phase phase) {
  switch (phase) {
    case round::Phase::kWaiting:
      return v1::ROUND_PHASE_WAITING;
    case round::Phase::kOpen:
      return v1::ROUND_PHASE_OPEN;
    case round::Phase::kAggregating:
      return v1::ROUND_PHASE_AGGREGATING;
    case round::Phase::kFinished:
      return v1::ROUND_PHASE_FINISHED;
  }
  return v1::ROUND_PHASE_UNSPECIFIED;
}

v1::RoundStart ToProto(RoundStart start) {
  switch (start) {
    case RoundStart::kMerge:
      return v1::ROUND_START_MERGE;
    case RoundStart::kWarm:
      return v1::ROUND_START_WARM;
    case RoundStart::kResidual:
      return v1::ROUND_START_RESIDUAL;
  }
  return v1::ROUND_START_UNSPECIFIED;
}

v1::ClientProgress::State StateOf(const round::Client& client) {
  switch (client.part) {
    case round::Client::Part::kUploading:
      return v1::ClientProgress::STATE_UPLOADING;
    case round::Client::Part::kContributed:
      return v1::ClientProgress::STATE_CONTRIBUTED;
    case round::Client::Part::kJoined:
      return client.active ? v1::ClientProgress::STATE_JOINED : v1::ClientProgress::STATE_LEFT;
  }
  return v1::ClientProgress::STATE_UNSPECIFIED;
}

v1::RoundEvent::Kind ToProto(Notice::Kind kind) {
  switch (kind) {
    case Notice::Kind::kSnapshot:
      return v1::RoundEvent::KIND_SNAPSHOT;
    case Notice::Kind::kJoined:
      return v1::RoundEvent::KIND_JOINED;
    case Notice::Kind::kLeft:
      return v1::RoundEvent::KIND_LEFT;
    case Notice::Kind::kOpened:
      return v1::RoundEvent::KIND_OPENED;
    case Notice::Kind::kProgress:
      return v1::RoundEvent::KIND_PROGRESS;
    case Notice::Kind::kContributed:
      return v1::RoundEvent::KIND_CONTRIBUTED;
    case Notice::Kind::kRejected:
      return v1::RoundEvent::KIND_REJECTED;
    case Notice::Kind::kExtended:
      return v1::RoundEvent::KIND_EXTENDED;
    case Notice::Kind::kClosed:
      return v1::RoundEvent::KIND_CLOSED;
    case Notice::Kind::kPublished:
      return v1::RoundEvent::KIND_PUBLISHED;
    case Notice::Kind::kFailed:
      return v1::RoundEvent::KIND_FAILED;
    case Notice::Kind::kFinished:
      return v1::RoundEvent::KIND_FINISHED;
  }
  return v1::RoundEvent::KIND_UNSPECIFIED;
}

// Which of them fit into a message: those voted down before others.
std::vector<bool> Shown(const std::vector<OutcomeRow>& outcomes, std::size_t most) {
  std::vector<bool> shown(outcomes.size());
  std::size_t left = most;
  for (const bool accepted : {false, true}) {
    for (std::size_t i = 0; i < outcomes.size() && left > 0; ++i) {
      if (outcomes[i].accepted != accepted) continue;
      shown[i] = true;
      --left;
    }
  }
  return shown;
}

void Fill(const OutcomeRow& row, v1::ClientOutcome& outcome) {
  outcome.set_client(row.client);
  outcome.set_weight(row.weight);
  if (row.distance) outcome.set_distance(*row.distance);
  if (row.cosine) outcome.set_cosine(*row.cosine);
  outcome.set_accepted(row.accepted);
  outcome.set_reason(row.reason);
}

template <typename Message>
UploadKey Key(const Message& message) {
  return {message.federation(), message.round(), message.client(), message.sha256(), message.payload_bytes()};
}

}  // namespace

grpc::Status ToGrpc(const absl::Status& status) {
  // The codes are the same numbers by design.
  return grpc::Status(static_cast<grpc::StatusCode>(status.code()),
                      std::string(status.message().substr(0, kMessageBytesMax)));
}

v1::RoundInfo ToProto(const Snapshot& snapshot) {
  const round::State& state = snapshot.state;
  v1::RoundInfo info;
  info.set_federation(snapshot.federation);
  info.set_round(state.round);
  info.set_rounds_total(state.policy.rounds);
  info.set_phase(ToProto(state.phase));
  info.set_version(state.version);
  info.set_clients_min(state.policy.clients_min);
  info.set_clients_target(state.policy.clients_target);
  for (const auto& [id, client] : state.clients) {
    v1::ClientProgress& progress = *info.add_clients();
    progress.set_client(id);
    progress.set_state(StateOf(client));
    progress.set_bytes_received(client.bytes_received);
    progress.set_bytes_total(client.bytes_total);
  }
  const bool has_deadline = state.phase == round::Phase::kOpen && state.deadline != absl::InfiniteFuture();
  if (has_deadline) info.set_deadline_unix_ms(absl::ToUnixMillis(state.deadline));
  info.set_waiting_for(snapshot.waiting_for);
  info.set_start(ToProto(snapshot.start));
  info.set_combine(snapshot.combine);
  info.set_rule(snapshot.rule);
  info.set_publish(snapshot.publish);
  if (snapshot.relative_error) info.set_relative_error(*snapshot.relative_error);
  info.set_version_sha256(snapshot.version_sha256);
  info.set_previous_sha256(snapshot.previous_sha256);
  return info;
}

v1::RoundInfo WithOutcomes(const Snapshot& snapshot, std::size_t most) {
  v1::RoundInfo info = ToProto(snapshot);
  if (snapshot.outcomes == nullptr) return info;
  const std::vector<bool> shown = Shown(*snapshot.outcomes, most);
  for (std::size_t i = 0; i < shown.size(); ++i) {
    if (shown[i]) Fill((*snapshot.outcomes)[i], *info.add_outcomes());
  }
  info.set_outcomes_left_out(shown.size() - info.outcomes_size() + snapshot.outcomes_left_out);
  return info;
}

void FillRounds(const std::vector<std::shared_ptr<const Snapshot>>& snapshots, v1::StatusReply& reply) {
  const std::size_t share = limits::kClientsShownMax / std::max<std::size_t>(1, snapshots.size());
  for (const auto& snapshot : snapshots) *reply.add_rounds() = WithOutcomes(*snapshot, share);
}

v1::RoundEvent ToProto(const Notice& notice) {
  const bool published = notice.kind == Notice::Kind::kPublished;
  v1::RoundEvent event;
  event.set_kind(ToProto(notice.kind));
  *event.mutable_info() =
      published ? WithOutcomes(*notice.snapshot, limits::kClientsShownMax) : ToProto(*notice.snapshot);
  event.set_client(notice.client);
  event.set_detail(notice.detail);
  event.set_at_unix_ms(absl::ToUnixMillis(notice.at));
  return event;
}

v1::Receipt ToProto(const ReceiptRow& row) {
  v1::Receipt receipt;
  receipt.set_federation(row.federation);
  receipt.set_round(row.round);
  receipt.set_client(row.client);
  receipt.set_sha256(row.sha256);
  receipt.set_payload_bytes(row.bytes);
  receipt.set_received_unix_ms(row.received_ms);
  return receipt;
}

v1::AdapterSpec ToProto(const AdapterSpec& spec) {
  v1::AdapterSpec proto;
  proto.set_base_model(spec.base_model);
  for (const ModuleSpec& module : spec.modules) {
    v1::ModuleSpec& out = *proto.add_modules();
    out.set_name(module.name);
    out.set_d_in(module.d_in);
    out.set_d_out(module.d_out);
    out.set_layer(NameOf(module.layer));
  }
  for (const TensorSpec& tensor : spec.tensors) {
    v1::TensorSpec& out = *proto.add_tensors();
    out.set_name(tensor.name);
    out.mutable_shape()->Add(tensor.shape.begin(), tensor.shape.end());
  }
  return proto;
}

absl::StatusOr<AdapterSpec> FromProto(const v1::AdapterSpec& proto) {
  AdapterSpec spec{proto.base_model(), {}, {}};
  for (const v1::ModuleSpec& module : proto.modules()) {
    const absl::StatusOr<Layer> layer = module.layer().empty() ? Layer{} : LayerFromName(module.layer());
    if (!layer.ok()) {
      return absl::InvalidArgumentError(absl::StrCat("module \"", module.name(), "\": ", layer.status().message()));
    }
    spec.modules.push_back({module.name(), module.d_in(), module.d_out(), *layer});
  }
  for (const v1::TensorSpec& tensor : proto.tensors()) {
    spec.tensors.push_back({tensor.name(), {tensor.shape().begin(), tensor.shape().end()}});
  }
  return spec;
}

UploadKey KeyOf(const v1::PushHeader& header) { return Key(header); }
UploadKey KeyOf(const v1::ResumePointRequest& request) { return Key(request); }

}  // namespace cairn
