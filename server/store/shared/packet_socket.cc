#include "server/store/shared/packet_socket.h"

#include <fcntl.h>
#include <sys/file.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstring>
#include <system_error>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "base/status_macros.h"
#include "base/unix_socket.h"

namespace cairn {
namespace {

namespace fs = std::filesystem;

constexpr char kSocketName[] = "store.sock";

absl::StatusOr<UniqueFd> PrivateDirectory(const fs::path& directory) {
  if (::mkdir(directory.c_str(), 0700) != 0 && errno != EEXIST) return ErrnoStatus(errno, "create", directory);
  UniqueFd fd(::open(directory.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW));
  struct stat info;
  if (!fd || ::fstat(fd.get(), &info) != 0) return ErrnoStatus(errno, "open", directory);
  if (info.st_uid == ::geteuid() && (info.st_mode & 077) == 0) return fd;
  return absl::PermissionDeniedError(
      absl::StrCat("socket directory ", directory.native(), ": expected mode 0700 of user ", ::geteuid(), ", got mode ",
                   absl::StrFormat("%#o", info.st_mode & 0777), " of user ", info.st_uid));
}

absl::Status Unavailable(absl::string_view what) {
  return absl::UnavailableError(absl::StrCat(what, ": ", std::generic_category().message(errno)));
}

}  // namespace

absl::StatusOr<PacketListener> PacketListener::Open(const fs::path& directory) {
  PacketListener listener;
  CAIRN_ASSIGN_OR_RETURN(listener.lock_, PrivateDirectory(directory));
  if (::flock(listener.lock_.get(), LOCK_EX | LOCK_NB) != 0) {
    return absl::UnavailableError(absl::StrCat("another process serves objects in ", directory.native()));
  }
  const fs::path path = directory / kSocketName;
  listener.spare_ = UniqueFd(::open("/dev/null", O_RDONLY | O_CLOEXEC));
  if (!listener.spare_) return ErrnoStatus(errno, "open", path);
  // What is there is of one that died: the lock says that it is nobody's.
  CAIRN_ASSIGN_OR_RETURN(listener.fd_, ListenAt(path, SOCK_SEQPACKET | SOCK_NONBLOCK));
  listener.path_ = path;
  return listener;
}

PacketListener::~PacketListener() {
  if (fd_ && !path_.empty()) ::unlink(path_.c_str());
}

absl::StatusOr<UniqueFd> PacketListener::Accept() {
  UniqueFd connection(::accept4(fd_.get(), nullptr, nullptr, SOCK_CLOEXEC | SOCK_NONBLOCK));
  if (connection) return connection;
  if (errno != EMFILE && errno != ENFILE) return Unavailable("accept");
  // Left in the queue it would wake us for ever.
  const absl::Status full = ErrnoStatus(errno, "accept on", path_);
  spare_.Reset();
  UniqueFd(::accept4(fd_.get(), nullptr, nullptr, SOCK_CLOEXEC)).Reset();
  spare_ = UniqueFd(::open("/dev/null", O_RDONLY | O_CLOEXEC));
  return full;
}

absl::StatusOr<UniqueFd> ConnectToPackets(const fs::path& directory) {
  return ConnectTo(directory / kSocketName, SOCK_SEQPACKET);
}

absl::StatusOr<ProcessId> PeerOf(int socket) {
  ucred peer{};
  socklen_t size = sizeof(peer);
  if (::getsockopt(socket, SOL_SOCKET, SO_PEERCRED, &peer, &size) != 0) {
    return ErrnoStatus(errno, "ask for the peer of", "store.sock");
  }
  if (peer.uid == ::geteuid()) return FindProcess(peer.pid);
  return absl::PermissionDeniedError(
      absl::StrCat("process ", peer.pid, " is of user ", peer.uid, ", expected user ", ::geteuid()));
}

absl::Status SendPacket(int socket, absl::string_view packet, int fd) {
  iovec part{const_cast<char*>(packet.data()), packet.size()};
  msghdr message{.msg_iov = &part, .msg_iovlen = 1};
  alignas(cmsghdr) std::array<char, CMSG_SPACE(sizeof(int))> control{};
  if (fd >= 0) {
    message.msg_control = control.data();
    message.msg_controllen = control.size();
    cmsghdr* header = CMSG_FIRSTHDR(&message);
    header->cmsg_level = SOL_SOCKET;
    header->cmsg_type = SCM_RIGHTS;
    header->cmsg_len = CMSG_LEN(sizeof(int));
    std::memcpy(CMSG_DATA(header), &fd, sizeof(fd));
  }
  ssize_t sent;
  do {
    sent = ::sendmsg(socket, &message, MSG_NOSIGNAL);
  } while (sent < 0 && errno == EINTR);
  if (sent < 0 && errno == ETOOMANYREFS) {
    return absl::ResourceExhaustedError("send: this user has too many descriptors on their way that nobody took yet");
  }
  return sent < 0 ? Unavailable("send") : absl::OkStatus();
}

absl::StatusOr<Packet> ReceivePacket(int socket, std::size_t bytes_max) {
  Packet packet{std::string(bytes_max + 1, '\0'), UniqueFd()};
  iovec part{packet.bytes.data(), packet.bytes.size()};
  alignas(cmsghdr) std::array<char, CMSG_SPACE(sizeof(int))> control{};
  msghdr message{.msg_iov = &part, .msg_iovlen = 1, .msg_control = control.data(), .msg_controllen = control.size()};
  ssize_t got;
  do {
    got = ::recvmsg(socket, &message, MSG_CMSG_CLOEXEC);
  } while (got < 0 && errno == EINTR);
  if (got < 0) return Unavailable("receive");
  packet.bytes.resize(static_cast<std::size_t>(got));
  for (cmsghdr* header = CMSG_FIRSTHDR(&message); header != nullptr; header = CMSG_NXTHDR(&message, header)) {
    if (header->cmsg_level != SOL_SOCKET || header->cmsg_type != SCM_RIGHTS) continue;
    // The last one stays open: nobody here sends several.
    for (std::size_t at = CMSG_LEN(0); at + sizeof(int) <= header->cmsg_len; at += sizeof(int)) {
      int fd;
      std::memcpy(&fd, reinterpret_cast<const char*>(header) + at, sizeof(fd));
      packet.fd = UniqueFd(fd);
    }
  }
  packet.fd_lost = (message.msg_flags & MSG_CTRUNC) != 0;
  return packet;
}

void EndReceiving(int socket) {
  ::shutdown(socket, SHUT_RD);
  for (auto packet = ReceivePacket(socket, 0); packet.ok() && !packet->bytes.empty();)
    packet = ReceivePacket(socket, 0);
}

}  // namespace cairn
