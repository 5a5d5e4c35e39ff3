#include "client/sdk/control.h"

#include <chrono>
#include <string>

#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"
#include "base/status_macros.h"
#include "client/sdk/retry_loop.h"
#include "client/sdk/status.h"

namespace cairn::sdk {
namespace {

template <typename Request, typename Reply>
using Method = grpc::Status (v1::Federation::Stub::*)(grpc::ClientContext*, const Request&, Reply*);

template <typename Request, typename Reply>
absl::StatusOr<Reply> CallOnce(Connection& connection, Method<Request, Reply> method, const Request& request) {
  grpc::ClientContext context;
  context.set_deadline(absl::ToChronoTime(absl::Now() + connection.options.rpc_deadline));
  const Cancellation::Scope scope(connection.cancellation, context);
  Reply reply;
  const grpc::Status status = ((*connection.stub).*method)(&context, request, &reply);
  CAIRN_RETURN_IF_ERROR(FromGrpc(status, connection.cancellation));
  return reply;
}

template <typename Request, typename Reply>
absl::StatusOr<Reply> CallUntilAnswered(Connection& connection, const std::string& doing, Method<Request, Reply> method,
                                        const Request& request) {
  RetryLoop retry(connection, doing);
  while (true) {
    absl::StatusOr<Reply> reply = CallOnce(connection, method, request);
    if (reply.ok()) return reply;
    CAIRN_RETURN_IF_ERROR(retry.PauseAfter(reply.status()));
  }
}

}  // namespace

absl::Status JoinFederation(Connection& connection) {
  const ClientOptions& options = connection.options;
  return CallUntilAnswered(connection,
                           absl::StrCat("join ", options.federation, " as ", options.client, " at ", options.server),
                           &v1::Federation::Stub::Join, connection.join_request)
      .status();
}

absl::Status JoinAgain(Connection& connection) {
  return Annotate(CallOnce(connection, &v1::Federation::Stub::Join, connection.join_request).status(), "join again");
}

absl::Status LeaveFederation(Connection& connection) {
  const ClientOptions& options = connection.options;
  v1::LeaveRequest request;
  request.set_federation(options.federation);
  request.set_client(options.client);
  return CallUntilAnswered(connection, absl::StrCat("leave ", options.federation, " as ", options.client),
                           &v1::Federation::Stub::Leave, request)
      .status();
}

absl::StatusOr<v1::ResumePointReply> AskResumePoint(Connection& connection, const v1::ResumePointRequest& request) {
  return CallOnce(connection, &v1::Federation::Stub::ResumePoint, request);
}

}  // namespace cairn::sdk
