#include "base/unix_socket.h"

#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <system_error>

#include "absl/strings/str_cat.h"
#include "base/status_macros.h"

namespace cairn {
namespace {

absl::StatusOr<sockaddr_un> AddressOf(const std::filesystem::path& path) {
  sockaddr_un address{.sun_family = AF_UNIX};
  if (path.native().size() >= sizeof(address.sun_path)) {
    return absl::InvalidArgumentError(absl::StrCat("socket ", path.native(), ": expected a path of at most ",
                                                   sizeof(address.sun_path) - 1, " bytes, got ", path.native().size()));
  }
  std::memcpy(address.sun_path, path.c_str(), path.native().size() + 1);
  return address;
}

}  // namespace

absl::StatusOr<UniqueFd> ListenAt(const std::filesystem::path& path, int type) {
  CAIRN_ASSIGN_OR_RETURN(const sockaddr_un address, AddressOf(path));
  UniqueFd fd(::socket(AF_UNIX, type | SOCK_CLOEXEC, 0));
  if (!fd) return ErrnoStatus(errno, "open", path);
  ::unlink(path.c_str());
  if (::bind(fd.get(), reinterpret_cast<const sockaddr*>(&address), sizeof(address)) != 0 ||
      ::listen(fd.get(), SOMAXCONN) != 0) {
    return ErrnoStatus(errno, "listen on", path);
  }
  return fd;
}

absl::StatusOr<UniqueFd> ConnectTo(const std::filesystem::path& path, int type) {
  CAIRN_ASSIGN_OR_RETURN(const sockaddr_un address, AddressOf(path));
  UniqueFd fd(::socket(AF_UNIX, type | SOCK_CLOEXEC, 0));
  if (!fd) return ErrnoStatus(errno, "open", path);
  if (::connect(fd.get(), reinterpret_cast<const sockaddr*>(&address), sizeof(address)) == 0) return fd;
  if (errno != ECONNREFUSED) return ErrnoStatus(errno, "connect to", path);
  return absl::UnavailableError(
      absl::StrCat("connect to ", path.native(), ": ", std::generic_category().message(errno)));
}

}  // namespace cairn
