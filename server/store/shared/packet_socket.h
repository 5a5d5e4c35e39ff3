// Packets, and descriptors with them, between processes of one machine and one user.
#pragma once

#include <cstddef>
#include <filesystem>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "base/files.h"
#include "server/store/shared/process_id.h"

namespace cairn {

// The socket in a directory of its own, which is created with mode 0700 when it is missing. Removed with this object.
class PacketListener {
 public:
  // PERMISSION_DENIED: others may enter the directory, or own it. UNAVAILABLE: another agent serves there.
  static absl::StatusOr<PacketListener> Open(const std::filesystem::path& directory);
  PacketListener(PacketListener&&) = default;
  PacketListener& operator=(PacketListener&&) = delete;
  ~PacketListener();

  int fd() const { return fd_.get(); }
  // The next connection, which does not block. UNAVAILABLE: there is none, or it has gone. RESOURCE_EXHAUSTED: no
  // descriptor is left, and the connection was refused.
  absl::StatusOr<UniqueFd> Accept();

 private:
  PacketListener() = default;
  UniqueFd lock_;   // The directory, locked as long as this is its agent.
  UniqueFd spare_;  // Given up for a moment to refuse whom there is no descriptor for.
  UniqueFd fd_;
  std::filesystem::path path_;
};

// NOT_FOUND, UNAVAILABLE: nobody serves there.
absl::StatusOr<UniqueFd> ConnectToPackets(const std::filesystem::path& directory);

// Who is at the other end. PERMISSION_DENIED: another user. NOT_FOUND: not visible from here.
absl::StatusOr<ProcessId> PeerOf(int socket);

// `fd` may be -1: none. UNAVAILABLE: the other end has gone, or, of a socket that does not block, does not read.
// RESOURCE_EXHAUSTED: not with a descriptor now, because others of this user do not take theirs.
absl::Status SendPacket(int socket, absl::string_view packet, int fd = -1);

// Before the end of a connection that was told something: a socket that is closed while packets wait in it takes back
// what it sent. The other end can send no more from now on.
void EndReceiving(int socket);

struct Packet {
  std::string bytes;  // Empty: the other end has gone.
  UniqueFd fd;
  bool fd_lost = false;  // One came, and this process had no room for it.
};
// UNAVAILABLE: nothing is there, of a socket that does not block. Packets longer than `bytes_max` come with one byte
// more than that.
absl::StatusOr<Packet> ReceivePacket(int socket, std::size_t bytes_max);

}  // namespace cairn
