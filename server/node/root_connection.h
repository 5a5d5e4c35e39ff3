// The node's connection to the root: unary calls that end within a bound, whatever the root does, and raw streams.
#pragma once

#include <grpcpp/generic/generic_stub.h>
#include <grpcpp/grpcpp.h>

#include <chrono>
#include <functional>
#include <memory>
#include <string>
#include <utility>

#include "absl/status/statusor.h"
#include "base/worker_pool.h"
#include "proto/cairn/v1/federation.grpc.pb.h"
#include "proto/cairn/v1/node.grpc.pb.h"
#include "server/gateway/credentials.h"
#include "server/node/calls_under_way.h"
#include "server/node/from_proto.h"

namespace cairn {

inline constexpr std::chrono::seconds kRootCallMax(15);  // A call without an answer by then is UNAVAILABLE.

class RootConnection {
 public:
  RootConnection(const std::string& address, const std::shared_ptr<grpc::ChannelCredentials>& credentials);
  ~RootConnection() { Close(); }

  void Close() { calls_.Close(); }          // Ends every call; what is started later ends at once.
  void AwaitNone() { calls_.AwaitNone(); }  // After Close: that every call, and its answer, is over.
  CallsUnderWay& calls() { return calls_; }
  // What a call to the root ended with. UNAVAILABLE names the root: those who are told it called a gateway.
  absl::Status Result(const grpc::Status& status) const { return Named(FromGrpc(status, name_)); }
  absl::Status Named(const absl::Status& result) const;
  const std::string& name() const { return name_; }  // "the root at 127.0.0.1:7072".
  v1::Federation::Stub& federation() { return *federation_; }
  v1::Node::Stub& node() { return *node_; }
  grpc::GenericStub& generic() { return generic_; }

  // Starts a unary call: start(context, request, reply, on_done). `done` runs once, on the thread of answers, which is
  // never the caller's.
  template <typename Reply, typename Start, typename Request>
  void Call(Start start, Request request, std::function<void(absl::StatusOr<Reply>)> done) {
    struct State {
      grpc::ClientContext context;
      Request request;
      Reply reply;
    };
    auto state = std::make_shared<State>();
    state->request = std::move(request);
    state->context.set_deadline(std::chrono::system_clock::now() + kRootCallMax);
    calls_.Add(&state->context);
    start(&state->context, &state->request, &state->reply,
          [this, state, done = std::move(done)](const grpc::Status& status) {
            answers_.Run([this, state, done, status] {
              const absl::Status result = Result(status);
              done(result.ok() ? absl::StatusOr<Reply>(std::move(state->reply)) : absl::StatusOr<Reply>(result));
              calls_.Remove(&state->context);
            });
          });
  }

  // A unary call of Node, waited for.
  template <typename Request, typename Reply>
  absl::StatusOr<Reply> CallNow(grpc::Status (v1::Node::Stub::*method)(grpc::ClientContext*, const Request&, Reply*),
                                const Request& request) {
    grpc::ClientContext context;
    context.set_deadline(std::chrono::system_clock::now() + kRootCallMax);
    Reply reply;
    calls_.Add(&context);
    const absl::Status status = Result(((*node_).*method)(&context, request, &reply));
    calls_.Remove(&context);
    return status.ok() ? absl::StatusOr<Reply>(std::move(reply)) : absl::StatusOr<Reply>(status);
  }

 private:
  const std::string name_;
  std::shared_ptr<grpc::Channel> channel_;
  std::unique_ptr<v1::Federation::Stub> federation_;
  std::unique_ptr<v1::Node::Stub> node_;
  grpc::GenericStub generic_;
  WorkerPool answers_{1};
  CallsUnderWay calls_;  // Its end waits for the answers.
};

}  // namespace cairn
