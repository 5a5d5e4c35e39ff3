// Mapped bytes on their way into a stream of frames: without copies, and without piling up in memory.
#pragma once

#include <grpcpp/support/byte_buffer.h>

#include <cstdint>
#include <functional>
#include <memory>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "base/lost_pages.h"

namespace cairn {

class ChunkFrames {
 public:
  // What is sent lies in `owner`, which is kept until gRPC has sent the last of it. `drop_pages` lets its pages leave
  // this process' memory. `readers`: of the mapping that it lies in.
  ChunkFrames(std::shared_ptr<const void> owner, std::function<void()> drop_pages,
              LostPagesGuard::Readers readers = LostPagesGuard::Readers::kMany);

  // Takes the next chunk off `rest`. REQUIRES: there is something left. DATA_LOSS: the bytes lie in a file that was cut
  // short, or its disk does not give them (the checksum reads them).
  absl::StatusOr<grpc::ByteBuffer> Next(absl::string_view& rest);

 private:
  std::shared_ptr<const void> owner_;
  std::function<void()> drop_pages_;
  LostPagesGuard::Readers readers_;
  std::uint64_t resident_ = 0;  // Bytes sent since pages were dropped.
};

}  // namespace cairn
