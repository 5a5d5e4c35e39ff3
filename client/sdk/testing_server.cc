#include "client/sdk/testing_server.h"

#include <arpa/inet.h>
#include <grpcpp/server_builder.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include <chrono>
#include <utility>

#include "absl/strings/str_cat.h"
#include "base/limits.h"
#include "client/sdk/testing_streams.h"

namespace cairn::sdk {
namespace {

int FreePort() {
  const int fd = socket(AF_INET, SOCK_STREAM, 0);
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  socklen_t size = sizeof(address);
  bind(fd, reinterpret_cast<sockaddr*>(&address), size);
  getsockname(fd, reinterpret_cast<sockaddr*>(&address), &size);
  close(fd);
  return ntohs(address.sin_port);
}

}  // namespace

class TestingServer::Service final : public v1::Federation::WithRawCallbackMethod_Push<
                                         v1::Federation::WithRawCallbackMethod_Pull<v1::Federation::Service>> {
 public:
  explicit Service(TestingServer& server) : server_(server) {}

  grpc::Status Join(grpc::ServerContext*, const v1::JoinRequest* request, v1::JoinReply*) override {
    return server_.With([&](TestingState& state) {
      state.joined.push_back(request->client());
      state.joined_spec = request->spec();
      state.knows_client = state.knows_client || state.join_answer.ok();
      return state.join_answer;
    });
  }

  grpc::Status Watch(grpc::ServerContext* context, const v1::WatchRequest*,
                     grpc::ServerWriter<v1::RoundEvent>* writer) override {
    const std::uint64_t epoch = server_.With([](TestingState& state) {
      ++state.watches;
      return state.watch_epoch;
    });
    std::uint64_t seen = 0;
    for (bool first = true; NextEvent(context, epoch, first, seen); first = false) {
      v1::RoundEvent event;
      event.set_kind(first ? v1::RoundEvent::KIND_SNAPSHOT : v1::RoundEvent::KIND_PROGRESS);
      *event.mutable_info() = server_.With([](TestingState& state) { return state.round; });
      if (!writer->Write(event)) break;
    }
    return {grpc::StatusCode::UNAVAILABLE, "scripted end of the watch"};
  }

  grpc::Status Place(grpc::ServerContext*, const v1::PlaceRequest* request, v1::PlaceReply* reply) override {
    return server_.With([&](TestingState& state) -> grpc::Status {
      state.place_requests.push_back(*request);
      if (!state.place) return {grpc::StatusCode::UNIMPLEMENTED, "scripted"};
      reply->set_address(*state.place);
      return grpc::Status::OK;
    });
  }

  grpc::Status ResumePoint(grpc::ServerContext*, const v1::ResumePointRequest* request,
                           v1::ResumePointReply* reply) override {
    return server_.With([&](TestingState& state) -> grpc::Status {
      if (!state.knows_client) return {grpc::StatusCode::NOT_FOUND, "client: unknown"};
      const auto receipt = state.receipts.find(request->sha256());
      if (receipt != state.receipts.end()) *reply->mutable_receipt() = receipt->second;
      reply->set_offset(state.uploads[request->sha256()].size());
      return grpc::Status::OK;
    });
  }

  grpc::Status Leave(grpc::ServerContext*, const v1::LeaveRequest*, v1::LeaveReply*) override {
    server_.With([](TestingState& state) { ++state.leaves; });
    return grpc::Status::OK;
  }

  grpc::ServerReadReactor<grpc::ByteBuffer>* Push(grpc::CallbackServerContext*, grpc::ByteBuffer* response) override {
    return NewPushReactor(server_, response);
  }
  grpc::ServerWriteReactor<grpc::ByteBuffer>* Pull(grpc::CallbackServerContext*,
                                                   const grpc::ByteBuffer* request) override {
    return NewPullReactor(server_, *request);
  }

 private:
  // Waits for a change after `seen`. False when the watch shall end.
  bool NextEvent(grpc::ServerContext* context, std::uint64_t epoch, bool first, std::uint64_t& seen) {
    std::unique_lock lock(server_.mutex_);
    const auto over = [&] {
      return server_.stopping_ || server_.state_.watch_epoch != epoch || context->IsCancelled();
    };
    const auto ready = [&] { return over() || first || server_.state_.round_changes != seen; };
    while (!server_.changed_.wait_for(lock, std::chrono::milliseconds(10), ready)) {
    }
    seen = server_.state_.round_changes;
    return !over();
  }

  TestingServer& server_;
};

TestingServer::TestingServer() : address_(absl::StrCat("127.0.0.1:", FreePort())) {}

TestingServer::~TestingServer() { Stop(); }

void TestingServer::Start(std::shared_ptr<grpc::ServerCredentials> credentials) {
  service_ = std::make_unique<Service>(*this);
  grpc::ServerBuilder builder;
  builder.AddListeningPort(address_, std::move(credentials));
  builder.SetMaxReceiveMessageSize(limits::kMessageBytesMax);
  builder.RegisterService(service_.get());
  stopping_ = false;
  server_ = builder.BuildAndStart();
}

void TestingServer::Stop() {
  if (server_ == nullptr) return;
  {
    std::lock_guard lock(mutex_);
    stopping_ = true;
    changed_.notify_all();
  }
  server_->Shutdown(std::chrono::system_clock::now());
  server_->Wait();
  server_.reset();
}

void TestingServer::SetRound(const v1::RoundInfo& round) {
  With([&](TestingState& state) {
    state.round = round;
    ++state.round_changes;
  });
}

void TestingServer::BreakWatches() {
  With([](TestingState& state) { ++state.watch_epoch; });
}

ClientOptions TestingOptions(const TestingServer& server) {
  ClientOptions options;
  options.server = server.address();
  options.federation = "test";
  options.client = "client-1";
  options.retry.initial_backoff = absl::Milliseconds(5);
  options.retry.max_backoff = absl::Milliseconds(50);
  return options;
}

v1::RoundInfo TestingRound(std::uint64_t number, v1::RoundPhase phase, v1::ClientProgress::State own_state) {
  v1::RoundInfo round;
  round.set_federation("test");
  round.set_round(number);
  round.set_version(number - 1);
  round.set_phase(phase);
  round.set_waiting_for("1 of 2; client-2");
  v1::ClientProgress* own = round.add_clients();
  own->set_client("client-1");
  own->set_state(own_state);
  return round;
}

}  // namespace cairn::sdk
