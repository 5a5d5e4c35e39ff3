#include "client/sdk/await.h"

#include <chrono>
#include <optional>
#include <string>

#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"
#include "base/status_macros.h"
#include "client/sdk/control.h"
#include "client/sdk/retry_loop.h"
#include "client/sdk/status.h"

namespace cairn::sdk {
namespace {

StartMode StartOf(v1::RoundStart start) {
  switch (start) {
    case v1::ROUND_START_WARM:
      return StartMode::kWarm;
    case v1::ROUND_START_RESIDUAL:
      return StartMode::kResidual;
    default:
      return StartMode::kMerge;
  }
}

Round ToRound(const v1::RoundInfo& info) {
  Round round;
  round.number = info.round();
  round.version = info.version();
  round.version_sha256 = info.version_sha256();
  round.previous_sha256 = info.previous_sha256();
  round.start = StartOf(info.start());
  if (info.deadline_unix_ms() != 0) round.deadline = absl::FromUnixMillis(info.deadline_unix_ms());
  return round;
}

class Waiter {
 public:
  Waiter(Connection& connection, absl::Duration timeout)
      : connection_(connection),
        deadline_(absl::Now() + timeout),
        retry_(connection,
               absl::StrCat("await a round of ", connection.options.federation, " for ", connection.options.client)) {}

  absl::StatusOr<Round> Run();

 private:
  // Follows one Watch stream until it shows a round or ends. UNAVAILABLE when it ended without an error.
  absl::StatusOr<Round> Watch();
  // OK: watch again at once. Otherwise what is left of `failure`.
  absl::Status Recover(const absl::Status& failure);
  // None: not yet. OUT_OF_RANGE: never again.
  std::optional<absl::StatusOr<Round>> Judge(const v1::RoundInfo& info);
  v1::ClientProgress::State OwnState(const v1::RoundInfo& info) const;
  absl::Status TimedOut() const;

  Connection& connection_;
  const absl::Time deadline_;
  RetryLoop retry_;
  std::string waiting_for_;
  bool unknown_here_ = false;  // The server's list of clients lacks this one, or says that it left.
  bool joined_again_ = false;
};

absl::StatusOr<Round> Waiter::Run() {
  while (true) {
    const absl::StatusOr<Round> round = Watch();
    if (round.ok()) return round;
    CAIRN_RETURN_IF_ERROR(retry_.Final(connection_.cancellation.Check()));
    if (absl::Now() >= deadline_) return retry_.Final(TimedOut());
    const absl::Status failure = Recover(round.status());
    if (!failure.ok()) CAIRN_RETURN_IF_ERROR(retry_.PauseAfter(failure, deadline_));
  }
}

absl::Status Waiter::Recover(const absl::Status& failure) {
  if (!unknown_here_ || joined_again_) return failure;
  CAIRN_RETURN_IF_ERROR(JoinAgain(connection_));
  joined_again_ = true;
  return absl::OkStatus();
}

absl::StatusOr<Round> Waiter::Watch() {
  grpc::ClientContext context;
  if (deadline_ != absl::InfiniteFuture()) context.set_deadline(absl::ToChronoTime(deadline_));
  const Cancellation::Scope scope(connection_.cancellation, context);
  v1::WatchRequest request;
  request.set_federation(connection_.options.federation);
  const auto stream = connection_.stub->Watch(&context, request);
  v1::RoundEvent event;
  bool alive = false;
  while (stream->Read(&event)) {
    alive = true;
    if (auto verdict = Judge(event.info())) {
      context.TryCancel();
      stream->Finish();
      return *std::move(verdict);
    }
  }
  const grpc::Status status = stream->Finish();
  if (alive) retry_.Progress();  // The server lived until now, however long ago it last had something to say.
  CAIRN_RETURN_IF_ERROR(FromGrpc(status, connection_.cancellation));
  return absl::UnavailableError("the server ended the stream of events");
}

std::optional<absl::StatusOr<Round>> Waiter::Judge(const v1::RoundInfo& info) {
  waiting_for_ = info.waiting_for();
  if (info.phase() == v1::ROUND_PHASE_FINISHED) {
    return absl::OutOfRangeError(absl::StrCat("the federation has finished; the last version is ", info.version()));
  }
  const v1::ClientProgress::State own = OwnState(info);
  unknown_here_ = own == v1::ClientProgress::STATE_UNSPECIFIED || own == v1::ClientProgress::STATE_LEFT;
  if (unknown_here_ && !joined_again_)
    return absl::UnavailableError("the server does not count on this client any more");
  if (info.phase() != v1::ROUND_PHASE_OPEN || own == v1::ClientProgress::STATE_CONTRIBUTED) return std::nullopt;
  return ToRound(info);
}

v1::ClientProgress::State Waiter::OwnState(const v1::RoundInfo& info) const {
  for (const v1::ClientProgress& progress : info.clients()) {
    if (progress.client() == connection_.options.client) return progress.state();
  }
  return v1::ClientProgress::STATE_UNSPECIFIED;
}

absl::Status Waiter::TimedOut() const {
  return absl::DeadlineExceededError(
      waiting_for_.empty() ? "timed out" : absl::StrCat("timed out; the server waits for ", waiting_for_));
}

}  // namespace

absl::StatusOr<Round> AwaitOpenRound(Connection& connection, absl::Duration timeout) {
  return Waiter(connection, timeout).Run();
}

}  // namespace cairn::sdk
