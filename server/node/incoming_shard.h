// Modules of a round that a node has combined, on their way to the root: files beside the one that they become part of.
#pragma once

#include <cstdint>
#include <filesystem>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/types/span.h"
#include "base/files.h"
#include "proto/cairn/v1/node.pb.h"
#include "server/node/incoming.h"
#include "server/root/publish.h"
#include "server/root/shards.h"

namespace cairn {

class IncomingShard final : public Incoming {
 public:
  // `name`: of nobody else's files.
  IncomingShard(std::string node, const PublishJob& job, std::string name);

  absl::string_view kind() const override { return "shard"; }
  // FAILED_PRECONDITION: larger than what may be published. RESOURCE_EXHAUSTED: disk full. DATA_LOSS: no such files.

  // After Await, and without an error. DATA_LOSS: not whole.
  absl::StatusOr<std::vector<ShardPart>> Finish(const PublishJob& job);

 private:
  absl::Status OnBegin(const v1::DeliverHeader& header) override;
  absl::Status OnAppend(absl::Span<const absl::string_view> slices) override;

  std::filesystem::path PathOf(int part) const;
  absl::Status TakeLayout();
  absl::Status Open();  // The next file of which something is to come.

  const std::filesystem::path data_dir_;
  const std::uint64_t bytes_max_;
  const std::string name_;
  std::uint64_t layout_bytes_ = 0;
  std::string layout_text_;  // So far.
  v1::ShardLayout layout_;
  int part_ = -1;  // Which is written.
  std::uint64_t left_ = 0;
  std::filesystem::path path_;
  UniqueFd file_;
};

}  // namespace cairn
