#include "server/server.h"

#include <algorithm>
#include <atomic>
#include <chrono>
#include <filesystem>
#include <optional>
#include <utility>

#include "absl/strings/str_cat.h"
#include "aggregators/lowrank_module.h"
#include "base/clock.h"
#include "base/files.h"
#include "base/limits.h"
#include "base/open_files.h"
#include "base/status_macros.h"
#include "base/version.h"
#include "config/address.h"
#include "server/cpu_quota.h"
#include "server/directory_role.h"
#include "server/fold_speed.h"
#include "server/gateway/gateway.h"
#include "server/metrics/http_endpoint.h"
#include "server/metrics/metrics.h"
#include "server/node/identity.h"
#include "server/node/node_service.h"
#include "server/node/node_table.h"
#include "server/node/nodes_sharder.h"
#include "server/node/peer_service.h"
#include "server/node/remote_root.h"
#include "server/root/coordinator.h"
#include "server/root/shards.h"
#include "server/store/store.h"
#include "server/tree/local_tree.h"

namespace cairn {
namespace {

namespace fs = std::filesystem;

constexpr char kLockFile[] = "cairn.lock";
constexpr char kEndpointFile[] = "endpoint";
constexpr char kNodeEndpointFile[] = "node_endpoint";
constexpr char kPeerEndpointFile[] = "peer_endpoint";
constexpr char kMetricsEndpointFile[] = "metrics_endpoint";
constexpr char kCacheDirectory[] = "cache";
constexpr char kTreeDirectory[] = "node";
constexpr char kGatewayTreeDirectory[] = "workers";  // There, `node` is the file with its name.
constexpr std::chrono::seconds kNodeKeepalive(10);   // A node whose machine is dead is away within twice that.
constexpr int kNodeStreams = 4096;  // Of one connection: every client's calls, and updates that are fetched.

// Objects of the shared store: the updates of every federation's open round and of the one that is being published,
// and as many again for what workers make of them and what is under way.
std::uint32_t ObjectsMax(std::size_t federations) {
  const std::uint64_t objects = 3 * limits::kCohortClientsMax * std::max<std::uint64_t>(federations, 1);
  return static_cast<std::uint32_t>(std::min<std::uint64_t>(objects, limits::kSharedObjectsMax));
}

fs::path SpillDirectory(const ServerOptions& options) { return options.data_dir / "spill"; }

fs::path TreeDirectory(const ServerOptions& options) {
  return options.data_dir / (options.role == Role::kGateway ? kGatewayTreeDirectory : kTreeDirectory);
}

class ServerImpl final : public Server {
 public:
  absl::Status Open(const ServerOptions& options);

  ~ServerImpl() override {
    ready_ = false;
    http_.reset();                                       // Its handlers look at the store.
    if (remote_root_ != nullptr) remote_root_->Close();  // The gateway's streams wait for it.
    if (!lock_) return;                                  // The directory, and what is in it, is another server's.
    std::error_code error;
    for (const char* file : {kEndpointFile, kNodeEndpointFile, kPeerEndpointFile, kMetricsEndpointFile}) {
      fs::remove(data_dir_ / file, error);
    }
  }

  std::string address() const override { return gateway_ == nullptr ? "" : gateway_->address(); }
  std::string node_address() const override { return node_gateway_ == nullptr ? "" : node_gateway_->address(); }
  std::string peer_address() const override { return peer_gateway_ == nullptr ? "" : peer_gateway_->address(); }
  std::string metrics_address() const override { return metrics_address_; }

 private:
  absl::Status LockDirectory(const fs::path& path);
  absl::Status OpenStore(const ServerOptions& options);
  absl::Status StartTree(const ServerOptions& options, std::uint64_t shared);
  absl::Status ServeMetrics(const std::string& listen);
  absl::Status WriteEndpoints();
  absl::Status OpenRoot(const ServerOptions& options);
  absl::Status ServeNodes(const ServerOptions& options);
  absl::Status ServePeers(const ServerOptions& options);
  absl::Status OpenRemoteRoot(const ServerOptions& options);
  absl::Status ServeClients(const ServerOptions& options);
  absl::Status OfferToClients(const ServerOptions& options);
  absl::Status Ready() const {
    if (!ready_) return absl::UnavailableError("starting: recovering the data directory");
    return remote_root_ == nullptr ? absl::OkStatus() : remote_root_->attended();
  }

  // In the order of construction; destroyed backwards, the gateway first.
  SystemClock clock_;
  fs::path data_dir_;
  std::optional<FileLock> lock_;
  Metrics metrics_{kVersion};
  std::unique_ptr<tree::LocalTree> tree_;  // Null: nothing is shared.
  std::unique_ptr<Store> store_;
  std::unique_ptr<NodeTable> nodes_;
  std::unique_ptr<NodesSharder> sharder_;     // Where there are nodes.
  std::unique_ptr<Coordinator> coordinator_;  // Or ...
  std::unique_ptr<RemoteRoot> remote_root_;
  NodeIdentity identity_;  // Of a gateway.
  std::unique_ptr<Gateway> node_gateway_;
  std::unique_ptr<Gateway> peer_gateway_;
  std::unique_ptr<Gateway> gateway_;
  std::atomic<bool> ready_ = false;
  std::string metrics_address_;
  std::unique_ptr<HttpEndpoint> http_;
};

absl::Status ServerImpl::LockDirectory(const fs::path& path) {
  std::error_code error;
  fs::create_directories(path, error);
  if (error) return ErrnoStatus(error.value(), "create data_dir", path);
  auto lock = FileLock::Acquire(path / kLockFile);
  if (!lock.ok() && !absl::IsUnavailable(lock.status())) {
    return absl::Status(lock.status().code(),
                        absl::StrCat("data_dir ", path.string(), " cannot be written to: ", lock.status().message()));
  }
  if (!lock.ok()) {
    return absl::Status(lock.status().code(), absl::StrCat("data_dir ", path.string(),
                                                           " belongs to a running server: ", lock.status().message(),
                                                           "; stop it, or use another data_dir"));
  }
  lock_ = *std::move(lock);
  data_dir_ = path;
  return absl::OkStatus();
}

absl::Status ServerImpl::OpenStore(const ServerOptions& options) {
  const std::uint64_t budget = options.memory_budget - kProgramBytes - kNetworkBytes;
  const std::uint64_t shared = (options.durable ? 0 : budget) + (options.workers > 0 ? options.worker_memory : 0);
  std::error_code ignored;
  // What one that died has left.
  if (options.workers == 0) fs::remove_all(TreeDirectory(options), ignored);
  if (shared == 0) fs::remove_all(SpillDirectory(options), ignored);
  if (shared > 0) CAIRN_RETURN_IF_ERROR(StartTree(options, shared));
  if (options.durable) {
    CAIRN_ASSIGN_OR_RETURN(store_, OpenFileStore(options.data_dir, budget));
  } else {
    store_ = OpenMemoryStore(tree_->store());
  }
  return absl::OkStatus();
}

absl::Status ServerImpl::StartTree(const ServerOptions& options, std::uint64_t shared) {
  // One descriptor for each slab, beside the connections. Where so many cannot be had, what comes last is refused.
  AllowOpenFiles(shared / SlabBytes(1) + limits::kCohortClientsMax).IgnoreError();
  tree::LocalTreeOptions tree{.metrics = &metrics_,
                              .budget = shared,
                              .objects_max = ObjectsMax(options.federations.size()),
                              .directory = TreeDirectory(options),
                              .spill = SpillDirectory(options),
                              .lease = options.worker_lease,
                              .workers = options.workers,
                              .worker = {}};
  if (!options.workers_by_hand) tree.worker = {options.program.native(), "worker"};
  CAIRN_ASSIGN_OR_RETURN(tree_, tree::LocalTree::Start(tree));
  return absl::OkStatus();
}

absl::Status ServerImpl::ServeMetrics(const std::string& listen) {
  if (listen.empty()) return absl::OkStatus();
  CAIRN_ASSIGN_OR_RETURN(HostPort address, ParseHostPort(listen));
  HttpHandlers handlers;
  handlers.ready = [this] { return Ready(); };
  handlers.metrics = [this] {
    if (store_ != nullptr) metrics_.SetMemory(store_->budget().used(), store_->budget().capacity());
    return metrics_.Render();
  };
  CAIRN_ASSIGN_OR_RETURN(http_, HttpEndpoint::Start(address.host, address.port, std::move(handlers)));
  address.port = http_->port();
  metrics_address_ = FormatHostPort(address);
  return absl::OkStatus();
}

absl::Status ServerImpl::WriteEndpoints() {
  CAIRN_RETURN_IF_ERROR(WriteFileAtomically(data_dir_ / kMetricsEndpointFile, metrics_address_ + "\n"));
  CAIRN_RETURN_IF_ERROR(WriteFileAtomically(data_dir_ / kNodeEndpointFile, node_address() + "\n"));
  CAIRN_RETURN_IF_ERROR(WriteFileAtomically(data_dir_ / kPeerEndpointFile, peer_address() + "\n"));
  return WriteFileAtomically(data_dir_ / kEndpointFile, address() + "\n");
}

// Rather now than when a round fails for it.
absl::Status CheckModules(const std::vector<FederationOptions>& federations) {
  for (const FederationOptions& federation : federations) {
    if (!Shards(federation.method)) continue;
    if (absl::Status status = CheckLowRankModule(); !status.ok()) {
      return absl::Status(status.code(), absl::StrCat("federation \"", federation.name,
                                                      "\" needs matrices decomposed: ", status.message()));
    }
  }
  return absl::OkStatus();
}

absl::Status ServerImpl::OpenRoot(const ServerOptions& options) {
  CAIRN_RETURN_IF_ERROR(CheckModules(options.federations));
  if (!options.node_listen.empty()) nodes_ = std::make_unique<NodeTable>(store_.get(), options.verify_sha256);
  CoordinatorOptions coordinator{options.data_dir, options.durable, options.federations};
  coordinator.nodes = nodes_.get();
  if (tree_ != nullptr) {
    coordinator.summer = tree_->summer();
    coordinator.sharder = tree_->sharder();
  }
  if (nodes_ != nullptr) {
    sharder_ = std::make_unique<NodesSharder>(nodes_.get(), coordinator.sharder);
    coordinator.sharder = sharder_.get();
  }
  CAIRN_ASSIGN_OR_RETURN(coordinator_, Coordinator::Open(std::move(coordinator), store_.get(), &metrics_, &clock_));
  return nodes_ == nullptr ? absl::OkStatus() : ServeNodes(options);
}

absl::Status ServerImpl::ServeNodes(const ServerOptions& options) {
  GatewayOptions gateway{options.node_listen,     options.node_tls,      options.memory_budget - kProgramBytes,
                         options.upload_max,      options.verify_sha256, kNodeStreams,
                         /*check_identity=*/false};
  gateway.keepalive = kNodeKeepalive;
  const bool check_identity = !options.node_tls.client_ca.empty();
  const auto node = [this, check_identity](const GatewayContext& context) {
    return MakeNodeService(context, coordinator_.get(), nodes_.get(), check_identity);
  };
  const auto peer = [this, check_identity](const GatewayContext& context) {
    return MakePeerService(context, store_.get(), check_identity);
  };
  CAIRN_ASSIGN_OR_RETURN(node_gateway_,
                         Gateway::Start(gateway, coordinator_.get(), store_.get(), &metrics_, {node, peer}));
  return absl::OkStatus();
}

// Nobody but nodes, and nothing but reading.
absl::Status ServerImpl::ServePeers(const ServerOptions& options) {
  if (options.peer_listen.empty()) return absl::OkStatus();
  const GatewayOptions gateway{.listen = options.peer_listen,
                               .tls = {options.root_tls.certificate, options.root_tls.key, options.root_tls.ca},
                               .network_bytes_max = options.memory_budget - kProgramBytes,
                               .streams_per_connection = kNodeStreams};
  const auto peer = [this](const GatewayContext& context) {
    return MakePeerService(context, store_.get(), context.mutual_tls);
  };
  CAIRN_ASSIGN_OR_RETURN(peer_gateway_, Gateway::Start(gateway, nullptr, store_.get(), &metrics_, {peer}));
  return absl::OkStatus();
}

absl::Status ServerImpl::OpenRemoteRoot(const ServerOptions& options) {
  CAIRN_RETURN_IF_ERROR(ServePeers(options));  // First: the root is told where.
  CAIRN_ASSIGN_OR_RETURN(identity_, LoadNodeIdentity(options.data_dir, options.node));
  RemoteRootOptions root{options.root,
                         options.root_tls,
                         identity_.name,
                         identity_.directory,
                         options.data_dir / kCacheDirectory,
                         options.data_dir,
                         tree_ != nullptr ? tree_->summer() : nullptr,
                         tree_ != nullptr ? tree_->sharder() : nullptr,
                         options.workers,
                         options.peer_address.empty() ? peer_address() : options.peer_address,
                         &metrics_};
  CAIRN_ASSIGN_OR_RETURN(remote_root_, RemoteRoot::Open(std::move(root), store_.get()));
  return absl::OkStatus();
}

absl::Status ServerImpl::ServeClients(const ServerOptions& options) {
  const GatewayOptions gateway{options.listen, options.tls, options.memory_budget - kProgramBytes, options.upload_max,
                               options.verify_sha256};
  Root* root = coordinator_.get();
  if (remote_root_ != nullptr) root = remote_root_.get();
  CAIRN_ASSIGN_OR_RETURN(gateway_, Gateway::Start(gateway, root, store_.get(), &metrics_));
  return absl::OkStatus();
}

// Last: whom the root sends here finds somebody, and what the directory is bound to is what this process serves as.
// Until a node attends it takes no uploads.
absl::Status ServerImpl::OfferToClients(const ServerOptions& options) {
  if (remote_root_ == nullptr && nodes_ == nullptr) return absl::OkStatus();
  CAIRN_ASSIGN_OR_RETURN(const HostPort bound, ParseHostPort(address()));
  ClientsOffer offer;
  if (options.client_address.empty() && !IsWildcard(bound.host)) offer.address = address();
  if (options.client_address != "off" && !options.client_address.empty()) offer.address = options.client_address;
  if (!offer.address.empty()) {
    offer.zone = options.zone;
    offer.fold_seconds_per_byte = MeasureFoldSecondsPerByte();
    offer.cores = UsableCores();
    offer.workers = static_cast<std::uint32_t>(options.workers);
    offer.capacity = options.capacity > 0 ? static_cast<double>(options.capacity)
                                          : UpdateCapacity(offer.cores, offer.fold_seconds_per_byte);
  }
  if (remote_root_ != nullptr) {
    CAIRN_RETURN_IF_ERROR(KeepNodeIdentity(data_dir_, identity_));
    remote_root_->Attend(offer);
  } else {
    coordinator_->TakeClients(offer);
  }
  return absl::OkStatus();
}

absl::Status ServerImpl::Open(const ServerOptions& options) {
  CAIRN_RETURN_IF_ERROR(CheckDirectoryRole(options.data_dir, options.role));
  CAIRN_RETURN_IF_ERROR(LockDirectory(options.data_dir));
  CAIRN_RETURN_IF_ERROR(OpenStore(options));
  CAIRN_RETURN_IF_ERROR(ServeMetrics(options.metrics_listen));
  CAIRN_RETURN_IF_ERROR(options.role == Role::kGateway ? OpenRemoteRoot(options) : OpenRoot(options));
  if (options.role != Role::kRoot) {
    CAIRN_RETURN_IF_ERROR(ServeClients(options));
    CAIRN_RETURN_IF_ERROR(OfferToClients(options));
  }
  ready_ = true;
  return WriteEndpoints();  // Whoever waits for these finds it ready.
}

}  // namespace

absl::StatusOr<std::unique_ptr<Server>> Server::Start(const ServerOptions& options) {
  auto server = std::make_unique<ServerImpl>();
  CAIRN_RETURN_IF_ERROR(server->Open(options));
  return server;
}

}  // namespace cairn
