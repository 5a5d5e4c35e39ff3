#include "bench/hierarchy_sockets.h"

#include <poll.h>
#include <sys/socket.h>

#include <algorithm>
#include <cerrno>

#include "base/files.h"
#include "base/limits.h"

namespace cairn::bench {
namespace {

constexpr std::size_t kPieceBytes = limits::kChunkBytes;

bool Readable(int fd, int milliseconds) {
  pollfd wait{fd, POLLIN, 0};
  return poll(&wait, 1, milliseconds) > 0;
}

}  // namespace

absl::Status SendAll(int fd, absl::string_view bytes) {
  while (!bytes.empty()) {
    const ssize_t count = send(fd, bytes.data(), std::min(kPieceBytes, bytes.size()), MSG_NOSIGNAL);
    if (count < 0 && errno == EINTR) continue;
    if (count < 0) return ErrnoStatus(errno, "write to", "a socket");
    bytes.remove_prefix(static_cast<std::size_t>(count));
  }
  return absl::OkStatus();
}

absl::Status ReceiveAll(int fd, absl::Span<char> bytes) {
  while (!bytes.empty()) {
    const ssize_t count = recv(fd, bytes.data(), std::min(kPieceBytes, bytes.size()), 0);
    if (count < 0 && errno == EINTR) continue;
    if (count < 0) return ErrnoStatus(errno, "read from", "a socket");
    if (count == 0) return absl::CancelledError("the other process has gone");
    bytes.remove_prefix(static_cast<std::size_t>(count));
  }
  return absl::OkStatus();
}

bool IsReadable(int fd) { return Readable(fd, 0); }
void AwaitReadable(int fd) { Readable(fd, -1); }

}  // namespace cairn::bench
