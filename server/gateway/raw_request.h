// The request of a stream that is served raw.
#pragma once

#include <grpcpp/support/byte_buffer.h>

#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/str_cat.h"

namespace cairn {

// INVALID_ARGUMENT: it is no Message.
template <typename Message>
absl::StatusOr<Message> ParseRawRequest(const grpc::ByteBuffer& buffer) {
  Message message;
  const std::string name(Message::descriptor()->name());
  std::vector<grpc::Slice> slices;
  if (!buffer.Dump(&slices).ok()) return absl::InvalidArgumentError(absl::StrCat("unreadable ", name));
  std::string bytes;
  for (const grpc::Slice& slice : slices) bytes.append(reinterpret_cast<const char*>(slice.begin()), slice.size());
  if (!message.ParseFromString(bytes)) return absl::InvalidArgumentError(absl::StrCat("not a ", name, " message"));
  return message;
}

}  // namespace cairn
