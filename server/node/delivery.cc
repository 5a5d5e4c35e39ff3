#include "server/node/delivery.h"

#include <spdlog/spdlog.h>

#include <memory>
#include <utility>

#include "absl/strings/str_cat.h"
#include "base/clock.h"
#include "base/failpoint.h"
#include "base/status_macros.h"
#include "server/gateway/chunk_frames.h"
#include "server/node/making.h"
#include "server/node/raw_call.h"
#include "server/tree/progress_watch.h"
#include "wire/frame.h"

namespace cairn {
namespace {

absl::StatusOr<std::shared_ptr<const Blob>> FindBytes(const v1::FetchOrder& order, Store& store) {
  auto blob = store.Find(order.federation(), order.name());
  if (!blob.ok() || order.offset() <= (*blob)->bytes().size()) return blob;
  return absl::DataLossError(
      absl::StrCat(order.name(), ": offset ", order.offset(), " of ", (*blob)->bytes().size(), " bytes"));
}

// Until all is sent, or `open` says that nothing can be any more. DATA_LOSS: the bytes cannot be read.
absl::Status SendChunks(
    RawCall& call, ChunkFrames& chunks, absl::string_view rest, bool& open,
    const std::function<void()>& gets_on = [] {}) {
  while (open && !rest.empty()) {
    CAIRN_ASSIGN_OR_RETURN(const grpc::ByteBuffer frame, chunks.Next(rest));
    open = call.Write(frame);
    gets_on();
  }
  return absl::OkStatus();
}

absl::Status SendBlob(RawCall& call, const std::shared_ptr<const Blob>& blob, std::uint64_t offset, bool& open,
                      const std::function<void()>& gets_on) {
  ChunkFrames chunks(
      blob, [&blob] { blob->DropPages(); }, LostPagesGuard::Readers::kOne);
  CAIRN_RETURN_IF_ERROR(SendChunks(call, chunks, blob->bytes().substr(offset), open, gets_on));
  blob->DropPages();
  return absl::OkStatus();
}

absl::Status SendParcel(RawCall& call, const std::shared_ptr<const Parcel>& parcel, bool& open) {
  ChunkFrames chunks(parcel, [] {});
  for (const absl::string_view piece : parcel->pieces()) {
    CAIRN_RETURN_IF_ERROR(SendChunks(call, chunks, piece, open));
  }
  return absl::OkStatus();
}

v1::DeliverHeader HeaderFor(const std::string& node, std::uint64_t fetch) {
  v1::DeliverHeader header;
  header.set_node(node);
  header.set_fetch(fetch);
  return header;
}

bool SendHeader(RawCall& call, const v1::DeliverHeader& header) {
  return call.Write(wire::ControlFrame(wire::FrameKind::kHeader, header.SerializeAsString()));
}

absl::Status End(RawCall& call, bool open, bool whole) {
  CAIRN_FAILPOINT("node.in_delivery").IgnoreError();
  if (open && whole) open = call.Write(wire::ControlFrame(wire::FrameKind::kTrailer, ""));
  if (open) call.WritesDone();
  grpc::ByteBuffer reply;
  while (call.Read(&reply)) continue;
  return call.Finish();
}

// The sign of life comes from this thread, and so says nothing of the one that works: DEADLINE_EXCEEDED when that
// hangs.
absl::Status TellUntilMade(RawCall& call, v1::DeliverHeader header, Making& making, const MakeLimits& limits,
                           bool& open) {
  header.set_working(true);
  const SteadyClock clock;
  tree::ProgressWatch watch(limits.stuck, clock.Now());
  while (true) {
    open = open && SendHeader(call, header);
    if (!open) making.errand().GiveUp();
    if (making.Await(absl::ToChronoMilliseconds(limits.interval))) return absl::OkStatus();
    const absl::Status gets_on = watch.Hear(making.Sign(), clock.Now());
    if (gets_on.ok()) continue;
    making.errand().Hang();
    return absl::DeadlineExceededError(absl::StrCat("node ", header.node(), " hangs: ", gets_on.message()));
  }
}

// What nothing follows behind.
bool SendFailure(RawCall& call, v1::DeliverHeader header, const absl::Status& why) {
  *header.mutable_failure() = ToProto(why);
  return SendHeader(call, header);
}

}  // namespace

absl::Status Deliver(RootConnection& root, const std::string& node, const v1::FetchOrder& order, Store& store,
                     const std::function<void()>& gets_on) {
  const auto blob = FindBytes(order, store);
  const v1::DeliverHeader header = HeaderFor(node, order.fetch());
  RawCall call(root, "/cairn.v1.Node/Deliver");
  bool open = true;
  absl::Status read = blob.status();
  if (read.ok()) {
    open = SendHeader(call, header);
    read = SendBlob(call, *blob, order.offset(), open, gets_on);
  }
  if (!read.ok()) open = open && SendFailure(call, header, read);
  return End(call, open, read.ok());
}

absl::Status DeliverMade(RootConnection& root, const std::string& node, std::uint64_t fetch, const MakeParcel& make,
                         const MakeLimits& limits) {
  Making making(make);
  RawCall call(root, "/cairn.v1.Node/Deliver");
  bool open = true;
  const absl::Status hangs = TellUntilMade(call, HeaderFor(node, fetch), making, limits, open);
  if (!hangs.ok()) {
    spdlog::error("what the root waits for is given up, and this gateway should be started again: {}",
                  std::string(hangs.message()));
    open = open && SendFailure(call, HeaderFor(node, fetch), hangs);
    return End(call, open, false);
  }
  const Made parcel = making.Take();
  absl::Status read = parcel.status();
  if (read.ok()) {
    v1::DeliverHeader header = HeaderFor(node, fetch);
    (*parcel)->Describe(header);
    open = open && SendHeader(call, header);
    read = SendParcel(call, *parcel, open);
  }
  if (!read.ok()) open = open && SendFailure(call, HeaderFor(node, fetch), read);
  return End(call, open, read.ok());
}

}  // namespace cairn
