// Warm private memory for one update.
#pragma once

#include <cstdint>
#include <memory>
#include <utility>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/types/span.h"
#include "base/status_macros.h"
#include "bench/hierarchy_slab.h"

namespace cairn::bench {

class Landing {
 public:
  static absl::StatusOr<Landing> Make(std::uint64_t bytes) {
    auto pool = std::make_unique<SlabPool>(bytes);
    CAIRN_ASSIGN_OR_RETURN(Slab slab, pool->Take());
    return Landing(bytes, std::move(pool), std::move(slab));
  }
  absl::Span<char> room() const { return {slab_.data(), bytes_}; }
  absl::string_view bytes() const { return {slab_.data(), bytes_}; }

 private:
  Landing(std::uint64_t bytes, std::unique_ptr<SlabPool> pool, Slab slab)
      : bytes_(bytes), pool_(std::move(pool)), slab_(std::move(slab)) {}
  std::uint64_t bytes_;
  std::unique_ptr<SlabPool> pool_;
  Slab slab_;
};

}  // namespace cairn::bench
