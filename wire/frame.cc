#include "wire/frame.h"

#include <algorithm>
#include <cstddef>
#include <cstring>
#include <memory>
#include <utility>

#include "absl/strings/str_format.h"
#include "base/digest.h"
#include "base/limits.h"
#include "base/status_macros.h"

namespace cairn::wire {
namespace {

constexpr absl::string_view kMagic = "CRNF";
// Copied and checksummed at a time: small enough that the checksum reads what the copy left in the L2 cache.
constexpr std::size_t kCopyBlockBytes = 64 * limits::kKiB;

void PutU32(std::uint32_t value, char* out) {
  for (int byte = 0; byte < 4; ++byte) out[byte] = static_cast<char>(value >> (8 * byte));
}

std::uint32_t GetU32(const char* in) {
  std::uint32_t value = 0;
  for (int byte = 0; byte < 4; ++byte) value |= std::uint32_t{static_cast<unsigned char>(in[byte])} << (8 * byte);
  return value;
}

std::size_t PayloadBytesMax(FrameKind kind) {
  switch (kind) {
    case FrameKind::kHeader:
      return limits::kPushHeaderBytesMax;
    case FrameKind::kChunk:
      return limits::kChunkBytes;
    case FrameKind::kTrailer:
      return kTrailerBytesMax;
  }
  return 0;
}

absl::Status CheckPrefix(const FramePrefix& prefix) {
  const std::size_t most = PayloadBytesMax(prefix.kind);
  if (most == 0) {
    return absl::InvalidArgumentError(
        absl::StrFormat("frame: unknown kind %d; expected 1 (header), 2 (chunk) or 3 (trailer)", prefix.kind));
  }
  if (prefix.payload_bytes > most) {
    return absl::InvalidArgumentError(absl::StrFormat("frame: %s of %d bytes; expected at most %d",
                                                      FrameKindName(prefix.kind), prefix.payload_bytes, most));
  }
  if (prefix.kind == FrameKind::kChunk && prefix.payload_bytes == 0) {
    return absl::InvalidArgumentError("frame: empty chunk; expected at least 1 byte");
  }
  if (prefix.kind != FrameKind::kChunk && prefix.crc32c != 0) {
    return absl::InvalidArgumentError(
        absl::StrFormat("frame: checksum field %#010x in a %s; expected 0", prefix.crc32c, FrameKindName(prefix.kind)));
  }
  return absl::OkStatus();
}

// Moves the first `bytes` of `slices`, which hold at least that many, to `out`.
void TakeFront(std::vector<grpc::Slice>& slices, std::size_t bytes, char* out) {
  std::size_t whole = 0;
  while (bytes > 0) {
    grpc::Slice& slice = slices[whole];
    const std::size_t taken = std::min(bytes, slice.size());
    std::memcpy(out, slice.begin(), taken);
    out += taken;
    bytes -= taken;
    if (taken == slice.size()) {
      ++whole;
    } else {
      slice = slice.sub(taken, slice.size());
    }
  }
  slices.erase(slices.begin(), slices.begin() + static_cast<std::ptrdiff_t>(whole));
}

std::uint32_t CopyWithCrc(const char* in, std::size_t bytes, std::uint32_t crc, char* out) {
  for (std::size_t done = 0; done < bytes; done += kCopyBlockBytes) {
    const std::size_t block = std::min(kCopyBlockBytes, bytes - done);
    std::memcpy(out + done, in + done, block);
    crc = Crc32c(out + done, block, crc);
  }
  return crc;
}

// Only chunks carry a checksum.
absl::Status CheckCrc(const FramePrefix& prefix, std::uint32_t crc) {
  if (prefix.kind != FrameKind::kChunk || crc == prefix.crc32c) return absl::OkStatus();
  return absl::DataLossError(
      absl::StrFormat("chunk: crc32c of the received bytes is %#010x; the sender computed %#010x", crc, prefix.crc32c));
}

void RunRelease(void* release) {
  std::unique_ptr<std::function<void()>> owned(static_cast<std::function<void()>*>(release));
  if (*owned) (*owned)();
}

}  // namespace

const char* FrameKindName(FrameKind kind) {
  switch (kind) {
    case FrameKind::kHeader:
      return "header";
    case FrameKind::kChunk:
      return "chunk";
    case FrameKind::kTrailer:
      return "trailer";
  }
  return "unknown";
}

std::string EncodePrefix(const FramePrefix& prefix) {
  std::string bytes(limits::kFramePrefixBytes, '\0');
  kMagic.copy(bytes.data(), kMagic.size());
  PutU32(static_cast<std::uint32_t>(prefix.kind), &bytes[4]);
  PutU32(prefix.crc32c, &bytes[8]);
  PutU32(prefix.payload_bytes, &bytes[12]);
  return bytes;
}

absl::StatusOr<FramePrefix> DecodePrefix(absl::string_view bytes) {
  if (bytes.size() != limits::kFramePrefixBytes) {
    return absl::InvalidArgumentError(
        absl::StrFormat("frame: prefix of %d bytes; expected %d", bytes.size(), limits::kFramePrefixBytes));
  }
  if (bytes.substr(0, kMagic.size()) != kMagic) {
    return absl::InvalidArgumentError(
        absl::StrFormat("frame: magic %#010x; expected \"%s\"", GetU32(bytes.data()), kMagic));
  }
  const FramePrefix prefix{static_cast<FrameKind>(GetU32(&bytes[4])), GetU32(&bytes[8]), GetU32(&bytes[12])};
  CAIRN_RETURN_IF_ERROR(CheckPrefix(prefix));
  return prefix;
}

grpc::ByteBuffer ControlFrame(FrameKind kind, absl::string_view payload) {
  const std::string prefix = EncodePrefix({kind, 0, static_cast<std::uint32_t>(payload.size())});
  const grpc::Slice slices[] = {grpc::Slice(prefix), grpc::Slice(payload.data(), payload.size())};
  return grpc::ByteBuffer(slices, 2);
}

grpc::ByteBuffer ChunkFrame(absl::string_view payload, std::function<void()> release) {
  const std::uint32_t crc = Crc32c(payload.data(), payload.size());
  const std::string prefix = EncodePrefix({FrameKind::kChunk, crc, static_cast<std::uint32_t>(payload.size())});
  // gRPC never writes into a slice; its C interface merely has no const.
  auto owned = std::make_unique<std::function<void()>>(std::move(release));
  const grpc::Slice slices[] = {grpc::Slice(prefix), grpc::Slice(const_cast<char*>(payload.data()), payload.size(),
                                                                 &RunRelease, owned.release())};
  return grpc::ByteBuffer(slices, 2);
}

absl::StatusOr<ReceivedFrame> ReceivedFrame::Parse(const grpc::ByteBuffer& buffer) {
  ReceivedFrame frame;
  if (!buffer.Valid() || !buffer.Dump(&frame.slices_).ok()) {
    return absl::InvalidArgumentError("frame: unreadable gRPC message");
  }
  const std::size_t length = buffer.Length();
  if (length < limits::kFramePrefixBytes) {
    return absl::InvalidArgumentError(absl::StrFormat("frame: message of %d bytes; expected at least the prefix of %d",
                                                      length, limits::kFramePrefixBytes));
  }
  char bytes[limits::kFramePrefixBytes];
  TakeFront(frame.slices_, sizeof(bytes), bytes);
  CAIRN_ASSIGN_OR_RETURN(frame.prefix_, DecodePrefix({bytes, sizeof(bytes)}));
  if (length != sizeof(bytes) + frame.prefix_.payload_bytes) {
    return absl::InvalidArgumentError(absl::StrFormat("frame: %s announces %d payload bytes; the message holds %d",
                                                      FrameKindName(frame.prefix_.kind), frame.prefix_.payload_bytes,
                                                      length - sizeof(bytes)));
  }
  return frame;
}

absl::Status ReceivedFrame::CopyPayload(char* out) const {
  std::uint32_t crc = 0;
  for (const grpc::Slice& slice : slices_) {
    crc = CopyWithCrc(reinterpret_cast<const char*>(slice.begin()), slice.size(), crc, out);
    out += slice.size();
  }
  return CheckCrc(prefix_, crc);
}

absl::Status ReceivedFrame::VerifyChecksum() const {
  std::uint32_t crc = 0;
  for (const grpc::Slice& slice : slices_) crc = Crc32c(slice.begin(), slice.size(), crc);
  return CheckCrc(prefix_, crc);
}

std::vector<absl::string_view> ReceivedFrame::slices() const {
  std::vector<absl::string_view> views;
  views.reserve(slices_.size());
  for (const grpc::Slice& slice : slices_) {
    views.emplace_back(reinterpret_cast<const char*>(slice.begin()), slice.size());
  }
  return views;
}

absl::StatusOr<std::string> ReceivedFrame::Payload() const {
  std::string payload(prefix_.payload_bytes, '\0');
  CAIRN_RETURN_IF_ERROR(CopyPayload(payload.data()));
  return payload;
}

}  // namespace cairn::wire
