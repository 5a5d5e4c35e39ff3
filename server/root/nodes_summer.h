// Adds up rounds whose updates lie at several nodes: each node adds up its own, and only the sums come here.
#pragma once

#include <cstdint>
#include <memory>
#include <string>

#include "absl/status/statusor.h"
#include "server/root/here_summer.h"
#include "server/root/nodes.h"
#include "server/root/summer.h"
#include "server/store/store.h"

namespace cairn {

class NodesSummer final : public Summer {
 public:
  // `local` adds up what lies here; may be null. All outlive this object.
  NodesSummer(Summer* local, Nodes* nodes, Store* store) : local_(local), nodes_(nodes), store_(store) {}

  void Contributed(const std::string& federation, std::uint64_t round, const Method& method,
                   const Contribution& contribution) override;
  // Contributions without a payload are at their receipt's node. Of a node that cannot add up they are fetched to
  // `store`. INVALID_ARGUMENT, with BlamedClients: some cannot be added, or their nodes have lost them. UNAVAILABLE: a
  // node is away. UNIMPLEMENTED: all of them lie here, and there is no `local`.
  absl::StatusOr<std::unique_ptr<RoundTotal>> Sum(const PublishJob& job) override;
  // Nodes that are being waited for come to their end when they do not attend any more.
  void Stop() override;
  void Forget(const std::string& federation, std::uint64_t round) override;

 private:
  using Total = absl::StatusOr<std::unique_ptr<RoundTotal>>;
  Total SumPart(const std::string& node, PublishJob& part);
  Total SumHere(const PublishJob& part);
  Total SumOfNode(const std::string& node, PublishJob& part);

  Summer* local_;
  Nodes* nodes_;
  Store* store_;
  HereSummer here_;
};

}  // namespace cairn
