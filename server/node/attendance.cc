#include "server/node/attendance.h"

#include <spdlog/spdlog.h>

#include <chrono>
#include <utility>

#include "base/status_macros.h"

namespace cairn {
namespace {

constexpr std::chrono::milliseconds kRetryInterval(500);

}  // namespace

Attendance::Attendance(RootConnection* root, std::unique_ptr<KnownRoot> known,
                       std::function<void(const v1::RootNotice&)> on_notice)
    : root_(root), known_(std::move(known)), on_notice_(std::move(on_notice)) {}

void Attendance::Start(v1::AttendRequest request) {
  request_ = std::move(request);
  thread_ = std::thread([this] { Loop(); });
}

Attendance::~Attendance() {
  {
    std::lock_guard lock(mutex_);
    stopping_ = true;
  }
  wake_.notify_one();
  if (thread_.joinable()) thread_.join();
}

absl::Status Attendance::state() const {
  std::lock_guard lock(mutex_);
  return state_;
}

void Attendance::GiveUp(const absl::Status& why) {
  std::lock_guard lock(mutex_);
  if (stopping_ || given_up_) return;
  spdlog::error("node {}: attends the root no more; this gateway should be started again: {}", request_.node(),
                std::string(why.message()));
  given_up_ = true;
  state_ = why;
  if (context_ != nullptr) context_->TryCancel();
  wake_.notify_one();
}

void Attendance::Hold(grpc::ClientContext* context) {
  std::lock_guard lock(mutex_);
  context_ = context;
  if (given_up_ && context != nullptr) context->TryCancel();  // Before it starts: then it ends at once.
}

void Attendance::SetState(const absl::Status& state) {
  std::lock_guard lock(mutex_);
  // It is this gateway that stops, or has said why it does not attend.
  if (stopping_ || given_up_ || root_->calls().closed()) return;
  if (state.ok()) {
    spdlog::info("node {}: attends the root", request_.node());
  } else if (state_.code() != state.code() || state_.message() != state.message()) {
    spdlog::warn("node {}: does not attend the root: {}", request_.node(), state.ToString());
  }
  state_ = state;
}

absl::Status Attendance::Follow() {
  grpc::ClientContext context;
  root_->calls().Add(&context);
  Hold(&context);
  v1::AttendRequest request = request_;
  request.set_root(known_->identity());
  const auto stream = root_->node().Attend(&context, request);
  v1::RootNotice notice;
  absl::Status known;
  bool welcome = false;
  while (stream->Read(&notice)) {
    if (notice.has_welcome()) {
      known = known_->Meet(notice.welcome().root());
      if (!known.ok()) break;
      welcome = true;
    }
    // A reminder may come first; what is to be kept is asked of nobody who has not said who it is.
    if (welcome || notice.keep().empty()) on_notice_(notice);
    if (notice.has_welcome()) SetState(absl::OkStatus());
  }
  if (!known.ok()) context.TryCancel();
  const absl::Status ended = root_->Result(stream->Finish());
  Hold(nullptr);
  root_->calls().Remove(&context);
  CAIRN_RETURN_IF_ERROR(known);
  return ended.ok() ? absl::UnavailableError("the root ended the stream") : ended;
}

bool Attendance::Pause() {
  std::unique_lock lock(mutex_);
  return !wake_.wait_for(lock, kRetryInterval, [this] { return stopping_ || given_up_; });
}

void Attendance::Loop() {
  do {
    SetState(Follow());
  } while (Pause());
}

}  // namespace cairn
