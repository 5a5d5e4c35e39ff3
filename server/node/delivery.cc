#include "server/node/delivery.h"

#include <algorithm>
#include <memory>

#include "absl/strings/str_cat.h"
#include "base/digest.h"
#include "base/limits.h"
#include "server/node/raw_call.h"
#include "wire/frame.h"

namespace cairn {
namespace {

constexpr std::uint64_t kDropInterval = 16 * limits::kMiB;  // How much of the mapping stays resident.

absl::StatusOr<std::shared_ptr<const Blob>> FindBytes(const v1::FetchOrder& order, Store& store) {
  auto blob = store.Find(order.federation(), order.name());
  if (!blob.ok() || order.offset() <= (*blob)->bytes().size()) return blob;
  return absl::DataLossError(
      absl::StrCat(order.name(), ": offset ", order.offset(), " of ", (*blob)->bytes().size(), " bytes"));
}

bool SendChunks(RawCall& call, const std::shared_ptr<const Blob>& blob, std::uint64_t offset) {
  const absl::string_view bytes = blob->bytes();
  for (std::uint64_t at = offset; at < bytes.size();) {
    const absl::string_view chunk = bytes.substr(at, limits::kChunkBytes);
    // The bytes stay until gRPC has sent the last slice of them.
    if (!call.Write(wire::ChunkFrame(chunk, [blob] {}))) return false;
    if (at / kDropInterval != (at + chunk.size()) / kDropInterval) blob->DropPages();
    at += chunk.size();
  }
  blob->DropPages();
  return true;
}

}  // namespace

absl::Status Deliver(RootConnection& root, const std::string& node, const v1::FetchOrder& order, Store& store) {
  const auto blob = FindBytes(order, store);
  v1::DeliverHeader header;
  header.set_node(node);
  header.set_fetch(order.fetch());
  if (!blob.ok()) *header.mutable_failure() = ToProto(blob.status());
  RawCall call(root, "/cairn.v1.Node/Deliver");
  bool open = call.Write(wire::ControlFrame(wire::FrameKind::kHeader, header.SerializeAsString()));
  if (open && blob.ok()) open = SendChunks(call, *blob, order.offset());
  if (open && blob.ok()) open = call.Write(wire::ControlFrame(wire::FrameKind::kTrailer, ""));
  if (open) call.WritesDone();
  grpc::ByteBuffer reply;
  while (call.Read(&reply)) continue;
  return call.Finish();
}

}  // namespace cairn
