// A stream of opaque messages, in both directions, as blocking calls. Push and Pull run over it: to gRPC's core a
// one-directional stream is a bidirectional one in which one side says little.
#pragma once

#include <grpcpp/completion_queue.h>
#include <grpcpp/generic/generic_stub.h>
#include <grpcpp/support/byte_buffer.h>

#include <bitset>
#include <cstddef>
#include <memory>
#include <string>

#include "absl/status/status.h"
#include "client/sdk/connection.h"

namespace cairn::sdk {

// For one thread. A call that returns false means that the stream is over, and Finish says why.
class RawStream {
 public:
  // `method` such as "/cairn.v1.Federation/Push". An operation that takes longer than ClientOptions::progress_timeout
  // ends the stream.
  RawStream(Connection& connection, Link& link, const std::string& method);
  RawStream(Connection& connection, const std::string& method) : RawStream(connection, connection, method) {}
  ~RawStream();  // Breaks the stream off unless Finish was called.
  RawStream(const RawStream&) = delete;
  RawStream& operator=(const RawStream&) = delete;

  // Returns when gRPC has taken the message. False also when the other side has answered already: Read then has its
  // answer.
  bool Write(const grpc::ByteBuffer& message);
  bool WritesDone();
  // One message is always read ahead. False at the end of the stream.
  bool Read(grpc::ByteBuffer* message);

  // Waits for the server's status. UNAVAILABLE when the stream broke or an operation timed out; CANCELLED after Cancel.
  absl::Status Finish();

 private:
  enum Operation : std::size_t { kStart, kWrite, kWritesDone, kRead, kFinish, kOperations };

  void* Begin(Operation operation);  // The tag to give to gRPC.
  bool Await(Operation operation);   // Until it is done; whether it succeeded.
  void Complete(const void* tag, bool ok);
  void BeginRead();

  Connection& connection_;
  grpc::ClientContext context_;
  Cancellation::Scope scope_{connection_.cancellation, context_};
  grpc::CompletionQueue queue_;
  std::unique_ptr<grpc::GenericClientAsyncReaderWriter> call_;
  char tags_[kOperations];  // Only their addresses mean something.
  std::bitset<kOperations> pending_, succeeded_;
  bool timed_out_ = false;
  grpc::ByteBuffer incoming_;
  grpc::Status status_;
};

}  // namespace cairn::sdk
