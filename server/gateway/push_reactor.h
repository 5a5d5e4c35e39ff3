// One Push stream: header, admission, memory, chunks, trailer, durability, receipt. At any moment exactly one thing
// drives it: a read, or an operation elsewhere that ends in a continuation here; so Finish is called once. A read that
// was started ahead may come back after that, and is ignored.
#pragma once

#include <grpcpp/support/byte_buffer.h>
#include <grpcpp/support/server_callback.h>

#include <memory>
#include <mutex>
#include <string>

#include "absl/status/status.h"
#include "absl/time/time.h"
#include "aggregators/aggregator.h"
#include "base/digest.h"
#include "proto/cairn/v1/federation.pb.h"
#include "server/gateway/context.h"
#include "server/gateway/upload_check.h"
#include "wire/frame.h"

namespace cairn {

class PushReactor final : public grpc::ServerReadReactor<grpc::ByteBuffer> {
 public:
  PushReactor(const GatewayContext& gateway, grpc::CallbackServerContext* context, grpc::ByteBuffer* response);

  void OnReadDone(bool ok) override;
  void OnCancel() override;
  void OnDone() override;

 private:
  enum class Phase { kHeader, kAdmitting, kOpening, kChunks, kSealing, kFinished };

  // Why an upload ends without a receipt.
  struct Refusal {
    absl::Status status;
    absl::string_view reason;  // Of a fixed set: a metric's label.
    bool keep = false;         // What has arrived may be continued.
  };

  // Each is called with mutex_ held.
  void TakeHeader(const grpc::ByteBuffer& message);
  absl::Status ParseHeader(const grpc::ByteBuffer& message);
  absl::string_view ReasonOfHeader(const absl::Status& status) const;
  void OnAdmission(absl::StatusOr<Admission> admission);
  absl::Status PrepareCheck(const Admission& admission);
  void TakeFrame(const grpc::ByteBuffer& message);
  bool TakeChunk(const wire::ReceivedFrame& frame);
  absl::Status CheckDigest(const v1::PushTrailer& trailer, const std::string& sha256) const;
  void TakeTrailer(const wire::ReceivedFrame& frame);
  void OnReceipt(absl::StatusOr<ReceiptRow> receipt);
  void ReportProgress(bool force);
  void Accept(const ReceiptRow& receipt);
  void Refuse(Refusal refusal);
  static Refusal Cancelled();

  // Called on a worker, without mutex_: they wait for the disk, and OnCancel and OnReadDone run on gRPC's threads,
  // which must not wait with them. While they run, in kOpening, which begins with the wait for room, and
  // in kSealing, nobody else looks at the upload.
  void Opened(absl::StatusOr<std::unique_ptr<Upload>> upload);
  Refusal Resume(std::unique_ptr<Upload> upload);  // OK: go on.
  absl::Status ContinueDigest();
  void Seal(const std::string& sha256);
  absl::StatusOr<std::string> FrozenParts(const PeftConfig& config, const std::string& sha256) const;

  // Runs `step` on the thread that calls the returned function, with mutex_ held.
  template <typename Step>
  auto Locked(Step step);

  const GatewayContext& gateway_;
  grpc::CallbackServerContext* context_;
  grpc::ByteBuffer* response_;
  StreamWatch::Id watch_id_;

  std::mutex mutex_;
  Phase phase_ = Phase::kHeader;
  bool cancelled_ = false;
  bool in_flight_ = false;         // Counted in the metrics.
  bool federation_known_ = false;  // Before, its name is a client's text, which must not become a metric's label.
  grpc::ByteBuffer buffer_;
  v1::PushHeader header_;
  UploadKey key_;
  Store::Ticket ticket_ = 0;
  std::unique_ptr<Upload> upload_;
  std::shared_ptr<Aggregator> combine_;  // The federation's rule, for this update alone.
  std::unique_ptr<UploadCheck> check_;
  Sha256 sha_;
  std::uint64_t position_ = 0;  // In the payload: of the next byte to come.
  absl::Time last_report_ = absl::InfinitePast();
  absl::Time begun_;        // When the first chunk could come.
  absl::Duration written_;  // Of that, spent in Append.
};

}  // namespace cairn
