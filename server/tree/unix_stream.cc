#include "server/tree/unix_stream.h"

#include <google/protobuf/message_lite.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>
#include <string>

#include "absl/strings/str_cat.h"
#include "base/limits.h"
#include "base/status_macros.h"
#include "base/unix_socket.h"

namespace cairn::tree {
namespace {

namespace fs = std::filesystem;

constexpr char kSocketName[] = "tree.sock";
constexpr std::size_t kLengthBytes = 4;

absl::Status Gone(absl::string_view what) {
  return absl::UnavailableError(absl::StrCat(what, ": ", errno == 0 ? "the other end has gone" : strerror(errno)));
}

absl::Status SendAll(int socket, absl::string_view bytes) {
  while (!bytes.empty()) {
    const ssize_t sent = ::send(socket, bytes.data(), bytes.size(), MSG_NOSIGNAL);
    if (sent < 0 && errno == EINTR) continue;
    if (sent < 0 && errno == EAGAIN) return absl::DeadlineExceededError("the other end does not read");
    if (sent < 0) return Gone("send");
    bytes.remove_prefix(static_cast<std::size_t>(sent));
  }
  return absl::OkStatus();
}

absl::Status AwaitBytes(int socket, absl::Duration timeout) {
  pollfd waiting{.fd = socket, .events = POLLIN, .revents = 0};
  const bool forever = timeout == absl::InfiniteDuration();
  const int millis =
      forever ? -1 : static_cast<int>(std::min<std::int64_t>(absl::ToInt64Milliseconds(timeout), 1 << 30));
  int ready;
  do {
    ready = ::poll(&waiting, 1, millis);
  } while (ready < 0 && errno == EINTR);
  if (ready > 0) return absl::OkStatus();
  if (ready < 0) return Gone("poll");
  return absl::DeadlineExceededError(absl::StrCat("no sign of life for ", absl::FormatDuration(timeout)));
}

absl::Status ReceiveAll(int socket, absl::Duration timeout, char* bytes, std::size_t count) {
  while (count > 0) {
    CAIRN_RETURN_IF_ERROR(AwaitBytes(socket, timeout));
    const ssize_t got = ::recv(socket, bytes, count, 0);
    if (got < 0 && errno == EINTR) continue;
    if (got == 0) errno = 0;
    if (got <= 0) return Gone("receive");
    bytes += got;
    count -= static_cast<std::size_t>(got);
  }
  return absl::OkStatus();
}

}  // namespace

absl::StatusOr<StreamListener> StreamListener::Open(const fs::path& directory) {
  const fs::path path = directory / kSocketName;
  StreamListener listener;
  CAIRN_ASSIGN_OR_RETURN(listener.fd_, ListenAt(path, SOCK_STREAM));  // Who has the directory's lock may.
  listener.path_ = path;
  return listener;
}

StreamListener::~StreamListener() {
  if (fd_ && !path_.empty()) ::unlink(path_.c_str());
}

absl::StatusOr<UniqueFd> StreamListener::Accept() {
  while (true) {
    UniqueFd connection(::accept4(fd_.get(), nullptr, nullptr, SOCK_CLOEXEC));
    if (connection) return connection;
    if (errno == EINTR || errno == ECONNABORTED) continue;
    if (errno == EINVAL) return absl::CancelledError("closed");
    return ErrnoStatus(errno, "accept on", path_);
  }
}

void StreamListener::Close() { ::shutdown(fd_.get(), SHUT_RDWR); }

absl::StatusOr<UniqueFd> ConnectToStream(const fs::path& directory) {
  return ConnectTo(directory / kSocketName, SOCK_STREAM);
}

absl::Status SendMessage(int socket, const google::protobuf::MessageLite& message) {
  std::string bytes(kLengthBytes, '\0');
  if (!message.AppendToString(&bytes) || bytes.size() > limits::kTreeMessageBytesMax) {
    return absl::ResourceExhaustedError(absl::StrCat("message of ", bytes.size(), " bytes: at most ",
                                                     limits::kTreeMessageBytesMax, " between dispatcher and worker"));
  }
  const std::size_t length = bytes.size() - kLengthBytes;
  for (std::size_t i = 0; i < kLengthBytes; ++i) bytes[i] = static_cast<char>(length >> (8 * i) & 0xFF);
  return SendAll(socket, bytes);
}

absl::Status ReceiveMessage(int socket, absl::Duration timeout, google::protobuf::MessageLite& message) {
  std::array<unsigned char, kLengthBytes> prefix;
  CAIRN_RETURN_IF_ERROR(ReceiveAll(socket, timeout, reinterpret_cast<char*>(prefix.data()), prefix.size()));
  std::size_t length = 0;
  for (std::size_t i = 0; i < kLengthBytes; ++i) length |= static_cast<std::size_t>(prefix[i]) << (8 * i);
  if (length > limits::kTreeMessageBytesMax) {
    return absl::InvalidArgumentError(
        absl::StrCat("expected a message of at most ", limits::kTreeMessageBytesMax, " bytes, got one of ", length));
  }
  std::string bytes(length, '\0');
  CAIRN_RETURN_IF_ERROR(ReceiveAll(socket, timeout, bytes.data(), length));
  if (message.ParseFromString(bytes)) return absl::OkStatus();
  return absl::InvalidArgumentError(absl::StrCat("expected a ", message.GetTypeName(), ", got other bytes"));
}

}  // namespace cairn::tree
