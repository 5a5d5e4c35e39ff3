#include "server/gateway/convert.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <set>

#include "absl/strings/str_cat.h"
#include "base/limits.h"

namespace cairn {
namespace {

TEST(ConvertTest, EveryStatusCodeKeepsItsMeaning) {
  const std::pair<absl::StatusCode, grpc::StatusCode> codes[] = {
      {absl::StatusCode::kOk, grpc::StatusCode::OK},
      {absl::StatusCode::kCancelled, grpc::StatusCode::CANCELLED},
      {absl::StatusCode::kUnknown, grpc::StatusCode::UNKNOWN},
      {absl::StatusCode::kInvalidArgument, grpc::StatusCode::INVALID_ARGUMENT},
      {absl::StatusCode::kDeadlineExceeded, grpc::StatusCode::DEADLINE_EXCEEDED},
      {absl::StatusCode::kNotFound, grpc::StatusCode::NOT_FOUND},
      {absl::StatusCode::kAlreadyExists, grpc::StatusCode::ALREADY_EXISTS},
      {absl::StatusCode::kPermissionDenied, grpc::StatusCode::PERMISSION_DENIED},
      {absl::StatusCode::kResourceExhausted, grpc::StatusCode::RESOURCE_EXHAUSTED},
      {absl::StatusCode::kFailedPrecondition, grpc::StatusCode::FAILED_PRECONDITION},
      {absl::StatusCode::kAborted, grpc::StatusCode::ABORTED},
      {absl::StatusCode::kOutOfRange, grpc::StatusCode::OUT_OF_RANGE},
      {absl::StatusCode::kUnimplemented, grpc::StatusCode::UNIMPLEMENTED},
      {absl::StatusCode::kInternal, grpc::StatusCode::INTERNAL},
      {absl::StatusCode::kUnavailable, grpc::StatusCode::UNAVAILABLE},
      {absl::StatusCode::kDataLoss, grpc::StatusCode::DATA_LOSS},
      {absl::StatusCode::kUnauthenticated, grpc::StatusCode::UNAUTHENTICATED},
  };
  for (const auto& [from, to] : codes) {
    EXPECT_EQ(ToGrpc(absl::Status(from, "why")).error_code(), to);
  }
  EXPECT_EQ(ToGrpc(absl::NotFoundError("why")).error_message(), "why");
}

Snapshot OpenRound() {
  Snapshot snapshot{"fed", "mean", "examples", "stack", RoundStart::kWarm, {}, "1 of 2", 0.25};
  round::State& state = snapshot.state;
  state.policy.clients_min = 1;
  state.policy.clients_target = 2;
  state.policy.rounds = 9;
  state.phase = round::Phase::kOpen;
  state.round = 4;
  state.version = 3;
  snapshot.version_sha256 = "of 3";
  snapshot.previous_sha256 = "of 2";
  state.deadline = absl::FromUnixMillis(123'456);
  using Part = round::Client::Part;
  state.clients = {{"contributed", {true, Part::kContributed, 7, 7}},
                   {"gone", {false, Part::kJoined, 0, 0}},
                   {"joined", {true, Part::kJoined, 0, 0}},
                   {"left-after", {false, Part::kContributed, 7, 7}},
                   {"uploading", {true, Part::kUploading, 5, 10}}};
  return snapshot;
}

TEST(ConvertTest, ASnapshotArrivesWhole) {
  const v1::RoundInfo info = ToProto(OpenRound());
  EXPECT_EQ(info.federation(), "fed");
  EXPECT_EQ(info.combine(), "mean");
  EXPECT_EQ(info.rule(), "examples");
  EXPECT_EQ(info.publish(), "stack");
  EXPECT_EQ(info.relative_error(), 0.25);
  EXPECT_EQ(info.version_sha256(), "of 3");
  EXPECT_EQ(info.previous_sha256(), "of 2");
  EXPECT_EQ(info.start(), v1::ROUND_START_WARM);
  EXPECT_EQ(info.phase(), v1::ROUND_PHASE_OPEN);
  EXPECT_EQ(info.round(), 4u);
  EXPECT_EQ(info.rounds_total(), 9u);
  EXPECT_EQ(info.version(), 3u);
  EXPECT_EQ(info.clients_min(), 1u);
  EXPECT_EQ(info.clients_target(), 2u);
  EXPECT_EQ(info.deadline_unix_ms(), 123'456);
  EXPECT_EQ(info.waiting_for(), "1 of 2");
  ASSERT_EQ(info.clients_size(), 5);
  using Progress = v1::ClientProgress;
  EXPECT_EQ(info.clients(0).client(), "contributed");
  EXPECT_EQ(info.clients(0).state(), Progress::STATE_CONTRIBUTED);
  EXPECT_EQ(info.clients(1).state(), Progress::STATE_LEFT);
  EXPECT_EQ(info.clients(2).state(), Progress::STATE_JOINED);
  EXPECT_EQ(info.clients(3).state(), Progress::STATE_CONTRIBUTED) << "a contribution stays when its client leaves";
  EXPECT_EQ(info.clients(4).state(), Progress::STATE_UPLOADING);
  EXPECT_EQ(info.clients(4).bytes_received(), 5u);
  EXPECT_EQ(info.clients(4).bytes_total(), 10u);
}

std::shared_ptr<const std::vector<OutcomeRow>> Outcomes(std::vector<OutcomeRow> rows) {
  return std::make_shared<const std::vector<OutcomeRow>>(std::move(rows));
}

TEST(ConvertTest, OutcomesAreToldWhenAskedForAndWhenAVersionIsPublished) {
  Snapshot snapshot = OpenRound();
  EXPECT_EQ(WithOutcomes(snapshot, limits::kClientsShownMax).outcomes_size(), 0) << "no version yet";
  snapshot.outcomes = Outcomes({{"ada", 0.75}, {"mal", 0, 12.5, -0.5, false, "far away"}});
  EXPECT_EQ(ToProto(snapshot).outcomes_size(), 0);
  const v1::RoundInfo info = WithOutcomes(snapshot, limits::kClientsShownMax);
  EXPECT_EQ(info.round(), 4u);
  ASSERT_EQ(info.outcomes_size(), 2);
  EXPECT_EQ(info.outcomes(0).client(), "ada");
  EXPECT_EQ(info.outcomes(0).weight(), 0.75);
  EXPECT_FALSE(info.outcomes(0).has_distance());
  EXPECT_FALSE(info.outcomes(0).has_cosine());
  EXPECT_TRUE(info.outcomes(0).accepted());
  EXPECT_EQ(info.outcomes(1).distance(), 12.5);
  EXPECT_EQ(info.outcomes(1).cosine(), -0.5);
  EXPECT_FALSE(info.outcomes(1).accepted());
  EXPECT_EQ(info.outcomes(1).reason(), "far away");
  EXPECT_EQ(info.outcomes_left_out(), 0u);
  const auto shared = std::make_shared<const Snapshot>(snapshot);
  for (int kind = 0; kind <= static_cast<int>(Notice::Kind::kFinished); ++kind) {
    const v1::RoundEvent event = ToProto(Notice{static_cast<Notice::Kind>(kind), shared, "", "", absl::UnixEpoch()});
    EXPECT_EQ(event.info().outcomes_size(), event.kind() == v1::RoundEvent::KIND_PUBLISHED ? 2 : 0) << kind;
  }
}

TEST(ConvertTest, OfManyOutcomesThoseVotedDownComeFirst) {
  std::vector<OutcomeRow> rows;
  for (std::size_t i = 0; i < limits::kClientsShownMax + 5; ++i) {
    rows.push_back({.client = absl::StrCat("c", 1000 + i), .weight = 1, .accepted = i < limits::kClientsShownMax + 3});
  }
  Snapshot snapshot = OpenRound();
  snapshot.outcomes = Outcomes(rows);
  const v1::RoundInfo info = WithOutcomes(snapshot, limits::kClientsShownMax);
  ASSERT_EQ(info.outcomes_size(), limits::kClientsShownMax);
  EXPECT_EQ(info.outcomes_left_out(), 5u);
  EXPECT_EQ(info.outcomes(0).client(), "c1000");
  EXPECT_EQ(info.outcomes(997).client(), "c1997");
  EXPECT_EQ(info.outcomes(998).client(), rows[limits::kClientsShownMax + 3].client);
  EXPECT_EQ(info.outcomes(999).client(), rows[limits::kClientsShownMax + 4].client);
}

TEST(ConvertTest, TheFederationsOfAReplyShareItsOutcomes) {
  Snapshot snapshot = OpenRound();
  snapshot.outcomes = Outcomes(std::vector<OutcomeRow>(limits::kClientsShownMax, {.client = "c", .weight = 1}));
  const std::vector<std::shared_ptr<const Snapshot>> all(4, std::make_shared<const Snapshot>(snapshot));
  v1::StatusReply reply;
  FillRounds(all, reply);
  ASSERT_EQ(reply.rounds_size(), 4);
  for (const v1::RoundInfo& info : reply.rounds()) {
    EXPECT_EQ(info.outcomes_size(), limits::kClientsShownMax / 4);
    EXPECT_EQ(info.outcomes_left_out(), limits::kClientsShownMax * 3 / 4);
  }
}

TEST(ConvertTest, OnlyAnOpenRoundWithAnEndHasADeadline) {
  Snapshot endless = OpenRound(), closed = OpenRound();
  endless.state.deadline = absl::InfiniteFuture();
  closed.state.phase = round::Phase::kAggregating;
  EXPECT_EQ(ToProto(endless).deadline_unix_ms(), 0);
  EXPECT_EQ(ToProto(closed).deadline_unix_ms(), 0);
}

TEST(ConvertTest, AnErrorThatIsNotKnownIsNotZero) {
  Snapshot snapshot = OpenRound();
  snapshot.relative_error.reset();
  EXPECT_FALSE(ToProto(snapshot).has_relative_error());
}

TEST(ConvertTest, EveryStartHasItsName) {
  Snapshot snapshot = OpenRound();
  snapshot.start = RoundStart::kMerge;
  EXPECT_EQ(ToProto(snapshot).start(), v1::ROUND_START_MERGE);
  snapshot.start = RoundStart::kResidual;
  EXPECT_EQ(ToProto(snapshot).start(), v1::ROUND_START_RESIDUAL);
}

TEST(ConvertTest, PhasesAndKindsHaveNamesOfTheirOwn) {
  std::set<int> phases, kinds;
  Snapshot snapshot = OpenRound();
  for (auto phase :
       {round::Phase::kWaiting, round::Phase::kOpen, round::Phase::kAggregating, round::Phase::kFinished}) {
    snapshot.state.phase = phase;
    phases.insert(ToProto(snapshot).phase());
  }
  EXPECT_EQ(phases.size(), 4u);
  EXPECT_EQ(phases.count(v1::ROUND_PHASE_UNSPECIFIED), 0u);
  const auto shared = std::make_shared<const Snapshot>(snapshot);
  for (int kind = 0; kind <= static_cast<int>(Notice::Kind::kFinished); ++kind) {
    kinds.insert(ToProto(Notice{static_cast<Notice::Kind>(kind), shared, "", "", absl::UnixEpoch()}).kind());
  }
  EXPECT_EQ(kinds.size(), static_cast<std::size_t>(Notice::Kind::kFinished) + 1);
  EXPECT_EQ(kinds.count(v1::RoundEvent::KIND_UNSPECIFIED), 0u);
}

TEST(ConvertTest, ANoticeCarriesWhoWhatAndWhen) {
  const auto snapshot = std::make_shared<const Snapshot>(OpenRound());
  const v1::RoundEvent event =
      ToProto(Notice{Notice::Kind::kRejected, snapshot, "a", "NaN", absl::FromUnixMillis(1234)});
  EXPECT_EQ(event.kind(), v1::RoundEvent::KIND_REJECTED);
  EXPECT_EQ(event.client(), "a");
  EXPECT_EQ(event.detail(), "NaN");
  EXPECT_EQ(event.at_unix_ms(), 1234);
  EXPECT_EQ(event.info().round(), 4u);
}

TEST(ConvertTest, ReceiptsKeysAndSpecs) {
  const v1::Receipt receipt = ToProto(ReceiptRow{"fed", 4, "a", "sha", 77, 5, "{}", 1234});
  EXPECT_EQ(receipt.federation(), "fed");
  EXPECT_EQ(receipt.round(), 4u);
  EXPECT_EQ(receipt.client(), "a");
  EXPECT_EQ(receipt.sha256(), "sha");
  EXPECT_EQ(receipt.payload_bytes(), 77u);
  EXPECT_EQ(receipt.received_unix_ms(), 1234);

  v1::PushHeader header;
  header.set_federation("fed");
  header.set_round(4);
  header.set_client("a");
  header.set_sha256("sha");
  header.set_payload_bytes(77);
  const UploadKey key = KeyOf(header);
  EXPECT_EQ(key.federation, "fed");
  EXPECT_EQ(key.round, 4u);
  EXPECT_EQ(key.client, "a");
  EXPECT_EQ(key.sha256, "sha");
  EXPECT_EQ(key.bytes, 77u);

  const AdapterSpec spec{
      "org/base", {{"a", 1, 2}, {"b", 3, 4, {Layer::Kind::kConv2d, 3, 3, 1}}}, {{"bias", {4}}, {"scalar", {}}}};
  const auto back = FromProto(ToProto(spec));
  ASSERT_TRUE(back.ok()) << back.status();
  EXPECT_EQ(back->base_model, spec.base_model);
  EXPECT_EQ(back->modules, spec.modules);
  EXPECT_EQ(back->tensors, spec.tensors);
}

TEST(ConvertTest, ALayerIsLinearUnlessItSaysOtherwise) {
  v1::AdapterSpec spec;
  spec.add_modules()->set_name("q");
  ASSERT_TRUE(FromProto(spec).ok());
  EXPECT_EQ(FromProto(spec)->modules[0].layer, Layer{});
  spec.mutable_modules(0)->set_layer("recurrent");
  const absl::Status refused = FromProto(spec).status();
  EXPECT_EQ(refused.code(), absl::StatusCode::kInvalidArgument);
  EXPECT_NE(refused.message().find("\"q\""), std::string::npos) << refused;
}

}  // namespace
}  // namespace cairn
