// What workers and the agent say to each other: messages of fixed size, one per packet of a SOCK_SEQPACKET socket.
// docs/formats/objects.md is the specification. Parsing is pure: bytes in, a message or an error out.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "server/store/shared/object_table.h"

namespace cairn {

inline constexpr std::uint32_t kMessageMagic = 0x534e5243;  // "CRNS", little-endian: names the byte order too.
inline constexpr std::uint16_t kMessageVersion = 1;

enum class Op : std::uint16_t {
  kHello = 1,    // -> epoch and lease time, with the table's descriptor.
  kGet = 2,      // key -> entry, with the slab's or file's descriptor if the worker has not got it.
  kRelease = 3,  // key
  kCreate = 4,   // bytes -> entry, with the slab's descriptor if the worker has not got it.
  kSeal = 5,     // key, crc32c
  kAbandon = 6,  // key
  kRenew = 7,
  kRetired = 8,  // From the agent, unasked: slab. The worker should let go of it and answer kDropped.
  kDropped = 9,  // slab
  kLeave = 10,   // The worker does not wait for its kCreate any longer: that is answered now.
};

// From a worker.
struct Request {
  std::uint32_t magic = kMessageMagic;
  std::uint16_t version = kMessageVersion;
  Op op = Op::kHello;
  std::uint32_t number = 0;  // Comes back in the reply; 0: no reply is wanted.
  std::uint32_t crc32c = 0;
  ObjectKey key;
  std::uint64_t bytes = 0;
  SlabRef slab;
};
static_assert(sizeof(Request) == 48 && offsetof(Request, key) == 16 && offsetof(Request, slab) == 40);

inline constexpr std::size_t kReplyTextBytes = 192;

// From the agent: the answer to a request, or, with number 0, what nobody asked for.
struct Reply {
  std::uint32_t magic = kMessageMagic;
  std::uint16_t version = kMessageVersion;
  Op op = Op::kHello;
  std::uint32_t number = 0;
  std::int32_t code = 0;  // absl::StatusCode; anything but 0 comes with a text.
  Epoch epoch = 0;
  std::uint64_t lease_ms = 0;
  ObjectEntry entry;  // Of kRetired: only its slab.
  std::uint32_t has_fd = 0;
  std::uint32_t text_bytes = 0;
  std::array<char, kReplyTextBytes> text = {};

  absl::Status status() const;
  void set_status(const absl::Status& status);  // Cuts a long text.
};
static_assert(sizeof(Reply) == 296 && offsetof(Reply, entry) == 32 && offsetof(Reply, text) == 104);

// INVALID_ARGUMENT: not a message of that kind, or an operation that its sender cannot ask for. FAILED_PRECONDITION:
// another version.
absl::StatusOr<Request> ParseRequest(absl::string_view packet);
absl::StatusOr<Reply> ParseReply(absl::string_view packet);

// The bytes of a message, for as long as it stays where it is.
template <typename Message>
absl::string_view PacketOf(const Message& message) {
  return {reinterpret_cast<const char*>(&message), sizeof(message)};
}

}  // namespace cairn
