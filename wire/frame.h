// Frames of the Push and Pull streams (docs/formats/stream.md). One gRPC message is one frame:
//
//   offset size
//        0    4  magic "CRNF", which also names the byte order and version 1 of this format
//        4    4  kind: 1 header, 2 chunk, 3 trailer (u32 little-endian)
//        8    4  chunk: crc32c of the payload; others: 0
//       12    4  payload bytes (u32 little-endian)
//       16    …  payload: a serialised PushHeader / PullHeader, raw safetensors bytes, a serialised trailer
//
// Chunks follow one another from the header's offset; their place needs no saying. Tensor bytes never pass through
// protobuf.
#pragma once

#include <grpcpp/support/byte_buffer.h>

#include <cstddef>
#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"

namespace cairn::wire {

inline constexpr std::size_t kTrailerBytesMax = 4096;  // Serialised PushTrailer or PullTrailer.

enum class FrameKind : std::uint32_t { kHeader = 1, kChunk = 2, kTrailer = 3 };
const char* FrameKindName(FrameKind kind);  // "header", "chunk", "trailer".

struct FramePrefix {
  FrameKind kind = FrameKind::kHeader;
  std::uint32_t crc32c = 0;
  std::uint32_t payload_bytes = 0;
};

std::string EncodePrefix(const FramePrefix& prefix);  // limits::kFramePrefixBytes long.
// INVALID_ARGUMENT: wrong magic, unknown kind, an empty chunk, a checksum where none belongs, or a payload beyond the
// kind's limit: limits::kPushHeaderBytesMax, limits::kChunkBytes, kTrailerBytesMax.
absl::StatusOr<FramePrefix> DecodePrefix(absl::string_view bytes);

// A frame with its own copy of the payload (headers and trailers).
grpc::ByteBuffer ControlFrame(FrameKind kind, absl::string_view payload);

// A chunk frame whose slice points at `payload`, without a copy. `release` runs when gRPC no longer needs the bytes, on
// one of its threads; until then they must stay.
grpc::ByteBuffer ChunkFrame(absl::string_view payload, std::function<void()> release);

// A received frame: the prefix and the slices behind it. Holds references to gRPC's memory, not copies.
class ReceivedFrame {
 public:
  // INVALID_ARGUMENT as DecodePrefix, and when the message is not exactly prefix + payload.
  static absl::StatusOr<ReceivedFrame> Parse(const grpc::ByteBuffer& buffer);

  const FramePrefix& prefix() const { return prefix_; }
  // Copies the payload to `out`, which has room for payload_bytes, and verifies a chunk's crc32c on the way.
  // DATA_LOSS with both checksums when it differs.
  absl::Status CopyPayload(char* out) const;
  // The same check without a copy, for a payload that goes to its place slice by slice.
  absl::Status VerifyChecksum() const;
  // The payload's pieces in order. They live as long as this frame.
  std::vector<absl::string_view> slices() const;
  // For headers and trailers.
  absl::StatusOr<std::string> Payload() const;

 private:
  FramePrefix prefix_;
  std::vector<grpc::Slice> slices_;
};

}  // namespace cairn::wire
