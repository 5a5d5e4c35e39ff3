#include "client/sdk/push.h"

#include <algorithm>
#include <string>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "base/digest.h"
#include "base/limits.h"
#include "base/status_macros.h"
#include "client/sdk/control.h"
#include "client/sdk/placement.h"
#include "client/sdk/progress.h"
#include "client/sdk/raw_stream.h"
#include "client/sdk/retry_loop.h"
#include "client/sdk/status.h"
#include "wire/frame.h"
#include "wire/push_header.h"

namespace cairn::sdk {
namespace {

constexpr char kMethod[] = "/cairn.v1.Federation/Push";
constexpr std::size_t kHashBlockBytes = 16 * limits::kMiB;  // Between two looks at the cancellation.

absl::StatusOr<std::string> Digest(const Connection& connection, absl::string_view bytes) {
  Sha256 hash;
  for (std::size_t at = 0; at < bytes.size(); at += kHashBlockBytes) {
    CAIRN_RETURN_IF_ERROR(connection.cancellation.Check());
    hash.Update(bytes.substr(at, kHashBlockBytes));
  }
  return ToHex(hash.Finish());
}

// The chunk's memory outlives this call: gRPC drops its slices when it has written them, or a little after the stream
// ended.
grpc::ByteBuffer OwnedChunk(absl::string_view bytes, const std::shared_ptr<const void>& owner) {
  if (owner != nullptr) return wire::ChunkFrame(bytes, [owner] {});
  auto copy = std::make_shared<const std::string>(bytes);
  const absl::string_view copied = *copy;
  return wire::ChunkFrame(copied, [copy = std::move(copy)] {});
}

v1::PushHeader HeaderOf(const Connection& connection, const Round& round, const Update& update) {
  v1::PushHeader header;
  header.set_federation(connection.options.federation);
  header.set_round(round.number);
  header.set_client(connection.options.client);
  header.set_examples(update.examples);
  header.set_adapter_config(std::string(update.adapter_config));
  header.set_payload_bytes(update.safetensors.size());
  return header;
}

// Whether the client's own server is asked after what the one that was chosen for it said. That may have reasons of its
// own: a disk that is full or read-only, a smaller upload_max, an address that leads somewhere else. Not after what
// passes, when the question where to send it is asked again, and not after what is about the round: it is the root's.
bool MayBeOfItsOwn(absl::StatusCode code) {
  switch (code) {
    case absl::StatusCode::kOk:
    case absl::StatusCode::kCancelled:
    case absl::StatusCode::kUnavailable:
    case absl::StatusCode::kAborted:
    case absl::StatusCode::kDataLoss:
    case absl::StatusCode::kFailedPrecondition:
    case absl::StatusCode::kAlreadyExists:
      return false;
    default:
      return true;
  }
}

class Pusher {
 public:
  Pusher(Connection& connection, const Round& round, const Update& update, const ProgressCallback& progress)
      : connection_(connection),
        update_(update),
        header_(HeaderOf(connection, round, update)),
        retry_(connection, absl::StrCat("push round ", round.number, " of ", connection.options.client)),
        progress_(update.safetensors.size(), progress, retry_) {}

  absl::StatusOr<Receipt> Run();

 private:
  absl::Status Prepare();
  // OK: try again at once. Otherwise what is left of `failure`.
  absl::Status Recover(const absl::Status& failure);
  absl::StatusOr<v1::Receipt> Attempt();  // Where the update belongs, or else at home.
  absl::StatusOr<v1::Receipt> AttemptAt(Link& link);
  absl::StatusOr<v1::ResumePointReply> ResumePoint(Link& link);
  void Send(RawStream& stream);
  absl::StatusOr<v1::Receipt> ReadReceipt(RawStream& stream);
  absl::StatusOr<Receipt> Accept(const v1::Receipt& receipt);

  Connection& connection_;
  const Update& update_;
  v1::PushHeader header_;
  RetryLoop retry_;
  TransferProgress progress_;
  bool joined_again_ = false;
  bool at_home_ = false;  // The server that the client was given has a part of the update: it is to get the rest.
};

absl::StatusOr<Receipt> Pusher::Run() {
  CAIRN_RETURN_IF_ERROR(retry_.Final(Prepare()));
  while (true) {
    const absl::StatusOr<v1::Receipt> receipt = Attempt();
    if (receipt.ok()) return Accept(*receipt);
    const absl::Status failure = Recover(receipt.status());
    if (!failure.ok()) CAIRN_RETURN_IF_ERROR(retry_.PauseAfter(failure));
  }
}

// A server that restarted without its memory does not know this client any more. Joining again once is enough: if that
// does not help, something else is missing.
absl::Status Pusher::Recover(const absl::Status& failure) {
  if (!absl::IsNotFound(failure) || joined_again_) return failure;
  CAIRN_RETURN_IF_ERROR(JoinAgain(connection_));
  joined_again_ = true;
  return absl::OkStatus();
}

absl::Status Pusher::Prepare() {
  CAIRN_ASSIGN_OR_RETURN(*header_.mutable_sha256(), Digest(connection_, update_.safetensors));
  return wire::CheckPushHeader(header_, limits::kPayloadBytesMax);
}

absl::StatusOr<v1::Receipt> Pusher::Attempt() {
  const std::shared_ptr<Link> placed = at_home_ ? nullptr : FindPlace(connection_, header_.payload_bytes());
  if (placed != nullptr) {
    absl::StatusOr<v1::Receipt> receipt = AttemptAt(*placed);
    if (!MayBeOfItsOwn(receipt.status().code())) return receipt;
  }
  absl::StatusOr<v1::Receipt> receipt = AttemptAt(connection_);
  if (MayBeOfItsOwn(receipt.status().code())) at_home_ = false;  // Another may have room: it is asked again.
  return receipt;
}

absl::StatusOr<v1::Receipt> Pusher::AttemptAt(Link& link) {
  CAIRN_ASSIGN_OR_RETURN(const v1::ResumePointReply resume, ResumePoint(link));
  if (resume.has_receipt()) return resume.receipt();
  at_home_ = &link == &connection_;
  header_.set_offset(resume.offset());
  progress_.Reached(resume.offset());
  RawStream stream(connection_, link, kMethod);
  Send(stream);
  return ReadReceipt(stream);
}

absl::StatusOr<v1::ResumePointReply> Pusher::ResumePoint(Link& link) {
  v1::ResumePointRequest request;
  request.set_federation(header_.federation());
  request.set_round(header_.round());
  request.set_client(header_.client());
  request.set_sha256(header_.sha256());
  request.set_payload_bytes(header_.payload_bytes());
  CAIRN_ASSIGN_OR_RETURN(v1::ResumePointReply reply, AskResumePoint(connection_, link, request));
  if (reply.offset() > header_.payload_bytes()) {
    return absl::InternalError(
        absl::StrFormat("the server wants to resume at byte %d of %d", reply.offset(), header_.payload_bytes()));
  }
  return reply;
}

// Stops early when the stream is over; the server's answer says why.
void Pusher::Send(RawStream& stream) {
  if (!stream.Write(wire::ControlFrame(wire::FrameKind::kHeader, header_.SerializeAsString()))) return;
  for (std::size_t at = header_.offset(); at < update_.safetensors.size();) {
    const absl::string_view chunk = update_.safetensors.substr(at, limits::kChunkBytes);
    if (!stream.Write(OwnedChunk(chunk, update_.owner))) return;
    at += chunk.size();
    progress_.Reached(at);
  }
  v1::PushTrailer trailer;
  trailer.set_sha256(header_.sha256());
  if (stream.Write(wire::ControlFrame(wire::FrameKind::kTrailer, trailer.SerializeAsString()))) stream.WritesDone();
}

absl::StatusOr<v1::Receipt> Pusher::ReadReceipt(RawStream& stream) {
  grpc::ByteBuffer message;
  const bool answered = stream.Read(&message);
  CAIRN_RETURN_IF_ERROR(stream.Finish());
  if (!answered) return absl::DataLossError("the server ended the stream without a receipt");
  v1::Receipt receipt;
  if (!grpc::SerializationTraits<v1::Receipt>::Deserialize(&message, &receipt).ok()) {
    return absl::InternalError("the server's receipt is not a cairn.v1.Receipt");
  }
  return receipt;
}

absl::StatusOr<Receipt> Pusher::Accept(const v1::Receipt& receipt) {
  if (receipt.sha256() != header_.sha256()) {
    return retry_.Final(absl::InternalError(
        absl::StrFormat("the server's receipt is for sha256 %s; pushed %s", receipt.sha256(), header_.sha256())));
  }
  progress_.Reached(header_.payload_bytes());
  return Receipt{receipt.sha256(), receipt.payload_bytes(), absl::FromUnixMillis(receipt.received_unix_ms())};
}

}  // namespace

absl::StatusOr<Receipt> PushUpdate(Connection& connection, const Round& round, const Update& update,
                                   const ProgressCallback& progress) {
  return Pusher(connection, round, update, progress).Run();
}

}  // namespace cairn::sdk
