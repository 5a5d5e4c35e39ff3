#include "client/sdk/testing_streams.h"

#include <algorithm>
#include <atomic>
#include <memory>
#include <mutex>

#include "base/digest.h"
#include "base/limits.h"
#include "wire/frame.h"

namespace cairn::sdk {
namespace {

template <typename Fault>
Fault Next(std::deque<Fault>& faults) {
  if (faults.empty()) return {};
  Fault fault = faults.front();
  faults.pop_front();
  return fault;
}

// gRPC calls a reactor from one thread after another and orders the calls itself, but with locks that ThreadSanitizer
// cannot see; each reactor's mutex only repeats that order for it.

class PushReactor final : public grpc::ServerReadReactor<grpc::ByteBuffer> {
 public:
  PushReactor(TestingServer& server, grpc::ByteBuffer* response) : server_(server), response_(response) {
    std::lock_guard lock(mutex_);
    fault_ = server_.With([](TestingState& state) { return Next(state.push_faults); });
    StartRead(&message_);
  }

  void OnReadDone(bool ok) override {
    std::lock_guard lock(mutex_);
    if (!ok) return End({grpc::StatusCode::DATA_LOSS, "the upload ended before its trailer"});
    const auto frame = wire::ReceivedFrame::Parse(message_);
    if (!frame.ok()) return End({grpc::StatusCode::INVALID_ARGUMENT, std::string(frame.status().message())});
    std::optional<grpc::Status> answer = Take(*frame);
    if (answer) return End(*answer);
    if (!fault_.silent) StartRead(&message_);
  }
  void OnCancel() override { End(grpc::Status::CANCELLED); }
  void OnDone() override {
    { std::lock_guard lock(mutex_); }
    delete this;
  }

 private:
  std::optional<grpc::Status> Take(const wire::ReceivedFrame& frame) {
    const auto payload = frame.Payload();
    if (!payload.ok()) return grpc::Status(grpc::StatusCode::DATA_LOSS, std::string(payload.status().message()));
    return server_.With([&](TestingState& state) {
      switch (frame.prefix().kind) {
        case wire::FrameKind::kHeader:
          return TakeHeader(state, *payload);
        case wire::FrameKind::kChunk:
          return TakeChunk(state, *payload);
        default:
          return TakeTrailer(state, *payload);
      }
    });
  }

  std::optional<grpc::Status> TakeHeader(TestingState& state, const std::string& payload) {
    header_.ParseFromString(payload);
    state.push_offsets.push_back(header_.offset());
    if (!state.knows_client) return grpc::Status(grpc::StatusCode::NOT_FOUND, "client: unknown");
    if (!fault_.answer_at_header.ok()) return fault_.answer_at_header;
    if (fault_.receipt_at_header) return Acknowledge(state);
    return std::nullopt;
  }

  std::optional<grpc::Status> TakeChunk(TestingState& state, const std::string& payload) {
    std::string& held = state.uploads[header_.sha256()];
    held += payload;
    if (!fault_.break_at || held.size() < *fault_.break_at) return std::nullopt;
    held.resize(*fault_.break_at);
    return grpc::Status(grpc::StatusCode::UNAVAILABLE, "scripted break");
  }

  std::optional<grpc::Status> TakeTrailer(TestingState& state, const std::string& payload) {
    v1::PushTrailer trailer;
    trailer.ParseFromString(payload);
    if (Sha256Hex(state.uploads[header_.sha256()]) != trailer.sha256()) {
      return grpc::Status(grpc::StatusCode::INVALID_ARGUMENT, "the upload's bytes do not have its sha256");
    }
    const grpc::Status answer = Acknowledge(state);
    return fault_.lose_receipt ? grpc::Status(grpc::StatusCode::UNAVAILABLE, "scripted loss of the receipt") : answer;
  }

  grpc::Status Acknowledge(TestingState& state) {
    v1::Receipt receipt;
    receipt.set_sha256(header_.sha256());
    receipt.set_payload_bytes(header_.payload_bytes());
    receipt.set_received_unix_ms(1'700'000'000'000);
    state.receipts[header_.sha256()] = receipt;
    const grpc::Slice slice(receipt.SerializeAsString());
    *response_ = grpc::ByteBuffer(&slice, 1);
    return grpc::Status::OK;
  }

  void End(const grpc::Status& status) {
    if (!ended_.exchange(true)) Finish(status);
  }

  std::mutex mutex_;
  TestingServer& server_;
  grpc::ByteBuffer* const response_;
  PushFault fault_;
  grpc::ByteBuffer message_;
  v1::PushHeader header_;
  std::atomic<bool> ended_ = false;
};

class PullReactor final : public grpc::ServerWriteReactor<grpc::ByteBuffer> {
 public:
  PullReactor(TestingServer& server, const grpc::ByteBuffer& request) : server_(server) {
    std::lock_guard lock(mutex_);
    v1::PullRequest parsed;
    grpc::ByteBuffer copy = request;
    const bool readable = grpc::SerializationTraits<v1::PullRequest>::Deserialize(&copy, &parsed).ok();
    const grpc::Status status = server_.With([&](TestingState& state) { return Begin(state, parsed); });
    if (!readable || !status.ok()) {
      Finish(status);
    } else {
      StartWrite(&message_);
    }
  }

  void OnWriteDone(bool ok) override {
    std::lock_guard lock(mutex_);
    if (!ok) return Finish(grpc::Status::CANCELLED);
    if (fault_.break_at && at_ >= *fault_.break_at) {
      return Finish({grpc::StatusCode::UNAVAILABLE, "scripted break"});
    }
    if (trailer_sent_) return Finish(grpc::Status::OK);
    at_ < payload_.size() ? WriteChunk() : WriteTrailer();
  }
  void OnDone() override {
    { std::lock_guard lock(mutex_); }
    delete this;
  }

 private:
  grpc::Status Begin(TestingState& state, const v1::PullRequest& request) {
    state.pull_offsets.push_back(request.offset());
    state.pull_forms.push_back(request.form());
    if (request.version() > state.published_version) {
      return {grpc::StatusCode::NOT_FOUND, "version: not published"};
    }
    fault_ = Next(state.pull_faults);
    payload_ = state.published;
    at_ = request.offset();
    header_.set_version(state.published_version);
    header_.set_adapter_config(state.adapter_config);
    header_.set_payload_bytes(payload_.size());
    header_.set_sha256(Sha256Hex(payload_));
    if (fault_.wrong_bytes) payload_.back() ^= 1;
    message_ = wire::ControlFrame(wire::FrameKind::kHeader, header_.SerializeAsString());
    return grpc::Status::OK;
  }

  void WriteChunk() {
    std::size_t bytes = std::min(limits::kChunkBytes, payload_.size() - at_);
    if (fault_.break_at) bytes = std::min<std::size_t>(bytes, *fault_.break_at - at_);
    const auto chunk = std::make_shared<const std::string>(payload_, at_, bytes);
    message_ = wire::ChunkFrame(*chunk, [chunk] {});  // gRPC may hold it for longer than this object lives.
    if (fault_.flipped_bit) message_ = FlipLastBit(message_);
    at_ += bytes;
    StartWrite(&message_);
  }

  static grpc::ByteBuffer FlipLastBit(const grpc::ByteBuffer& message) {
    grpc::Slice whole;
    (void)message.DumpToSingleSlice(&whole);
    std::string bytes(reinterpret_cast<const char*>(whole.begin()), whole.size());
    bytes.back() ^= 1;
    const grpc::Slice slice(bytes);
    return grpc::ByteBuffer(&slice, 1);
  }

  void WriteTrailer() {
    v1::PullTrailer trailer;
    trailer.set_sha256(header_.sha256());
    message_ = wire::ControlFrame(wire::FrameKind::kTrailer, trailer.SerializeAsString());
    trailer_sent_ = true;
    StartWrite(&message_);
  }

  std::mutex mutex_;
  TestingServer& server_;
  PullFault fault_;
  std::string payload_;
  std::size_t at_ = 0;
  v1::PullHeader header_;
  bool trailer_sent_ = false;
  grpc::ByteBuffer message_;
};

}  // namespace

grpc::ServerReadReactor<grpc::ByteBuffer>* NewPushReactor(TestingServer& server, grpc::ByteBuffer* response) {
  return new PushReactor(server, response);
}

grpc::ServerWriteReactor<grpc::ByteBuffer>* NewPullReactor(TestingServer& server, const grpc::ByteBuffer& request) {
  return new PullReactor(server, request);
}

}  // namespace cairn::sdk
