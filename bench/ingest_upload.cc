#include "bench/ingest_upload.h"

#include <utility>

#include "base/limits.h"
#include "base/status_macros.h"
#include "client/sdk/await.h"
#include "client/sdk/channel.h"
#include "client/sdk/control.h"
#include "client/sdk/push.h"
#include "client/sdk/raw_stream.h"
#include "wire/frame.h"

namespace cairn::bench {
namespace {

constexpr char kMethod[] = "/cairn.v1.Federation/Push";
constexpr std::uint64_t kExamples = 100;

v1::PushHeader HeaderOf(const ClientOptions& options, std::uint64_t round, const std::string& adapter_config,
                        const Payload& payload) {
  v1::PushHeader header;
  header.set_federation(options.federation);
  header.set_round(round);
  header.set_client(options.client);
  header.set_examples(kExamples);
  header.set_adapter_config(adapter_config);
  header.set_payload_bytes(payload.bytes().size());
  header.set_sha256(payload.sha256());
  return header;
}

// False when the stream is over before its time.
bool WriteChunks(sdk::RawStream& stream, absl::string_view bytes) {
  for (; !bytes.empty(); bytes.remove_prefix(std::min(bytes.size(), limits::kChunkBytes))) {
    if (!stream.Write(wire::ChunkFrame(bytes.substr(0, limits::kChunkBytes), nullptr))) return false;
  }
  return true;
}

}  // namespace

absl::StatusOr<std::unique_ptr<Uploader>> Uploader::Connect(const std::string& address, const std::string& federation,
                                                            const std::string& client) {
  ClientOptions options;
  options.server = address;
  options.federation = federation;
  options.client = client;
  CAIRN_ASSIGN_OR_RETURN(auto channel, sdk::OpenChannel(options));
  return std::unique_ptr<Uploader>(new Uploader(std::move(options), std::move(channel)));
}

Uploader::Uploader(ClientOptions options, std::shared_ptr<grpc::Channel> channel)
    : connection_(std::make_unique<sdk::Connection>(std::move(options), std::move(channel))) {
  connection_->join_request.set_federation(connection_->options.federation);
  connection_->join_request.set_client(connection_->options.client);
}

std::unique_ptr<Uploader> Uploader::Beside(const std::string& client) const {
  ClientOptions options = connection_->options;
  options.client = client;
  return std::unique_ptr<Uploader>(new Uploader(std::move(options), connection_->channel));
}

absl::Status Uploader::Join() { return sdk::JoinFederation(*connection_); }

absl::StatusOr<std::uint64_t> Uploader::AwaitRound() {
  CAIRN_ASSIGN_OR_RETURN(const Round round, sdk::AwaitOpenRound(*connection_, absl::InfiniteDuration()));
  return round.number;
}

absl::Status Uploader::Stream(std::uint64_t round, const std::string& adapter_config, const Payload& payload) {
  const v1::PushHeader header = HeaderOf(connection_->options, round, adapter_config, payload);
  v1::PushTrailer trailer;
  trailer.set_sha256(payload.sha256());
  sdk::RawStream stream(*connection_, kMethod);
  if (stream.Write(wire::ControlFrame(wire::FrameKind::kHeader, header.SerializeAsString())) &&
      WriteChunks(stream, payload.bytes()) &&
      stream.Write(wire::ControlFrame(wire::FrameKind::kTrailer, trailer.SerializeAsString()))) {
    stream.WritesDone();
  }
  grpc::ByteBuffer answer;
  stream.Read(&answer);
  return stream.Finish();
}

absl::Status Uploader::Push(std::uint64_t round, const std::string& adapter_config,
                            const std::shared_ptr<const Payload>& payload) {
  const sdk::Update update{adapter_config, payload->bytes(), kExamples, payload};
  Round at;
  at.number = round;
  return sdk::PushUpdate(*connection_, at, update, nullptr).status();
}

}  // namespace cairn::bench
