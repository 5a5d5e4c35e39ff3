#include "client/sdk/control.h"

#include <algorithm>
#include <chrono>
#include <string>

#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"
#include "base/status_macros.h"
#include "client/sdk/retry_loop.h"
#include "client/sdk/status.h"

namespace cairn::sdk {
namespace {

constexpr absl::Duration kPlaceDeadline = absl::Seconds(5);  // A hint is not worth more.

template <typename Request, typename Reply>
using Method = grpc::Status (v1::Federation::Stub::*)(grpc::ClientContext*, const Request&, Reply*);

template <typename Request, typename Reply>
absl::StatusOr<Reply> CallOnce(Connection& connection, Link& link, Method<Request, Reply> method,
                               const Request& request, absl::Duration deadline = absl::InfiniteDuration()) {
  grpc::ClientContext context;
  const absl::Duration most = std::min(deadline, connection.options.rpc_deadline);
  context.set_deadline(absl::ToChronoTime(absl::Now() + most));
  const Cancellation::Scope scope(connection.cancellation, context);
  Reply reply;
  const grpc::Status status = ((*link.stub).*method)(&context, request, &reply);
  CAIRN_RETURN_IF_ERROR(FromGrpc(status, connection.cancellation));
  return reply;
}

template <typename Request, typename Reply>
absl::StatusOr<Reply> CallUntilAnswered(Connection& connection, const std::string& doing, Method<Request, Reply> method,
                                        const Request& request) {
  RetryLoop retry(connection, doing);
  while (true) {
    absl::StatusOr<Reply> reply = CallOnce(connection, connection, method, request);
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
  return Annotate(CallOnce(connection, connection, &v1::Federation::Stub::Join, connection.join_request).status(),
                  "join again");
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

absl::StatusOr<v1::PlaceReply> AskPlace(Connection& connection, std::uint64_t payload_bytes) {
  v1::PlaceRequest request;
  request.set_federation(connection.options.federation);
  request.set_client(connection.options.client);
  request.set_zone(connection.options.zone);
  request.set_payload_bytes(payload_bytes);
  return CallOnce(connection, connection, &v1::Federation::Stub::Place, request, kPlaceDeadline);
}

absl::StatusOr<v1::ResumePointReply> AskResumePoint(Connection& connection, Link& link,
                                                    const v1::ResumePointRequest& request) {
  return CallOnce(connection, link, &v1::Federation::Stub::ResumePoint, request);
}

}  // namespace cairn::sdk
