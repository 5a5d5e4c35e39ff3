// The first bytes of an upload, from the gRPC message to a checked PushHeader: nothing a stranger sends may do more
// than fail. The first input byte says how finely the message is sliced.
#include <algorithm>
#include <cstdint>
#include <cstdlib>
#include <string>
#include <vector>

#include "base/limits.h"
#include "proto/cairn/v1/federation.pb.h"
#include "wire/frame.h"
#include "wire/push_header.h"

namespace {

grpc::ByteBuffer Message(const std::uint8_t* data, std::size_t size, std::size_t slice_bytes) {
  std::vector<grpc::Slice> slices;
  for (std::size_t at = 0; at < size; at += slice_bytes) {
    slices.emplace_back(data + at, std::min(slice_bytes, size - at));
  }
  return grpc::ByteBuffer(slices.data(), slices.size());
}

void Require(bool holds) {
  if (!holds) std::abort();
}

void CheckHeader(const std::string& payload) {
  cairn::v1::PushHeader header;
  if (!header.ParseFromString(payload)) return;
  if (!cairn::wire::CheckPushHeader(header, cairn::limits::kPayloadBytesMax).ok()) return;
  Require(header.round() > 0 && header.examples() > 0 && header.offset() <= header.payload_bytes());
  Require(header.client().find('/') == std::string::npos && header.client() != "..");
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size < 2) return 0;
  const auto frame = cairn::wire::ReceivedFrame::Parse(Message(data + 1, size - 1, std::size_t{data[0]} + 1));
  if (!frame.ok()) return 0;
  const auto payload = frame->Payload();
  if (!payload.ok()) return 0;
  Require(payload->size() == frame->prefix().payload_bytes);
  CheckHeader(*payload);
  return 0;
}
