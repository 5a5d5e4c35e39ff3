#include <future>
#include <optional>
#include <utility>

#include "base/status_macros.h"
#include "bench/hierarchy_agent.h"
#include "bench/hierarchy_contenders.h"
#include "bench/hierarchy_sockets.h"
#include "server/store/shared/store_client.h"

namespace cairn::bench {
namespace {

// Whoever landed the bytes had them in the cache and would know it; no contender computes one here.
constexpr std::uint32_t kNoCrc = 0;

class SharedOutbox final : public Outbox {
 public:
  SharedOutbox(const HierarchyEnds& ends, std::shared_ptr<StoreClient> client)
      : ends_(ends), client_(std::move(client)) {}
  absl::StatusOr<absl::Span<char>> Room() override {
    CAIRN_ASSIGN_OR_RETURN(NewObject object, client_->Create(ends_.bytes));
    return object_.emplace(std::move(object)).data();
  }
  absl::Status Send() override {
    CAIRN_ASSIGN_OR_RETURN(const ObjectKey key, std::move(*object_).Seal(kNoCrc));
    return SendValue(ends_.peer, key);
  }

 private:
  const HierarchyEnds ends_;
  const std::shared_ptr<StoreClient> client_;
  std::optional<NewObject> object_;
};

class GatewayOutbox final : public Outbox {
 public:
  GatewayOutbox(const HierarchyEnds& ends, std::unique_ptr<Agent> agent) : ends_(ends), agent_(std::move(agent)) {}
  absl::StatusOr<absl::Span<char>> Room() override {
    auto promise = std::make_shared<std::promise<absl::StatusOr<WritableObject>>>();
    agent_->store().Create(ends_.bytes, [promise](auto created) { promise->set_value(std::move(created)); });
    CAIRN_ASSIGN_OR_RETURN(WritableObject object, promise->get_future().get());
    return object_.emplace(std::move(object)).data();
  }
  absl::Status Send() override {
    CAIRN_ASSIGN_OR_RETURN(const ObjectKey key, std::move(*object_).Seal(kNoCrc));
    object_.reset();
    return SendValue(ends_.peer, key);
  }

 private:
  const HierarchyEnds ends_;
  const std::unique_ptr<Agent> agent_;
  std::optional<WritableObject> object_;
};

// What an aggregator holds of an object. When it lets go, the agent is told that nobody needs it any more.
struct Held {
  Held(LeasedObject leased, int gone_arg) : object(std::move(leased)), gone(gone_arg) {}
  ~Held() {
    const ObjectKey key = object->key();
    object.reset();
    SendValue(gone, key).IgnoreError();  // The agent may have gone.
  }
  std::optional<LeasedObject> object;
  const int gone;
};

class SharedInbox final : public Inbox {
 public:
  SharedInbox(const HierarchyEnds& ends, std::shared_ptr<StoreClient> client)
      : ends_(ends), client_(std::move(client)) {}
  absl::StatusOr<Arrival> Take() override {
    ObjectKey key;
    CAIRN_RETURN_IF_ERROR(ReceiveValue(ends_.peer, key));
    CAIRN_ASSIGN_OR_RETURN(LeasedObject object, client_->GetAhead(key));
    const absl::string_view bytes = object.bytes();
    const auto held = std::make_shared<Held>(std::move(object), ends_.data);
    return Arrival{bytes, held, [held] { return held->object->StillValid(); }};
  }
  bool Waiting() override { return IsReadable(ends_.peer); }
  std::uint64_t TakeCopied() override { return 0; }  // Nothing here copies.

 private:
  const HierarchyEnds ends_;
  const std::shared_ptr<StoreClient> client_;
};

}  // namespace

absl::StatusOr<std::unique_ptr<Outbox>> MakeSharedOutbox(const HierarchyEnds& ends) {
  CAIRN_ASSIGN_OR_RETURN(auto client, StoreClient::Connect(ends.directory / "store"));
  return std::make_unique<SharedOutbox>(ends, std::move(client));
}

absl::StatusOr<std::unique_ptr<Outbox>> MakeGatewayOutbox(const HierarchyEnds& ends) {
  CAIRN_ASSIGN_OR_RETURN(auto agent, Agent::Start(ends));
  return std::make_unique<GatewayOutbox>(ends, std::move(agent));
}

absl::StatusOr<std::unique_ptr<Inbox>> MakeSharedInbox(const HierarchyEnds& ends) {
  CAIRN_ASSIGN_OR_RETURN(auto client, StoreClient::Connect(ends.directory / "store"));
  return std::make_unique<SharedInbox>(ends, std::move(client));
}

}  // namespace cairn::bench
