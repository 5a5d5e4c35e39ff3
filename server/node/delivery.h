// Brings bytes of the node to the root, which has asked for them.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "proto/cairn/v1/node.pb.h"
#include "server/node/root_connection.h"
#include "server/store/store.h"

namespace cairn {

// Blocks. An error is of interest to the log only: the root knows, and asks again when it needs to.
absl::Status Deliver(RootConnection& root, const std::string& node, const v1::FetchOrder& order, Store& store);

// What is made when the root asks for it.
class Parcel {
 public:
  virtual ~Parcel() = default;
  virtual void Describe(v1::DeliverHeader& header) const = 0;
  virtual std::vector<absl::string_view> pieces() const = 0;  // The bytes, in order; valid as long as the parcel.
};

// The same of such a one. While it is made, on another thread, the root is told that it is coming. Returns when `make`
// has.
using Made = absl::StatusOr<std::shared_ptr<const Parcel>>;
// While the root takes the stream `wanted` is true.
using MakeParcel = std::function<Made(const std::function<bool()>& wanted)>;
absl::Status DeliverMade(RootConnection& root, const std::string& node, std::uint64_t fetch, const MakeParcel& make);

}  // namespace cairn
