#include "server/gateway/chunk_frames.h"

#include <utility>

#include "base/limits.h"
#include "base/status_macros.h"
#include "wire/frame.h"

namespace cairn {
namespace {

constexpr std::uint64_t kDropInterval = 16 * limits::kMiB;  // How much of the mapping stays resident.

}  // namespace

ChunkFrames::ChunkFrames(std::shared_ptr<const void> owner, std::function<void()> drop_pages,
                         LostPagesGuard::Readers readers)
    : owner_(std::move(owner)), drop_pages_(std::move(drop_pages)), readers_(readers) {}

absl::StatusOr<grpc::ByteBuffer> ChunkFrames::Next(absl::string_view& rest) {
  const absl::string_view chunk = rest.substr(0, limits::kChunkBytes);
  rest.remove_prefix(chunk.size());
  const LostPagesGuard lost_pages(readers_);
  grpc::ByteBuffer frame = wire::ChunkFrame(chunk, [owner = owner_] {});
  CAIRN_RETURN_IF_ERROR(lost_pages.LostHere());
  resident_ += chunk.size();
  if (resident_ >= kDropInterval) {
    drop_pages_();
    resident_ = 0;
  }
  return frame;
}

}  // namespace cairn
