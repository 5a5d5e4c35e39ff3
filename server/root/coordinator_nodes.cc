// Nodes that come and go.
#include <spdlog/spdlog.h>

#include <utility>

#include "server/root/coordinator.h"

namespace cairn {
namespace {

constexpr char kThisNode[] = "(root)";  // Which is no node's name.

}  // namespace

std::vector<std::string> Coordinator::FederationNames() const {
  std::vector<std::string> names;
  for (const FederationOptions& options : options_.federations) names.push_back(options.name);
  return names;
}

void Coordinator::TellEach(const std::function<absl::Status(Federation&)>& event) {
  for (const auto& [name, federation] : federations_) {
    if (absl::Status told = event(*federation); !told.ok()) spdlog::error("{}: {}", name, told.ToString());
  }
}

void Coordinator::CheckNode(const std::string& node, const std::string& directory,
                            std::function<void(absl::Status)> done) {
  Enqueue([this, node, directory, done = std::move(done)](const absl::Status& begun) -> Reply {
    const absl::Status checked = begun.ok() ? database_->CheckNode(node, directory, FederationNames()) : begun;
    return [done, checked](const absl::Status& committed) { done(committed.ok() ? checked : committed); };
  });
}

void Coordinator::NodeArrived(const std::string& node, const std::string& directory, const ClientsOffer& offer,
                              Done<std::vector<std::string>> done) {
  Enqueue([this, node, directory, offer, done = std::move(done)](const absl::Status& begun) -> Reply {
    const absl::Status claimed =
        begun.ok() ? database_->ClaimNode(node, directory, FederationNames()) : absl::OkStatus();
    if (!claimed.ok()) {
      return [done, claimed](const absl::Status& committed) { done(committed.ok() ? claimed : committed); };
    }
    host_.present.insert(node);  // Federations that are loaded later look at it.
    if (placer_) placer_->NodeCame(node, offer);
    if (begun.ok()) TellEach([&](Federation& f) { return f.NodeArrived(node); });
    return [this, done](const absl::Status& committed) {
      if (!committed.ok()) return done(committed);
      done(FederationNames());
    };
  });
}

void Coordinator::NodeLeft(const std::string& node) {
  Enqueue([this, node](const absl::Status& begun) -> Reply {
    host_.present.erase(node);
    if (placer_) placer_->places().NodeWent(node);
    if (begun.ok()) {
      TellEach([&](Federation& f) { return f.NodeLeft(node); });
    } else {
      left_untold_.insert(node);
    }
    return [](const absl::Status&) {};
  });
}

void Coordinator::TakeClients(const ClientsOffer& offer) {
  Enqueue([this, offer](const absl::Status&) -> Reply {
    if (placer_) placer_->NodeCame(kThisNode, offer);
    return [](const absl::Status&) {};
  });
}

// Those who left while no transaction could begin, and have not come back since. When this transaction fails, the
// federations are loaded again, and look at who is present.
void Coordinator::TellWhoLeft() {
  for (const std::string& node : std::exchange(left_untold_, {})) {
    if (host_.present.count(node) == 0) TellEach([&](Federation& f) { return f.NodeLeft(node); });
  }
}

}  // namespace cairn
