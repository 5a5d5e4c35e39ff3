// Adds up the updates of a closed round in this process, where nobody else does.
#pragma once

#include <atomic>
#include <cstdint>
#include <memory>
#include <string>

#include "absl/status/statusor.h"
#include "aggregators/partial_sum.h"
#include "server/root/summer.h"

namespace cairn {

// A sum of this process.
class HeldTotal final : public RoundTotal {
 public:
  // REQUIRES: sum.usable().
  explicit HeldTotal(PartialSum sum) : sum_(std::move(sum)), view_(sum_.View()) {}
  const PartialView& view() const override { return view_; }

 private:
  PartialSum sum_;
  PartialView view_;
};

// What it makes lies in files without a name below the job's data directory (sum_file.h). INVALID_ARGUMENT, with
// BlamedClient, when one of the updates cannot be added; DATA_LOSS when the file of one became shorter while it was
// read.
class HereSummer final : public Summer {
 public:
  void Contributed(const std::string&, std::uint64_t, const Method&, const Contribution&) override {}
  absl::StatusOr<std::unique_ptr<RoundTotal>> Sum(const PublishJob& job) override;
  void Stop() override { stopped_ = true; }
  void Forget(const std::string&, std::uint64_t) override {}

 private:
  std::atomic<bool> stopped_ = false;
};

}  // namespace cairn
