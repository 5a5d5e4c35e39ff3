#include "server/node/attendance.h"

#include <spdlog/spdlog.h>

#include <chrono>
#include <utility>

namespace cairn {
namespace {

constexpr std::chrono::milliseconds kRetryInterval(500);

}  // namespace

Attendance::Attendance(RootConnection* root, v1::AttendRequest request,
                       std::function<void(const v1::RootNotice&)> on_notice)
    : root_(root), request_(std::move(request)), on_notice_(std::move(on_notice)) {
  thread_ = std::thread([this] { Loop(); });
}

Attendance::~Attendance() {
  {
    std::lock_guard lock(mutex_);
    stopping_ = true;
  }
  wake_.notify_one();
  thread_.join();
}

absl::Status Attendance::state() const {
  std::lock_guard lock(mutex_);
  return state_;
}

void Attendance::SetState(const absl::Status& state) {
  std::lock_guard lock(mutex_);
  if (stopping_) return;
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
  const auto stream = root_->node().Attend(&context, request_);
  v1::RootNotice notice;
  while (stream->Read(&notice)) {
    on_notice_(notice);
    if (notice.has_welcome()) SetState(absl::OkStatus());
  }
  const absl::Status ended = FromGrpc(stream->Finish());
  root_->calls().Remove(&context);
  return ended.ok() ? absl::UnavailableError("the root ended the stream") : ended;
}

bool Attendance::Pause() {
  std::unique_lock lock(mutex_);
  return !wake_.wait_for(lock, kRetryInterval, [this] { return stopping_; });
}

void Attendance::Loop() {
  do {
    SetState(Follow());
  } while (Pause());
}

}  // namespace cairn
