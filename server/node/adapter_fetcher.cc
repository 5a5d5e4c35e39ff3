#include "server/node/adapter_fetcher.h"

#include <spdlog/spdlog.h>

#include <utility>

#include "absl/strings/str_cat.h"
#include "base/digest.h"
#include "base/status_macros.h"
#include "wire/frame.h"

namespace cairn {
namespace {

absl::StatusOr<v1::PullHeader> ReadHeader(RawCall& call, const v1::PullRequest& request) {
  const grpc::Slice slice(request.SerializeAsString());
  grpc::ByteBuffer message(&slice, 1);
  if (!call.Write(message) || !call.WritesDone() || !call.Read(&message)) {
    const absl::Status status = call.Finish();
    return status.ok() ? absl::UnavailableError("the root sent no adapter") : status;
  }
  CAIRN_ASSIGN_OR_RETURN(const wire::ReceivedFrame frame, wire::ReceivedFrame::Parse(message));
  CAIRN_ASSIGN_OR_RETURN(const std::string bytes, frame.Payload());
  v1::PullHeader header;
  if (!header.ParseFromString(bytes) || !IsSha256Hex(header.sha256())) {
    return absl::InternalError("the root sent no PullHeader");
  }
  return header;
}

VersionFile FileOf(const v1::PullHeader& header, std::shared_ptr<const MappedFile> file) {
  return {header.version(), {header.sha256(), header.payload_bytes(), header.adapter_config()}, {}, std::move(file)};
}

}  // namespace

AdapterFetcher::File AdapterFetcher::Receive(RawCall& call, const v1::PullHeader& header) {
  CAIRN_ASSIGN_OR_RETURN(AdapterCache::Incoming incoming, cache_->Begin(header.sha256()));
  grpc::ByteBuffer message;
  while (call.Read(&message)) {
    CAIRN_ASSIGN_OR_RETURN(const wire::ReceivedFrame frame, wire::ReceivedFrame::Parse(message));
    if (frame.prefix().kind != wire::FrameKind::kChunk) continue;  // The trailer repeats the header's digest.
    CAIRN_RETURN_IF_ERROR(frame.VerifyChecksum());
    CAIRN_RETURN_IF_ERROR(incoming.Append(frame.slices()));
  }
  CAIRN_RETURN_IF_ERROR(call.Finish());
  return cache_->Keep(std::move(incoming), header.sha256());
}

void AdapterFetcher::Fetch(const v1::PullRequest& request, Root::Done<VersionFile> done) {
  RawCall call(*root_, "/cairn.v1.Federation/Pull");
  const auto header = ReadHeader(call, request);
  if (!header.ok()) return done(root_->Named(header.status()));
  const Waiting tell = [header = *header, done = std::move(done)](const File& file) {
    file.ok() ? done(FileOf(header, *file)) : done(file.status());
  };
  {
    std::unique_lock lock(mutex_);
    const auto under_way = under_way_.find(header->sha256());
    if (under_way != under_way_.end()) {
      under_way->second.push_back(tell);
      return;
    }
    if (auto file = cache_->Find(header->sha256())) {
      lock.unlock();
      return tell(std::move(file));
    }
    under_way_[header->sha256()] = {tell};
  }
  const File file = Receive(call, *header);
  if (!file.ok()) {
    spdlog::warn("{}: fetching version {} from the root: {}", request.federation(), header->version(),
                 file.status().ToString());
  }
  std::vector<Waiting> waiting;
  {
    std::lock_guard lock(mutex_);
    waiting.swap(under_way_[header->sha256()]);
    under_way_.erase(header->sha256());
  }
  for (const Waiting& each : waiting) each(file);
}

}  // namespace cairn
