// One Pull stream: header, chunks straight from the mapped file, trailer.
#pragma once

#include <grpcpp/support/byte_buffer.h>
#include <grpcpp/support/server_callback.h>

#include <memory>
#include <mutex>
#include <optional>

#include "absl/status/status.h"
#include "absl/strings/string_view.h"
#include "base/files.h"
#include "proto/cairn/v1/federation.pb.h"
#include "server/gateway/chunk_frames.h"
#include "server/gateway/context.h"

namespace cairn {

class PullReactor final : public grpc::ServerWriteReactor<grpc::ByteBuffer> {
 public:
  PullReactor(const GatewayContext& gateway, grpc::CallbackServerContext* context, const grpc::ByteBuffer* request);

  void OnWriteDone(bool ok) override;
  void OnDone() override;

 private:
  enum class Phase { kOpening, kChunks, kTrailer, kFinished };

  // Each is called with mutex_ held.
  void Open(absl::StatusOr<VersionFile> version);
  absl::Status CheckVersion(const absl::StatusOr<VersionFile>& version);
  void Send(const grpc::ByteBuffer& message);
  void SendHeader();
  void SendNext();
  void End(const absl::Status& status);

  const GatewayContext& gateway_;
  StreamWatch::Id watch_id_;

  std::mutex mutex_;
  Phase phase_ = Phase::kOpening;
  v1::PullRequest request_;
  VersionFile version_;
  std::shared_ptr<const MappedFile> file_;
  absl::string_view rest_;  // Of the file: what is not sent yet.
  std::optional<ChunkFrames> chunks_;
  grpc::ByteBuffer message_;
};

}  // namespace cairn
