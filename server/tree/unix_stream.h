// Connections between processes of one machine and one user that carry messages of any size.
#pragma once

#include <cstddef>
#include <filesystem>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "base/files.h"

namespace google::protobuf {
class MessageLite;
}

namespace cairn::tree {

// The socket of a node's dispatcher in the node's directory, which others may not enter (PacketListener makes it).
// Removed with this object.
class StreamListener {
 public:
  static absl::StatusOr<StreamListener> Open(const std::filesystem::path& directory);
  StreamListener(StreamListener&&) = default;
  StreamListener& operator=(StreamListener&&) = delete;
  ~StreamListener();

  // Waits for the next connection. CANCELLED: Close was called. RESOURCE_EXHAUSTED: no descriptor is left.
  absl::StatusOr<UniqueFd> Accept();
  // Ends Accept, on any thread.
  void Close();

 private:
  StreamListener() = default;
  UniqueFd fd_;
  std::filesystem::path path_;
};

// UNAVAILABLE, NOT_FOUND: nobody serves there.
absl::StatusOr<UniqueFd> ConnectToStream(const std::filesystem::path& directory);

// UNAVAILABLE: the other end has gone.
absl::Status SendMessage(int socket, const google::protobuf::MessageLite& message);
// UNAVAILABLE: the other end has gone, in the middle of a message or before one. DEADLINE_EXCEEDED: nothing came for
// that long. INVALID_ARGUMENT: no such message.
absl::Status ReceiveMessage(int socket, absl::Duration timeout, google::protobuf::MessageLite& message);

}  // namespace cairn::tree
