#include "server/node/delivery.h"

#include <algorithm>
#include <atomic>
#include <chrono>
#include <future>
#include <memory>
#include <utility>

#include "absl/strings/str_cat.h"
#include "base/digest.h"
#include "base/failpoint.h"
#include "base/limits.h"
#include "base/lost_pages.h"
#include "base/status_macros.h"
#include "server/node/raw_call.h"
#include "wire/frame.h"

namespace cairn {
namespace {

constexpr std::uint64_t kDropInterval = 16 * limits::kMiB;  // How much of the mapping stays resident.
constexpr std::chrono::seconds kWorkingInterval(10);        // Far below kStreamIdleMax.

absl::StatusOr<std::shared_ptr<const Blob>> FindBytes(const v1::FetchOrder& order, Store& store) {
  auto blob = store.Find(order.federation(), order.name());
  if (!blob.ok() || order.offset() <= (*blob)->bytes().size()) return blob;
  return absl::DataLossError(
      absl::StrCat(order.name(), ": offset ", order.offset(), " of ", (*blob)->bytes().size(), " bytes"));
}

// Until all is sent, or `open` says that nothing can be any more. DATA_LOSS: the bytes cannot be read.
absl::Status SendChunks(RawCall& call, const std::shared_ptr<const Blob>& blob, std::uint64_t offset, bool& open) {
  const LostPagesGuard lost_pages;  // The checksum reads them.
  const absl::string_view bytes = blob->bytes();
  for (std::uint64_t at = offset; open && at < bytes.size();) {
    const absl::string_view chunk = bytes.substr(at, limits::kChunkBytes);
    // The bytes stay until gRPC has sent the last slice of them.
    const grpc::ByteBuffer frame = wire::ChunkFrame(chunk, [blob] {});
    CAIRN_RETURN_IF_ERROR(lost_pages.LostHere());
    open = call.Write(frame);
    if (at / kDropInterval != (at + chunk.size()) / kDropInterval) blob->DropPages();
    at += chunk.size();
  }
  blob->DropPages();
  return absl::OkStatus();
}

bool SendPieces(RawCall& call, const std::shared_ptr<const Parcel>& parcel) {
  for (absl::string_view rest : parcel->pieces()) {
    for (; !rest.empty(); rest.remove_prefix(std::min(limits::kChunkBytes, rest.size()))) {
      // It lives until gRPC has sent the last slice of it.
      if (!call.Write(wire::ChunkFrame(rest.substr(0, limits::kChunkBytes), [parcel] {}))) return false;
    }
  }
  return true;
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

}  // namespace

absl::Status Deliver(RootConnection& root, const std::string& node, const v1::FetchOrder& order, Store& store) {
  const auto blob = FindBytes(order, store);
  v1::DeliverHeader header = HeaderFor(node, order.fetch());
  RawCall call(root, "/cairn.v1.Node/Deliver");
  bool open = true;
  absl::Status read = blob.status();
  if (read.ok()) {
    open = SendHeader(call, header);
    read = SendChunks(call, *blob, order.offset(), open);
  }
  if (!read.ok()) {
    *header.mutable_failure() = ToProto(read);
    open = open && SendHeader(call, header);
  }
  return End(call, open, read.ok());
}

absl::Status DeliverMade(RootConnection& root, const std::string& node, std::uint64_t fetch, const MakeParcel& make) {
  const auto wanted = std::make_shared<std::atomic<bool>>(true);
  std::future<Made> under_way = std::async(std::launch::async, make, [wanted] { return wanted->load(); });
  RawCall call(root, "/cairn.v1.Node/Deliver");
  v1::DeliverHeader header = HeaderFor(node, fetch);
  header.set_working(true);
  bool open = true;
  do {
    open = open && SendHeader(call, header);
    *wanted = open;
  } while (under_way.wait_for(kWorkingInterval) != std::future_status::ready);
  const Made parcel = under_way.get();
  header.set_working(false);
  if (!parcel.ok()) {
    *header.mutable_failure() = ToProto(parcel.status());
    return End(call, open && SendHeader(call, header), false);
  }
  (*parcel)->Describe(header);
  open = open && SendHeader(call, header) && SendPieces(call, *parcel);
  return End(call, open, true);
}

}  // namespace cairn
