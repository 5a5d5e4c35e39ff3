#include "client/sdk/pull.h"

#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "adapter/directory.h"
#include "base/files.h"
#include "base/limits.h"
#include "base/status_macros.h"
#include "client/sdk/directory_swap.h"
#include "client/sdk/partial_file.h"
#include "client/sdk/progress.h"
#include "client/sdk/raw_stream.h"
#include "client/sdk/retry_loop.h"
#include "client/sdk/status.h"
#include "wire/frame.h"

namespace cairn::sdk {
namespace {

constexpr char kMethod[] = "/cairn.v1.Federation/Pull";
// A whole download with a wrong digest although every chunk's checksum was right: once may be bad luck, twice is the
// server's copy.
constexpr int kWrongDigestsMax = 2;

std::string Doing(const Connection& connection, std::uint64_t version) {
  return absl::StrCat("pull ", version == 0 ? "the latest version" : absl::StrCat("version ", version), " of ",
                      connection.options.federation);
}

grpc::ByteBuffer Serialized(const v1::PullRequest& request) {
  const grpc::Slice slice(request.SerializeAsString());
  return grpc::ByteBuffer(&slice, 1);
}

class Puller {
 public:
  Puller(Connection& connection, std::uint64_t version, Form form, DirectorySwap swap, PartialFile file,
         const ProgressCallback& callback)
      : connection_(connection),
        swap_(std::move(swap)),
        file_(std::move(file)),
        callback_(callback),
        retry_(connection, Doing(connection, version)) {
    request_.set_federation(connection.options.federation);
    request_.set_version(version);
    request_.set_form(form == Form::kDelta ? v1::PullRequest::FORM_DELTA : v1::PullRequest::FORM_ADAPTER);
  }

  absl::StatusOr<std::uint64_t> Run();

 private:
  absl::Status Attempt();
  absl::Status Receive(RawStream& stream);
  absl::StatusOr<wire::ReceivedFrame> NextFrame(RawStream& stream, wire::FrameKind kind);
  absl::Status TakeHeader(const wire::ReceivedFrame& frame);
  absl::Status TakeChunk(const wire::ReceivedFrame& frame);
  absl::Status Verify(const wire::ReceivedFrame& trailer);
  absl::Status WrongDigest(const std::string& got);
  absl::Status Commit();
  // An error of this machine, which trying again will not mend, whatever its code.
  absl::Status Local(absl::Status status);

  Connection& connection_;
  DirectorySwap swap_;
  PartialFile file_;
  const ProgressCallback& callback_;
  RetryLoop retry_;
  v1::PullRequest request_;
  std::optional<v1::PullHeader> header_;  // Of the first attempt that got one; later attempts must continue it.
  std::optional<TransferProgress> progress_;
  std::vector<char> chunk_ = std::vector<char>(limits::kChunkBytes);
  int wrong_digests_ = 0;
  bool final_ = false;
};

absl::StatusOr<std::uint64_t> Puller::Run() {
  while (true) {
    const absl::Status status = Attempt();
    if (status.ok()) break;
    if (final_) return retry_.Final(status);
    CAIRN_RETURN_IF_ERROR(retry_.PauseAfter(status));
  }
  CAIRN_RETURN_IF_ERROR(retry_.Final(Commit()));
  return header_->version();
}

absl::Status Puller::Attempt() {
  CAIRN_RETURN_IF_ERROR(connection_.cancellation.Check());
  request_.set_offset(file_.size());
  RawStream stream(connection_, kMethod);
  if (stream.Write(Serialized(request_))) stream.WritesDone();
  return Receive(stream);
}

absl::Status Puller::Receive(RawStream& stream) {
  CAIRN_ASSIGN_OR_RETURN(const wire::ReceivedFrame header, NextFrame(stream, wire::FrameKind::kHeader));
  CAIRN_RETURN_IF_ERROR(TakeHeader(header));
  while (file_.size() < header_->payload_bytes()) {
    CAIRN_ASSIGN_OR_RETURN(const wire::ReceivedFrame chunk, NextFrame(stream, wire::FrameKind::kChunk));
    CAIRN_RETURN_IF_ERROR(TakeChunk(chunk));
  }
  CAIRN_ASSIGN_OR_RETURN(const wire::ReceivedFrame trailer, NextFrame(stream, wire::FrameKind::kTrailer));
  return Verify(trailer);
}

absl::StatusOr<wire::ReceivedFrame> Puller::NextFrame(RawStream& stream, wire::FrameKind kind) {
  grpc::ByteBuffer message;
  if (!stream.Read(&message)) {
    CAIRN_RETURN_IF_ERROR(stream.Finish());
    return absl::DataLossError(absl::StrCat("the stream ended before its ", wire::FrameKindName(kind)));
  }
  absl::StatusOr<wire::ReceivedFrame> frame = wire::ReceivedFrame::Parse(message);
  if (!frame.ok()) return absl::DataLossError(frame.status().message());
  if (frame->prefix().kind != kind) {
    return absl::DataLossError(absl::StrFormat("a %s frame at byte %d; expected a %s",
                                               wire::FrameKindName(frame->prefix().kind), file_.size(),
                                               wire::FrameKindName(kind)));
  }
  return frame;
}

absl::Status Puller::TakeHeader(const wire::ReceivedFrame& frame) {
  CAIRN_ASSIGN_OR_RETURN(const std::string payload, frame.Payload());
  v1::PullHeader header;
  if (!header.ParseFromString(payload)) return absl::DataLossError("the header frame is not a cairn.v1.PullHeader");
  if (!IsSha256Hex(header.sha256()) || header.payload_bytes() > limits::kPayloadBytesMax) {
    return absl::DataLossError("the header's sha256 or payload_bytes cannot be");
  }
  if (header_ && header_->SerializeAsString() != header.SerializeAsString()) {
    return Local(absl::AbortedError("what the server publishes as this version changed during the download"));
  }
  if (!header_) progress_.emplace(header.payload_bytes(), callback_, retry_);
  request_.set_version(header.version());  // "The latest" must stay the same one over all attempts.
  header_ = std::move(header);
  return absl::OkStatus();
}

absl::Status Puller::TakeChunk(const wire::ReceivedFrame& frame) {
  const std::size_t bytes = frame.prefix().payload_bytes;
  if (bytes > header_->payload_bytes() - file_.size()) {
    return absl::DataLossError(absl::StrFormat("a chunk of %d bytes at byte %d goes beyond the announced %d", bytes,
                                               file_.size(), header_->payload_bytes()));
  }
  CAIRN_RETURN_IF_ERROR(frame.CopyPayload(chunk_.data()));
  CAIRN_RETURN_IF_ERROR(Local(file_.Append({chunk_.data(), bytes})));
  progress_->Reached(file_.size());
  return absl::OkStatus();
}

absl::Status Puller::Verify(const wire::ReceivedFrame& frame) {
  CAIRN_ASSIGN_OR_RETURN(const std::string payload, frame.Payload());
  v1::PullTrailer trailer;
  if (!trailer.ParseFromString(payload)) return absl::DataLossError("the trailer frame is not a cairn.v1.PullTrailer");
  const absl::StatusOr<std::string> got = file_.Finish();
  if (!got.ok()) return Local(got.status());
  if (*got != header_->sha256() || trailer.sha256() != header_->sha256()) return WrongDigest(*got);
  return absl::OkStatus();
}

absl::Status Puller::WrongDigest(const std::string& got) {
  final_ = ++wrong_digests_ == kWrongDigestsMax;
  CAIRN_RETURN_IF_ERROR(Local(file_.Restart()));
  return absl::DataLossError(absl::StrFormat("version %d: sha256 of the received bytes is %s; the server announced %s",
                                             header_->version(), got, header_->sha256()));
}

absl::Status Puller::Commit() {
  CAIRN_RETURN_IF_ERROR(WriteFileAtomically(swap_.staging() / kAdapterConfigFile, header_->adapter_config()));
  return swap_.Commit();
}

absl::Status Puller::Local(absl::Status status) {
  final_ = final_ || !status.ok();
  return status;
}

}  // namespace

std::optional<Form> StartFormOf(const Round& round, absl::string_view merged) {
  if (round.start == StartMode::kWarm) merged = "";  // Nothing is ever merged.
  if (round.version == 0) return merged.empty() ? std::nullopt : std::optional(Form::kBase);
  if (round.start == StartMode::kWarm || round.version_sha256.empty()) return Form::kAdapter;
  if (round.start == StartMode::kMerge && merged == round.version_sha256) return std::nullopt;
  // Empty is the pristine base, which is what comes before version 1 only.
  const bool next = merged == round.previous_sha256 && merged.empty() == (round.version == 1);
  return next ? Form::kDelta : Form::kAdapter;
}

absl::StatusOr<std::uint64_t> PullVersion(Connection& connection, std::uint64_t version, Form form,
                                          const std::filesystem::path& directory, const ProgressCallback& progress) {
  const std::string doing = Doing(connection, version);
  absl::StatusOr<DirectorySwap> swap = DirectorySwap::Begin(directory);
  if (!swap.ok()) return Annotate(swap.status(), doing);
  absl::StatusOr<PartialFile> file = PartialFile::Create(swap->staging() / kAdapterModelFile);
  if (!file.ok()) return Annotate(file.status(), doing);
  return Puller(connection, version, form, *std::move(swap), *std::move(file), progress).Run();
}

}  // namespace cairn::sdk
