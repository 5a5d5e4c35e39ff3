#include "server/node/peers.h"

#include <algorithm>
#include <utility>

#include "absl/strings/str_cat.h"
#include "base/limits.h"
#include "base/status_macros.h"
#include "proto/cairn/v1/peer.pb.h"
#include "server/node/node_channel.h"
#include "server/node/raw_call.h"
#include "wire/frame.h"

namespace cairn {
namespace {

constexpr char kRead[] = "/cairn.v1.Peer/Read";

// Where the bytes that come belong: the ranges are filled one after the other.
class Places {
 public:
  Places(absl::Span<const ByteRange> ranges, Peers::Put put) : ranges_(ranges), put_(put) { SkipFull(); }

  bool full() const { return ranges_.empty(); }

  absl::Status Take(absl::string_view bytes) {
    while (!bytes.empty()) {
      if (full()) return absl::UnavailableError("more bytes than asked for");
      const absl::string_view part = bytes.substr(0, ranges_.front().bytes - filled_);
      CAIRN_RETURN_IF_ERROR(put_(ranges_.front().offset + filled_, part));
      filled_ += part.size();
      bytes.remove_prefix(part.size());
      SkipFull();
    }
    return absl::OkStatus();
  }

 private:
  void SkipFull() {
    for (; !full() && filled_ == ranges_.front().bytes; filled_ = 0) ranges_.remove_prefix(1);
  }

  absl::Span<const ByteRange> ranges_;
  Peers::Put put_;
  std::uint64_t filled_ = 0;  // Of the first range that is left.
};

// What a call ended with, as Read says it: whatever else is wrong with the other end, it may be right the next time.
absl::Status ResultOf(const absl::Status& status, const std::string& other) {
  const std::string message = absl::StrCat(other, ": ", status.message());
  switch (status.code()) {
    case absl::StatusCode::kOk:
      return status;
    case absl::StatusCode::kNotFound:
    case absl::StatusCode::kDataLoss:
    case absl::StatusCode::kOutOfRange:
    case absl::StatusCode::kPermissionDenied:
    case absl::StatusCode::kUnimplemented:
      return absl::Status(status.code(), message);
    case absl::StatusCode::kInvalidArgument:  // That of this node, and nobody's update.
      return absl::InternalError(message);
    default:
      return absl::UnavailableError(message);
  }
}

// False: the stream is over.
bool Ask(RawCall& call, const v1::ReadRequest& request) {
  const grpc::Slice slice(request.SerializeAsString());
  return call.Write(grpc::ByteBuffer(&slice, 1)) && call.WritesDone();
}

v1::ReadRequest RequestFor(const std::string& self, const UploadKey& key, absl::Span<const ByteRange> ranges) {
  v1::ReadRequest request;
  request.set_node(self);
  request.set_federation(key.federation);
  request.set_name(UpdateName(key.client, key.sha256));
  request.set_payload_bytes(key.bytes);
  for (const ByteRange& range : ranges) {
    v1::ByteRange& sent = *request.add_ranges();
    sent.set_offset(range.offset);
    sent.set_bytes(range.bytes);
  }
  return request;
}

}  // namespace

Peers::Peers(std::string self, std::shared_ptr<grpc::ChannelCredentials> credentials, RootConnection* root,
             Metrics* metrics)
    : self_(std::move(self)), credentials_(std::move(credentials)), root_(root), metrics_(metrics) {}

void Peers::Close() { calls_.Close(); }

// A node that comes back may have another address.
absl::StatusOr<std::shared_ptr<Peers::Connection>> Peers::ConnectionTo(const std::string& node,
                                                                       const std::string& address) {
  if (address.empty()) {
    return absl::FailedPreconditionError(
        absl::StrCat("node ", node, " does not let other nodes read: set its peer_listen"));
  }
  std::lock_guard lock(mutex_);
  std::shared_ptr<Connection>& connection = connections_[node];
  if (connection == nullptr || connection->address != address) {
    const grpc::GenericStub stub(NodeChannel(address, credentials_, node));
    connection = std::make_shared<Connection>(Connection{address, stub});
  }
  return connection;
}

absl::Status Peers::Read(const std::string& node, const std::string& address, const UploadKey& key,
                         absl::Span<const ByteRange> ranges, Put put) {
  std::shared_ptr<Connection> connection;  // Kept, whoever else finds another address meanwhile.
  if (!node.empty()) {
    CAIRN_ASSIGN_OR_RETURN(connection, ConnectionTo(node, address));
  }
  if (node.empty() && root_ == nullptr) return absl::FailedPreconditionError("no connection to the root");
  grpc::GenericStub& stub = node.empty() ? root_->generic() : connection->stub;
  const std::string other = node.empty() ? "the root" : absl::StrCat("node ", node, " at ", address);
  for (; !ranges.empty(); ranges.remove_prefix(std::min(limits::kReadRangesMax, ranges.size()))) {
    const auto some = ranges.subspan(0, limits::kReadRangesMax);
    const absl::Status read = ReadOnce(stub, other, key, some, put);
    if (!read.ok() && calls_.closed()) return absl::CancelledError("reading from other nodes has ended");
    CAIRN_RETURN_IF_ERROR(read);
  }
  return absl::OkStatus();
}

absl::Status Peers::ReadOnce(grpc::GenericStub& stub, const std::string& other, const UploadKey& key,
                             absl::Span<const ByteRange> ranges, Put put) {
  RawCall call(stub, calls_, kRead, other);
  bool open = Ask(call, RequestFor(self_, key, ranges)), whole = false;
  Places places(ranges, put);
  for (grpc::ByteBuffer message; open && (open = call.Read(&message));) {
    const auto frame = wire::ReceivedFrame::Parse(message);
    if (!frame.ok()) return ResultOf(absl::UnavailableError(frame.status().message()), other);
    whole = frame->prefix().kind == wire::FrameKind::kTrailer;
    if (whole) continue;
    // Not the update's loss: it was damaged on its way.
    if (!frame->VerifyChecksum().ok()) return ResultOf(absl::UnavailableError("a chunk came damaged"), other);
    for (const absl::string_view slice : frame->slices()) CAIRN_RETURN_IF_ERROR(places.Take(slice));
    if (metrics_ != nullptr) metrics_->NodeBytes(key.federation, "part", frame->prefix().payload_bytes);
  }
  CAIRN_RETURN_IF_ERROR(ResultOf(call.Finish(), other));
  if (whole && places.full()) return absl::OkStatus();
  return ResultOf(absl::UnavailableError("broke off"), other);
}

}  // namespace cairn
