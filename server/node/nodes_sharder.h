// Rounds whose updates lie at several nodes and whose rule needs all of them at once: each node combines some of the
// modules, for which it reads what it needs of the others.
#pragma once

#include <map>
#include <memory>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "proto/cairn/v1/node.pb.h"
#include "server/node/node_table.h"
#include "server/root/shards.h"

namespace cairn {

class NodesSharder final : public Sharder {
 public:
  // `local` combines rounds of which nothing is at nodes, and may be null. Both outlive this object.
  NodesSharder(NodeTable* nodes, Sharder* local) : nodes_(nodes), local_(local) {}

  // The round is combined by all nodes that can be read from, anew by those that are left when one is lost; at most 64
  // of them. UNAVAILABLE: a node with updates is away. Other errors but INVALID_ARGUMENT with BlamedClient: nodes
  // cannot do it, and the updates must be fetched. UNIMPLEMENTED: all of them lie here and there is no `local`, or a
  // node with updates cannot be read from.
  absl::StatusOr<std::vector<ShardPart>> Combine(const PublishJob& job, std::shared_ptr<const Shard> share) override;
  bool reaches_nodes() const override { return true; }

 private:
  using Parts = absl::StatusOr<std::vector<ShardPart>>;
  Parts CombineWith(const std::vector<v1::AttendRequest>& nodes, const std::map<std::string, std::string>& addresses,
                    const PublishJob& job);

  NodeTable* nodes_;
  Sharder* local_;
};

}  // namespace cairn
