// A node's partial sum on its way to the root, where it lies in a file without a name until it is merged.
#pragma once

#include <cstdint>
#include <filesystem>
#include <memory>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/types/span.h"
#include "server/node/incoming.h"
#include "server/root/partial_bytes.h"
#include "server/root/publish.h"
#include "server/root/sum_file.h"
#include "server/root/summer.h"

namespace cairn {

class IncomingSum final : public Incoming {
 public:
  // Of the job's contributions.
  IncomingSum(std::string node, const PublishJob& job);

  absl::string_view kind() const override { return "sum"; }
  // After Await, and without an error. DATA_LOSS, UNIMPLEMENTED: as ReadPartial.
  absl::StatusOr<std::unique_ptr<RoundTotal>> Finish();

 private:
  absl::Status OnBegin(const v1::DeliverHeader& header) override;
  // DATA_LOSS: more than the sum of these updates can have. RESOURCE_EXHAUSTED: disk full.
  absl::Status OnAppend(absl::Span<const absl::string_view> slices) override;

  const std::filesystem::path directory_;
  const std::uint64_t bytes_max_;
  PartialLayout layout_;
  SumFile file_;
  std::uint64_t received_ = 0;
};

}  // namespace cairn
