#include "server/node/from_proto.h"

#include <memory>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/time/time.h"
#include "aggregators/blame.h"

namespace cairn {
namespace {

round::Phase PhaseOf(v1::RoundPhase phase) {
  switch (phase) {
    case v1::ROUND_PHASE_OPEN:
      return round::Phase::kOpen;
    case v1::ROUND_PHASE_AGGREGATING:
      return round::Phase::kAggregating;
    case v1::ROUND_PHASE_FINISHED:
      return round::Phase::kFinished;
    default:
      return round::Phase::kWaiting;
  }
}

RoundStart StartOf(v1::RoundStart start) {
  switch (start) {
    case v1::ROUND_START_WARM:
      return RoundStart::kWarm;
    case v1::ROUND_START_RESIDUAL:
      return RoundStart::kResidual;
    default:
      return RoundStart::kMerge;
  }
}

Notice::Kind KindOf(v1::RoundEvent::Kind kind) {
  // Theirs are ours, behind an unspecified one.
  static_assert(static_cast<int>(v1::RoundEvent::KIND_SNAPSHOT) == static_cast<int>(Notice::Kind::kSnapshot) + 1);
  static_assert(static_cast<int>(v1::RoundEvent::KIND_FINISHED) == static_cast<int>(Notice::Kind::kFinished) + 1);
  const bool known = kind >= v1::RoundEvent::KIND_SNAPSHOT && kind <= v1::RoundEvent::KIND_FINISHED;
  return known ? static_cast<Notice::Kind>(static_cast<int>(kind) - 1) : Notice::Kind::kSnapshot;
}

round::Client ClientOf(const v1::ClientProgress& progress) {
  round::Client client;
  client.active = progress.state() != v1::ClientProgress::STATE_LEFT;
  if (progress.state() == v1::ClientProgress::STATE_UPLOADING) client.part = round::Client::Part::kUploading;
  if (progress.state() == v1::ClientProgress::STATE_CONTRIBUTED) client.part = round::Client::Part::kContributed;
  client.bytes_received = progress.bytes_received();
  client.bytes_total = progress.bytes_total();
  return client;
}

std::vector<OutcomeRow> OutcomesOf(const v1::RoundInfo& info) {
  std::vector<OutcomeRow> rows;
  for (const v1::ClientOutcome& outcome : info.outcomes()) {
    OutcomeRow row{outcome.client(), outcome.weight(), {}, {}, outcome.accepted(), outcome.reason()};
    if (outcome.has_distance()) row.distance = outcome.distance();
    if (outcome.has_cosine()) row.cosine = outcome.cosine();
    rows.push_back(std::move(row));
  }
  return rows;
}

round::State StateOf(const v1::RoundInfo& info) {
  round::State state;
  state.policy.rounds = info.rounds_total();
  state.policy.clients_min = info.clients_min();
  state.policy.clients_target = info.clients_target();
  state.phase = PhaseOf(info.phase());
  state.round = info.round();
  state.version = info.version();
  if (info.deadline_unix_ms() != 0) state.deadline = absl::FromUnixMillis(info.deadline_unix_ms());
  for (const v1::ClientProgress& client : info.clients()) state.clients[client.client()] = ClientOf(client);
  return state;
}

}  // namespace

Snapshot FromProto(const v1::RoundInfo& info) {
  Snapshot snapshot;
  snapshot.federation = info.federation();
  snapshot.combine = info.combine();
  snapshot.rule = info.rule();
  snapshot.publish = info.publish();
  snapshot.start = StartOf(info.start());
  snapshot.state = StateOf(info);
  snapshot.waiting_for = info.waiting_for();
  if (info.has_relative_error()) snapshot.relative_error = info.relative_error();
  snapshot.version_sha256 = info.version_sha256();
  snapshot.previous_sha256 = info.previous_sha256();
  snapshot.outcomes = std::make_shared<const std::vector<OutcomeRow>>(OutcomesOf(info));
  snapshot.outcomes_left_out = info.outcomes_left_out();
  return snapshot;
}

Notice FromProto(const v1::RoundEvent& event) {
  return {KindOf(event.kind()), std::make_shared<const Snapshot>(FromProto(event.info())), event.client(),
          event.detail(), absl::FromUnixMillis(event.at_unix_ms())};
}

ReceiptRow FromProto(const v1::Receipt& receipt) {
  ReceiptRow row;
  row.federation = receipt.federation();
  row.round = receipt.round();
  row.client = receipt.client();
  row.sha256 = receipt.sha256();
  row.bytes = receipt.payload_bytes();
  row.received_ms = receipt.received_unix_ms();
  return row;
}

absl::Status FromGrpc(const grpc::Status& status, absl::string_view other) {
  switch (status.error_code()) {
    case grpc::StatusCode::OK:
      return absl::OkStatus();
    case grpc::StatusCode::DEADLINE_EXCEEDED:
    case grpc::StatusCode::CANCELLED:
      return absl::UnavailableError(absl::StrCat(other, " does not answer: ", status.error_message()));
    default:
      return absl::Status(static_cast<absl::StatusCode>(status.error_code()), status.error_message());
  }
}

absl::Status FromProto(const v1::Failure& failure) {
  const absl::Status status(static_cast<absl::StatusCode>(failure.code()), failure.message());
  return BlameClients(status, std::vector<std::string>(failure.blamed().begin(), failure.blamed().end()));
}

v1::Failure ToProto(const absl::Status& status) {
  v1::Failure failure;
  failure.set_code(status.raw_code());
  failure.set_message(std::string(status.message()));
  for (std::string& client : BlamedClients(status)) failure.add_blamed(std::move(client));
  return failure;
}

}  // namespace cairn
