// A partial sum on its way to the root.
#pragma once

#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/string_view.h"
#include "proto/cairn/v1/node.pb.h"
#include "server/node/parcel.h"
#include "server/root/partial_bytes.h"
#include "server/root/summer.h"

namespace cairn {

class SumParcel final : public Parcel {
 public:
  explicit SumParcel(std::unique_ptr<RoundTotal> total) : total_(std::move(total)), index_(total_->view().Index()) {}

  void Describe(v1::DeliverHeader& header) const override {
    const PartialLayout layout = LayoutOf(index_, total_->view());
    header.mutable_sum()->set_index_bytes(layout.index_bytes);
    header.mutable_sum()->set_planes(layout.planes);
    header.mutable_sum()->set_plane_bytes(layout.plane_bytes);
  }
  std::vector<absl::string_view> pieces() const override { return PiecesOf(index_, total_->view()); }

 private:
  const std::unique_ptr<RoundTotal> total_;
  const std::string index_;
};

}  // namespace cairn
