#include "tests/integration/remote.h"

#include <arpa/inet.h>
#include <grpcpp/client_context.h>
#include <grpcpp/create_channel.h>
#include <sys/socket.h>
#include <unistd.h>

#include <chrono>
#include <cstdlib>
#include <utility>

#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "absl/time/clock.h"
#include "base/digest.h"
#include "base/files.h"
#include "base/limits.h"
#include "base/status_macros.h"
#include "client/sdk/channel.h"
#include "client/sdk/control.h"
#include "client/sdk/status.h"
#include "config/address.h"
#include "proto/cairn/v1/federation.grpc.pb.h"

namespace cairn::testing {
namespace {

constexpr absl::Duration kPatience = absl::Seconds(20);
constexpr absl::Duration kPollInterval = absl::Milliseconds(5);

}  // namespace

ClientOptions FastOptions(const std::string& address, const std::string& federation, const std::string& client) {
  ClientOptions options;
  options.server = address;
  options.federation = federation;
  options.client = client;
  options.retry.initial_backoff = absl::Milliseconds(10);
  options.retry.max_backoff = absl::Milliseconds(100);
  options.retry.give_up_after = kPatience;
  return options;
}

AdapterShape ShapeOf(const std::vector<ModuleSpec>& modules) {
  AdapterShape shape;
  for (const ModuleSpec& module : modules) shape.modules.push_back({module.name, module.d_in, module.d_out});
  return shape;
}

absl::StatusOr<v1::RoundInfo> StatusOf(const std::string& address, const std::string& federation) {
  const auto connection = Connect(FastOptions(address, federation, "observer"));
  grpc::ClientContext context;
  context.set_deadline(std::chrono::system_clock::now() + std::chrono::seconds(10));
  v1::StatusRequest request;
  request.set_federation(federation);
  v1::StatusReply reply;
  const grpc::Status status = connection->stub->Status(&context, request, &reply);
  CAIRN_RETURN_IF_ERROR(sdk::FromGrpc(status, connection->cancellation));
  return reply.rounds(0);
}

absl::StatusOr<v1::RoundInfo> AwaitStatus(const std::string& address, const std::string& federation,
                                          const std::function<bool(const v1::RoundInfo&)>& done) {
  const absl::Time end = absl::Now() + kPatience;
  while (true) {
    auto info = StatusOf(address, federation);
    if (!info.ok() || done(*info) || absl::Now() > end) return info;
    absl::SleepFor(kPollInterval);
  }
}

absl::StatusOr<std::string> HttpGet(const std::string& address, const std::string& path) {
  CAIRN_ASSIGN_OR_RETURN(const HostPort host_port, ParseHostPort(address));
  const UniqueFd fd(socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
  sockaddr_in target{};
  target.sin_family = AF_INET;
  target.sin_port = htons(host_port.port);
  target.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  if (connect(fd.get(), reinterpret_cast<sockaddr*>(&target), sizeof(target)) != 0) {
    return ErrnoStatus(errno, "connect to", address);
  }
  CAIRN_RETURN_IF_ERROR(WriteAll(fd.get(), absl::StrCat("GET ", path, " HTTP/1.0\r\n\r\n"), address));
  std::string answer;
  char buffer[4096];
  for (ssize_t got; (got = read(fd.get(), buffer, sizeof(buffer))) > 0;) answer.append(buffer, got);
  return answer;
}

double MetricValue(const std::string& metrics_address, const std::string& series) {
  const std::string answer = HttpGet(metrics_address, "/metrics").value_or("");
  for (absl::string_view line : absl::StrSplit(answer, '\n')) {
    double value = 0;
    if (absl::ConsumePrefix(&line, series + " ") && absl::SimpleAtod(line, &value)) return value;
  }
  return 0;
}

v1::PushHeader HeaderFor(const ClientOptions& options, std::uint64_t round, const UpdateBytes& update,
                         std::uint64_t examples) {
  v1::PushHeader header;
  header.set_federation(options.federation);
  header.set_round(round);
  header.set_client(options.client);
  header.set_examples(examples);
  header.set_adapter_config(update.config_json);
  header.set_payload_bytes(update.safetensors.size());
  header.set_sha256(Sha256Hex(update.safetensors));
  return header;
}

bool RawPush::Message(absl::string_view bytes) {
  const grpc::Slice slice(bytes.data(), bytes.size());
  return stream_.Write(grpc::ByteBuffer(&slice, 1));
}

bool RawPush::Header(const v1::PushHeader& header) {
  return stream_.Write(wire::ControlFrame(wire::FrameKind::kHeader, header.SerializeAsString()));
}

bool RawPush::Chunks(absl::string_view payload) {
  for (; !payload.empty(); payload.remove_prefix(std::min(payload.size(), limits::kChunkBytes))) {
    auto copy = std::make_shared<const std::string>(payload.substr(0, limits::kChunkBytes));
    const absl::string_view bytes = *copy;
    if (!stream_.Write(wire::ChunkFrame(bytes, [copy = std::move(copy)] {}))) return false;
  }
  return true;
}

bool RawPush::Trailer(const std::string& sha256) {
  v1::PushTrailer trailer;
  trailer.set_sha256(sha256);
  return stream_.Write(wire::ControlFrame(wire::FrameKind::kTrailer, trailer.SerializeAsString()));
}

absl::StatusOr<v1::Receipt> RawPush::Finish() {
  stream_.WritesDone();
  grpc::ByteBuffer message;
  const bool answered = stream_.Read(&message);
  CAIRN_RETURN_IF_ERROR(stream_.Finish());
  v1::Receipt receipt;
  if (!answered || !grpc::SerializationTraits<v1::Receipt>::Deserialize(&message, &receipt).ok()) {
    return absl::InternalError("OK without a receipt");
  }
  return receipt;
}

std::unique_ptr<sdk::Connection> Connect(const ClientOptions& options) {
  auto channel = sdk::OpenChannel(options);
  if (!channel.ok()) std::abort();
  return std::make_unique<sdk::Connection>(options, *std::move(channel));
}

absl::StatusOr<v1::Receipt> PushWhole(sdk::Connection& connection, const v1::PushHeader& header,
                                      absl::string_view payload) {
  RawPush push(connection);
  if (push.Header(header) && push.Chunks(payload)) push.Trailer(header.sha256());
  return push.Finish();
}

absl::StatusOr<v1::ResumePointReply> ResumePoint(sdk::Connection& connection, const v1::PushHeader& header) {
  v1::ResumePointRequest request;
  request.set_federation(header.federation());
  request.set_round(header.round());
  request.set_client(header.client());
  request.set_sha256(header.sha256());
  request.set_payload_bytes(header.payload_bytes());
  return sdk::AskResumePoint(connection, connection, request);
}

std::uint64_t AwaitReceived(sdk::Connection& connection, const v1::PushHeader& header, std::uint64_t bytes) {
  const absl::Time end = absl::Now() + kPatience;
  while (true) {
    const auto reply = ResumePoint(connection, header);
    const std::uint64_t offset = reply.ok() ? reply->offset() : 0;
    if (offset >= bytes || absl::Now() > end) return offset;
    absl::SleepFor(kPollInterval);
  }
}

}  // namespace cairn::testing
