#include "server/gateway/push_reactor.h"

#include <spdlog/spdlog.h>

#include <algorithm>
#include <utility>
#include <vector>

#include "absl/strings/escaping.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"
#include "aggregators/registry.h"
#include "base/failpoint.h"
#include "base/limits.h"
#include "base/lost_pages.h"
#include "base/status_macros.h"
#include "server/gateway/convert.h"
#include "server/gateway/credentials.h"
#include "server/root/update.h"
#include "wire/push_header.h"

namespace cairn {
namespace {

constexpr absl::Duration kProgressInterval = absl::Milliseconds(200);

absl::string_view ReasonOfAdmission(const absl::Status& status) {
  switch (status.code()) {
    case absl::StatusCode::kNotFound:
      return "unknown";
    case absl::StatusCode::kFailedPrecondition:
      return "closed";
    case absl::StatusCode::kAlreadyExists:
      return "duplicate";
    case absl::StatusCode::kInvalidArgument:
      return "shape";
    case absl::StatusCode::kResourceExhausted:
      return "limit";
    default:
      return "unavailable";
  }
}

// Another stream of the same client is no fault of the storage.
absl::string_view ReasonOfBegin(const absl::Status& status) { return absl::IsAborted(status) ? "busy" : "storage"; }

// "client "c1", round 4: ", unless the message names the client itself.
std::string Whose(const std::string& client, std::uint64_t round, absl::string_view message) {
  const std::string name = absl::StrCat("client \"", client, "\"");
  return absl::StrCat(absl::StartsWith(message, name) ? "" : name + ", ", "round ", round, ": ");
}

// Whether an answer to CheckUpload says so.
bool FederationExists(const absl::Status& admission) {
  return admission.ok() || absl::IsFailedPrecondition(admission) || absl::IsAlreadyExists(admission);
}

// Removes the first `bytes` from the front of the slices.
void DropFront(std::vector<absl::string_view>& slices, std::uint64_t bytes) {
  for (absl::string_view& slice : slices) {
    const std::size_t dropped = std::min<std::uint64_t>(slice.size(), bytes);
    slice.remove_prefix(dropped);
    bytes -= dropped;
  }
}

}  // namespace

PushReactor::PushReactor(const GatewayContext& gateway, grpc::CallbackServerContext* context,
                         grpc::ByteBuffer* response)
    : gateway_(gateway), context_(context), response_(response) {
  watch_id_ = gateway_.watch->Add([context] { context->TryCancel(); });
  std::lock_guard lock(mutex_);
  StartRead(&buffer_);
}

template <typename Step>
auto PushReactor::Locked(Step step) {
  return [this, step = std::move(step)](auto&&... args) mutable {
    std::lock_guard lock(mutex_);
    step(std::forward<decltype(args)>(args)...);
  };
}

void PushReactor::OnReadDone(bool ok) {
  std::lock_guard lock(mutex_);
  if (phase_ == Phase::kFinished || phase_ == Phase::kSealing) return;
  gateway_.watch->Touch(watch_id_);
  if (!ok) {
    const absl::Status broken =
        cancelled_
            ? absl::CancelledError("the stream was cancelled")
            : absl::DataLossError(absl::StrCat("the stream ended after ", position_, " of ", key_.bytes, " bytes"));
    return Refuse({broken, cancelled_ ? "cancelled" : "truncated", true});
  }
  grpc::ByteBuffer message;
  message.Swap(&buffer_);
  if (phase_ == Phase::kHeader) return TakeHeader(message);
  StartRead(&buffer_);  // The next chunk arrives while this one is looked at.
  TakeFrame(message);
}

void PushReactor::OnCancel() {
  std::lock_guard lock(mutex_);
  cancelled_ = true;
  // Elsewhere the operation in progress comes back and finds out.
  if (phase_ == Phase::kOpening && gateway_.store->Cancel(ticket_)) Refuse(Cancelled());
}

PushReactor::Refusal PushReactor::Cancelled() {
  return {absl::CancelledError("the stream was cancelled"), "cancelled", true};
}

void PushReactor::OnDone() {
  gateway_.watch->Remove(watch_id_);
  { std::lock_guard lock(mutex_); }  // Whoever called Finish has let go.
  delete this;
}

absl::Status PushReactor::ParseHeader(const grpc::ByteBuffer& message) {
  CAIRN_ASSIGN_OR_RETURN(wire::ReceivedFrame frame, wire::ReceivedFrame::Parse(message));
  if (frame.prefix().kind != wire::FrameKind::kHeader) {
    return absl::InvalidArgumentError(
        absl::StrCat("expected a header frame first, got a ", wire::FrameKindName(frame.prefix().kind), " frame"));
  }
  CAIRN_ASSIGN_OR_RETURN(std::string bytes, frame.Payload());
  if (!header_.ParseFromString(bytes)) return absl::InvalidArgumentError("push header: not a PushHeader message");
  key_ = KeyOf(header_);
  CAIRN_RETURN_IF_ERROR(wire::CheckPushHeader(header_, gateway_.upload_bytes_max));
  if (header_.examples() > static_cast<std::uint64_t>(kExamplesMax)) {
    return absl::InvalidArgumentError(absl::StrCat("push header: examples ", header_.examples(), "; expected at most ",
                                                   static_cast<std::uint64_t>(kExamplesMax),
                                                   ". Was it a negative number?"));
  }
  return CheckIdentity(*context_, gateway_.mutual_tls, key_.client);
}

absl::string_view PushReactor::ReasonOfHeader(const absl::Status& status) const {
  if (!absl::IsInvalidArgument(status) || key_.client.empty()) return "header";
  if (header_.payload_bytes() > gateway_.upload_bytes_max) return "oversize";
  if (header_.examples() == 0 || header_.examples() > static_cast<std::uint64_t>(kExamplesMax)) return "weight";
  return "header";
}

void PushReactor::TakeHeader(const grpc::ByteBuffer& message) {
  CAIRN_FAILPOINT("gateway.before_header").IgnoreError();
  if (absl::Status status = ParseHeader(message); !status.ok()) {
    return Refuse({status, ReasonOfHeader(status)});
  }
  phase_ = Phase::kAdmitting;
  gateway_.watch->Pause(watch_id_);
  gateway_.root->CheckUpload(key_, [this](absl::StatusOr<Admission> admission) {
    gateway_.workers->Run(Locked([this, admission = std::move(admission)] { OnAdmission(admission); }));
  });
}

void PushReactor::OnAdmission(absl::StatusOr<Admission> admission) {
  federation_known_ = FederationExists(admission.status());
  if (!admission.ok()) return Refuse({admission.status(), ReasonOfAdmission(admission.status())});
  if (admission->receipt) return Accept(*admission->receipt);
  if (absl::Status status = PrepareCheck(*admission); !status.ok()) return Refuse({status, "format"});
  if (gateway_.store->Reservation(key_.bytes) > gateway_.store->budget().capacity()) {
    return Refuse(
        {absl::InvalidArgumentError(absl::StrCat("upload of ", key_.bytes, " bytes: this server holds at most ",
                                                 gateway_.store->budget().capacity(), " in memory")),
         "oversize"});
  }
  // OnCancel has been and will not come again: nobody would end the wait.
  if (cancelled_) return Refuse(Cancelled());
  phase_ = Phase::kOpening;
  ticket_ = gateway_.store->Begin(key_, gateway_.workers, [this](auto upload) { Opened(std::move(upload)); });
}

absl::Status PushReactor::PrepareCheck(const Admission& admission) {
  CAIRN_ASSIGN_OR_RETURN(combine_, MakeAggregator(admission.combine));
  CAIRN_ASSIGN_OR_RETURN(PeftConfig config, ParseUpdateConfig(header_.adapter_config(), *combine_));
  check_ = std::make_unique<UploadCheck>(
      std::move(config), admission.spec, key_.bytes,
      [combine = combine_, client = key_.client, examples = header_.examples()](const Adapter& shape) {
        return combine->AccumulateShape({client, static_cast<double>(examples), &shape, ""});
      });
  return absl::OkStatus();
}

void PushReactor::Opened(absl::StatusOr<std::unique_ptr<Upload>> upload) {
  Refusal refusal = upload.ok() ? Resume(*std::move(upload)) : Refusal{upload.status(), ReasonOfBegin(upload.status())};
  std::lock_guard lock(mutex_);
  if (!refusal.status.ok()) return Refuse(std::move(refusal));
  if (cancelled_) return Refuse(Cancelled());
  position_ = header_.offset();
  ReportProgress(true);
  CAIRN_FAILPOINT("gateway.after_header").IgnoreError();
  phase_ = Phase::kChunks;
  begun_ = absl::Now();
  gateway_.watch->Touch(watch_id_);
  StartRead(&buffer_);
}

PushReactor::Refusal PushReactor::Resume(std::unique_ptr<Upload> upload) {
  upload_ = std::move(upload);
  in_flight_ = true;
  gateway_.metrics->InFlight(key_.federation, 1);
  if (header_.offset() > upload_->received()) {
    return {absl::AbortedError(absl::StrCat("offset ", header_.offset(), ": only ", upload_->received(),
                                            " bytes are here; ask ResumePoint")),
            "resume", true};
  }
  return {ContinueDigest(), "storage"};
}

absl::Status PushReactor::ContinueDigest() {
  absl::Status checked;
  absl::Status read = upload_->ReadBack([&](absl::string_view bytes) {
    if (gateway_.verify_sha256) sha_.Update(bytes);
    checked.Update(check_->Feed(bytes));
  });
  CAIRN_RETURN_IF_ERROR(read);
  if (checked.ok()) return absl::OkStatus();
  // It was looked at when it came: the disk has changed it since, and the client is asked for it again.
  return absl::DataLossError(
      absl::StrCat("what is here of this upload is not what came; send it again: ", checked.message()));
}

void PushReactor::TakeFrame(const grpc::ByteBuffer& message) {
  auto frame = wire::ReceivedFrame::Parse(message);
  if (!frame.ok()) return Refuse({frame.status(), "format", true});
  switch (frame->prefix().kind) {
    case wire::FrameKind::kChunk:
      if (TakeChunk(*frame)) ReportProgress(false);
      return;
    case wire::FrameKind::kTrailer:
      return TakeTrailer(*frame);
    case wire::FrameKind::kHeader:
      return Refuse({absl::InvalidArgumentError("a second header frame"), "format"});
  }
}

bool PushReactor::TakeChunk(const wire::ReceivedFrame& frame) {
  CAIRN_FAILPOINT("gateway.before_chunk").IgnoreError();
  const std::uint64_t bytes = frame.prefix().payload_bytes;
  gateway_.metrics->BytesReceived(key_.federation, bytes);
  auto refuse = [&](absl::Status status, absl::string_view reason, bool keep) {
    Refuse({std::move(status), reason, keep});
    return false;
  };
  if (absl::Status status = frame.VerifyChecksum(); !status.ok()) return refuse(status, "checksum", true);
  if (bytes > key_.bytes - position_) {
    return refuse(absl::InvalidArgumentError(absl::StrCat("more than the ", key_.bytes, " bytes announced")),
                  "oversize", false);
  }
  std::vector<absl::string_view> slices = frame.slices();
  // A sender that begins further back than it needs to sends again what is here.
  if (position_ < upload_->received()) DropFront(slices, upload_->received() - position_);
  position_ += bytes;
  for (absl::string_view slice : slices) {
    if (absl::Status status = check_->Feed(slice); !status.ok()) return refuse(status, check_->reason(), false);
    if (gateway_.verify_sha256) sha_.Update(slice);
  }
  const absl::Time start = absl::Now();
  if (absl::Status status = upload_->Append(slices); !status.ok()) return refuse(status, "storage", true);
  written_ += absl::Now() - start;
  CAIRN_FAILPOINT("gateway.after_chunk").IgnoreError();
  return true;
}

absl::Status PushReactor::CheckDigest(const v1::PushTrailer& trailer, const std::string& sha256) const {
  if (!IsSha256Hex(trailer.sha256())) {
    return absl::InvalidArgumentError("push trailer: sha256 is not 64 lower-case hexadecimal characters");
  }
  if (!key_.sha256.empty() && trailer.sha256() != key_.sha256) {
    return absl::DataLossError(
        absl::StrCat("the header announced sha256 ", key_.sha256, ", the trailer says ", trailer.sha256()));
  }
  if (sha256 == trailer.sha256()) return absl::OkStatus();
  return absl::DataLossError(
      absl::StrCat("sha256 of the received bytes is ", sha256, "; the sender computed ", trailer.sha256()));
}

void PushReactor::TakeTrailer(const wire::ReceivedFrame& frame) {
  v1::PushTrailer trailer;
  auto bytes = frame.Payload();
  if (!bytes.ok() || !trailer.ParseFromString(*bytes)) {
    return Refuse({absl::InvalidArgumentError("push trailer: not a PushTrailer message"), "format", true});
  }
  if (upload_->received() != key_.bytes) {
    return Refuse({absl::DataLossError(
                       absl::StrCat("the trailer came after ", upload_->received(), " of ", key_.bytes, " bytes")),
                   "truncated", true});
  }
  const std::string sha256 = gateway_.verify_sha256 ? ToHex(sha_.Finish()) : trailer.sha256();
  if (absl::Status status = CheckDigest(trailer, sha256); !status.ok()) return Refuse({status, "digest"});
  const auto observe = [this](Metrics::Step step, absl::Duration took) {
    gateway_.metrics->ObserveStep(key_.federation, step, absl::ToDoubleSeconds(took));
  };
  observe(Metrics::Step::kReceive, absl::Now() - begun_);
  observe(Metrics::Step::kWrite, written_);
  phase_ = Phase::kSealing;
  gateway_.watch->Pause(watch_id_);
  gateway_.workers->Run([this, sha256] { Seal(sha256); });
}

void PushReactor::Seal(const std::string& sha256) {
  CAIRN_FAILPOINT("gateway.before_seal").IgnoreError();
  auto shape = check_->Finish();
  const absl::Time start = absl::Now();
  absl::Status sealed = shape.ok() ? gateway_.store->Seal(std::move(upload_), sha256) : absl::OkStatus();
  absl::StatusOr<std::string> frozen = std::string();
  CAIRN_FAILPOINT("gateway.after_seal").IgnoreError();
  if (shape.ok() && sealed.ok() && combine_->HasFrozenParts(**shape)) frozen = FrozenParts((*shape)->config, sha256);
  std::lock_guard lock(mutex_);
  if (!shape.ok()) return Refuse({shape.status(), "format"});
  if (!sealed.ok()) return Refuse({sealed, "storage"});
  gateway_.metrics->ObserveStep(key_.federation, Metrics::Step::kSeal, absl::ToDoubleSeconds(absl::Now() - start));
  key_.sha256 = sha256;
  // Even without the frozen parts: the round may be over, and the federation lets go of bytes that nobody needs.
  SealedUpdate update{key_, header_.examples(), header_.adapter_config(), *std::move(shape), std::move(frozen)};
  gateway_.root->Contribute(std::move(update),
                            Locked([this](absl::StatusOr<ReceiptRow> receipt) { OnReceipt(std::move(receipt)); }));
}

absl::StatusOr<std::string> PushReactor::FrozenParts(const PeftConfig& config, const std::string& sha256) const {
  const LostPagesGuard lost_pages;
  CAIRN_ASSIGN_OR_RETURN(auto blob, gateway_.store->Find(key_.federation, UpdateName(key_.client, sha256)));
  CAIRN_ASSIGN_OR_RETURN(const Adapter adapter, ParseAdapter(blob->bytes(), config));
  std::string frozen = combine_->FrozenParts(adapter);
  CAIRN_RETURN_IF_ERROR(lost_pages.Lost());
  return frozen;
}

void PushReactor::OnReceipt(absl::StatusOr<ReceiptRow> receipt) {
  if (!receipt.ok()) return Refuse({receipt.status(), ReasonOfAdmission(receipt.status())});
  Accept(*receipt);
}

void PushReactor::ReportProgress(bool force) {
  const absl::Time now = absl::Now();
  if (!force && now < last_report_ + kProgressInterval) return;
  last_report_ = now;
  gateway_.root->Progress(key_, upload_->received());
}

void PushReactor::Accept(const ReceiptRow& row) {
  CAIRN_FAILPOINT("gateway.before_acknowledgement").IgnoreError();
  phase_ = Phase::kFinished;
  if (in_flight_) gateway_.metrics->InFlight(key_.federation, -1);
  const grpc::Slice slice(ToProto(row).SerializeAsString());
  *response_ = grpc::ByteBuffer(&slice, 1);
  Finish(grpc::Status::OK);
  CAIRN_FAILPOINT("gateway.after_acknowledgement").IgnoreError();
}

void PushReactor::Refuse(Refusal refusal) {
  phase_ = Phase::kFinished;
  const bool broken_off = refusal.keep;
  if (upload_ != nullptr && !refusal.keep) gateway_.store->Discard(std::move(upload_));
  upload_.reset();
  if (in_flight_) {
    gateway_.metrics->InFlight(key_.federation, -1);
    gateway_.root->UploadEnded(key_, broken_off ? absl::OkStatus() : refusal.status);
  }
  gateway_.metrics->UpdateRejected(federation_known_ ? key_.federation : "", refusal.reason);
  // The header may be what is wrong: its client may be any text.
  const std::string client = absl::CHexEscape(absl::string_view(key_.client).substr(0, limits::kIdBytesMax));
  const absl::Status status(refusal.status.code(), absl::StrCat(Whose(client, key_.round, refusal.status.message()),
                                                                refusal.status.message()));
  spdlog::log(broken_off ? spdlog::level::info : spdlog::level::warn, "{}: upload refused ({}): {}",
              federation_known_ ? key_.federation : "unknown federation", std::string(refusal.reason),
              status.ToString());
  Finish(ToGrpc(status));
}

}  // namespace cairn
