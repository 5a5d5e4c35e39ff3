// The sums that a node makes of its own updates, for the root: by the workers of the node, as updates come; what they
// do not do, or where there are none, this process does when it is asked.
#pragma once

#include <cstdint>
#include <filesystem>
#include <map>
#include <memory>
#include <mutex>
#include <string>

#include "absl/status/statusor.h"
#include "proto/cairn/v1/node.pb.h"
#include "server/node/parcel.h"
#include "server/node/turns.h"
#include "server/root/here_summer.h"
#include "server/root/root.h"
#include "server/root/summer.h"
#include "server/store/store.h"

namespace cairn {

// Thread-safe.
class NodeSums {
 public:
  // `workers` may be null; it and the store outlive this object. What is made here lies below `data_dir`.
  NodeSums(std::string node, std::filesystem::path data_dir, Store* store, Summer* workers)
      : node_(std::move(node)), data_dir_(std::move(data_dir)), store_(store), workers_(workers) {}

  // What the root says of a federation whenever an upload is to start.
  void Know(const std::string& federation, const Admission& admission);
  // An update of this node was acknowledged. Does not block.
  void Contributed(const v1::ContributeRequest& request);

  // Exactly what the order says. Blocks; of one federation one after the other. INVALID_ARGUMENT with BlamedClient; any
  // other error but UNAVAILABLE, with which it ends once Stop was called: it cannot be had here.
  absl::StatusOr<std::unique_ptr<RoundTotal>> Sum(const v1::UpdateList& order,
                                                  const std::shared_ptr<const Errand>& errand);

  void Stop();
  // The root asks no more for sums of rounds up to this one. Does not block.
  void Forget(const std::string& federation, std::uint64_t round);

 private:
  Turns& TurnsOf(const std::string& federation);
  absl::StatusOr<std::unique_ptr<RoundTotal>> SumOf(const PublishJob& job, const Errand& errand);
  absl::StatusOr<std::unique_ptr<RoundTotal>> SumCaught(const v1::UpdateList& order,
                                                        const std::shared_ptr<const Errand>& errand);

  const std::string node_;
  const std::filesystem::path data_dir_;
  Store* store_;
  Summer* workers_;
  HereSummer here_;
  std::mutex mutex_;
  std::map<std::string, std::string> combine_;  // By federation; of those alone that add up.
  std::map<std::string, Turns> summing_;        // By federation; they stay.
};

}  // namespace cairn
