// A stream of opaque messages to the root or to another node, as blocking calls for one thread.
#pragma once

#include <grpcpp/completion_queue.h>
#include <grpcpp/generic/generic_stub.h>
#include <grpcpp/support/byte_buffer.h>

#include <memory>
#include <string>

#include "absl/status/status.h"
#include "server/node/calls_under_way.h"
#include "server/node/root_connection.h"

namespace cairn {

class RawCall {
 public:
  // `method` such as "/cairn.v1.Federation/Pull".
  RawCall(RootConnection& root, const std::string& method);
  // To `other`, as messages call it. Ended by `calls`.
  RawCall(grpc::GenericStub& stub, CallsUnderWay& calls, const std::string& method, std::string other);
  ~RawCall();  // Breaks the stream off unless Finish was called.
  RawCall(const RawCall&) = delete;

  // False: the stream is over, and Finish says why.
  bool Write(const grpc::ByteBuffer& message);
  bool WritesDone();
  bool Read(grpc::ByteBuffer* message);
  absl::Status Finish();  // After WritesDone, or when the stream is over.

 private:
  // Waits for the one operation that was started. UNAVAILABLE after a minute without progress.
  bool Await();

  CallsUnderWay& calls_;
  const std::string other_;
  grpc::ClientContext context_;
  grpc::CompletionQueue queue_;
  std::unique_ptr<grpc::GenericClientAsyncReaderWriter> call_;
  bool finished_ = false, timed_out_ = false;
};

}  // namespace cairn
