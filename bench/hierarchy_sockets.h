// Whole messages over sockets that child processes inherit.
#pragma once

#include <cstddef>

#include "absl/status/status.h"
#include "absl/strings/string_view.h"
#include "absl/types/span.h"

namespace cairn::bench {

// All of it. CANCELLED when the other side has gone.
absl::Status SendAll(int fd, absl::string_view bytes);
absl::Status ReceiveAll(int fd, absl::Span<char> bytes);

template <typename Value>
absl::Status SendValue(int fd, const Value& value) {
  return SendAll(fd, {reinterpret_cast<const char*>(&value), sizeof value});
}
template <typename Value>
absl::Status ReceiveValue(int fd, Value& value) {
  return ReceiveAll(fd, {reinterpret_cast<char*>(&value), sizeof value});
}

// Whether something is there to be read, now.
bool IsReadable(int fd);
// Waits until there is, or the other side has gone.
void AwaitReadable(int fd);

}  // namespace cairn::bench
