#include "bench/hierarchy_crowd.h"

#include <algorithm>
#include <atomic>
#include <chrono>
#include <utility>

#include "absl/strings/str_cat.h"
#include "base/status_macros.h"
#include "bench/ingest_together.h"

namespace cairn::bench {
namespace {

using Clock = std::chrono::steady_clock;

std::string NameOf(int client) { return absl::StrCat("client-", client); }

double SecondsSince(Clock::time_point start) { return std::chrono::duration<double>(Clock::now() - start).count(); }

}  // namespace

absl::StatusOr<Crowd> Crowd::Join(const std::string& address, const std::string& federation, const Payloads& payloads,
                                  int clients, int lines) {
  std::vector<std::unique_ptr<Uploader>> uploaders;
  for (int line = 0; line < std::min(lines, clients); ++line) {
    CAIRN_ASSIGN_OR_RETURN(auto uploader, Uploader::Connect(address, federation, NameOf(line)));
    uploaders.push_back(std::move(uploader));
  }
  for (int client = 0; client < clients; ++client) {
    CAIRN_RETURN_IF_ERROR(uploaders[client % uploaders.size()]->Beside(NameOf(client))->Join());
  }
  CAIRN_ASSIGN_OR_RETURN(const std::uint64_t round, uploaders.front()->AwaitRound());
  Crowd crowd(payloads, clients, round);
  crowd.lines_ = std::move(uploaders);
  return crowd;
}

absl::Status Crowd::Push(int line, int client, double& seconds) const {
  const auto uploader = lines_[line]->Beside(NameOf(client));
  const Clock::time_point start = Clock::now();
  CAIRN_RETURN_IF_ERROR(uploader->Push(round_, payloads_->adapter_config, payloads_->clients[client]));
  seconds = SecondsSince(start);
  return absl::OkStatus();
}

absl::StatusOr<Crowd::Round> Crowd::Run(int at_a_time) {
  Round result{0, std::vector<double>(clients_)};
  std::atomic<int> next = 0;
  const auto push_some = [&](int line) -> absl::Status {
    for (int client; (client = next++) < clients_;) CAIRN_RETURN_IF_ERROR(Push(line, client, result.pushes[client]));
    return absl::OkStatus();
  };
  const Clock::time_point start = Clock::now();
  CAIRN_RETURN_IF_ERROR(Together(std::min<int>(at_a_time, lines_.size()), push_some).status());
  CAIRN_ASSIGN_OR_RETURN(const std::uint64_t open, lines_.front()->AwaitRound());
  result.seconds = SecondsSince(start);
  if (open != round_ + 1) return absl::InternalError(absl::StrCat("round ", open, " came after ", round_));
  round_ = open;
  return result;
}

}  // namespace cairn::bench
