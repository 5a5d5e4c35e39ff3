#include "server/server.h"

#include <algorithm>
#include <atomic>
#include <filesystem>
#include <optional>
#include <utility>

#include "absl/strings/str_cat.h"
#include "base/clock.h"
#include "base/files.h"
#include "base/limits.h"
#include "base/open_files.h"
#include "base/status_macros.h"
#include "base/version.h"
#include "config/address.h"
#include "server/gateway/gateway.h"
#include "server/metrics/http_endpoint.h"
#include "server/metrics/metrics.h"
#include "server/root/coordinator.h"
#include "server/store/store.h"
#include "server/tree/node.h"

namespace cairn {
namespace {

namespace fs = std::filesystem;

constexpr char kLockFile[] = "cairn.lock";
constexpr char kEndpointFile[] = "endpoint";
constexpr char kMetricsEndpointFile[] = "metrics_endpoint";

// Objects of the shared store: the updates of every federation's open round and of the one that is being published,
// and as many again for what workers make of them and what is under way.
std::uint32_t ObjectsMax(std::size_t federations) {
  const std::uint64_t objects = 3 * limits::kCohortClientsMax * std::max<std::uint64_t>(federations, 1);
  return static_cast<std::uint32_t>(std::min<std::uint64_t>(objects, limits::kSharedObjectsMax));
}

class ServerImpl final : public Server {
 public:
  absl::Status Open(const ServerOptions& options);

  ~ServerImpl() override {
    ready_ = false;
    http_.reset();       // Its handlers look at the store.
    if (!lock_) return;  // The directory, and what is in it, is another server's.
    std::error_code error;
    fs::remove(data_dir_ / kEndpointFile, error);
    fs::remove(data_dir_ / kMetricsEndpointFile, error);
  }

  std::string address() const override { return gateway_->address(); }
  std::string metrics_address() const override { return metrics_address_; }

 private:
  absl::Status LockDirectory(const fs::path& path);
  absl::Status OpenStore(const ServerOptions& options);
  absl::Status StartNode(const ServerOptions& options, std::uint64_t shared);
  absl::Status ServeMetrics(const std::string& listen);
  absl::Status WriteEndpoints();
  absl::Status Ready() const {
    return ready_ ? absl::OkStatus() : absl::UnavailableError("starting: recovering the data directory");
  }

  // In the order of construction; destroyed backwards, the gateway first.
  SystemClock clock_;
  fs::path data_dir_;
  std::optional<FileLock> lock_;
  Metrics metrics_{kVersion};
  std::unique_ptr<tree::Node> node_;  // Null: nothing is shared.
  std::unique_ptr<Store> store_;
  std::unique_ptr<Coordinator> coordinator_;
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
  if (shared > 0) CAIRN_RETURN_IF_ERROR(StartNode(options, shared));
  if (options.durable) {
    CAIRN_ASSIGN_OR_RETURN(store_, OpenFileStore(options.data_dir, budget));
  } else {
    store_ = OpenMemoryStore(node_->store());
  }
  return absl::OkStatus();
}

absl::Status ServerImpl::StartNode(const ServerOptions& options, std::uint64_t shared) {
  // One descriptor for each slab, beside the connections. Where so many cannot be had, what comes last is refused.
  AllowOpenFiles(shared / SlabBytes(1) + limits::kCohortClientsMax).IgnoreError();
  tree::NodeOptions node{.metrics = &metrics_,
                         .budget = shared,
                         .objects_max = ObjectsMax(options.federations.size()),
                         .directory = options.data_dir / "node",
                         .spill = options.data_dir / "spill",
                         .workers = options.workers,
                         .worker = {}};
  if (!options.workers_by_hand) node.worker = {options.program.native(), "worker"};
  CAIRN_ASSIGN_OR_RETURN(node_, tree::Node::Start(node));
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
  return WriteFileAtomically(data_dir_ / kEndpointFile, address() + "\n");
}

absl::Status ServerImpl::Open(const ServerOptions& options) {
  CAIRN_RETURN_IF_ERROR(LockDirectory(options.data_dir));
  CAIRN_RETURN_IF_ERROR(OpenStore(options));
  CAIRN_RETURN_IF_ERROR(ServeMetrics(options.metrics_listen));
  CoordinatorOptions coordinator{options.data_dir, options.durable, options.federations};
  if (node_ != nullptr) coordinator.summer = node_->summer();
  CAIRN_ASSIGN_OR_RETURN(coordinator_, Coordinator::Open(std::move(coordinator), store_.get(), &metrics_, &clock_));
  GatewayOptions gateway{options.listen, options.tls, options.memory_budget - kProgramBytes, options.upload_max,
                         options.verify_sha256};
  CAIRN_ASSIGN_OR_RETURN(gateway_, Gateway::Start(gateway, coordinator_.get(), store_.get(), &metrics_));
  CAIRN_RETURN_IF_ERROR(WriteEndpoints());
  ready_ = true;
  return absl::OkStatus();
}

}  // namespace

absl::StatusOr<std::unique_ptr<Server>> Server::Start(const ServerOptions& options) {
  auto server = std::make_unique<ServerImpl>();
  CAIRN_RETURN_IF_ERROR(server->Open(options));
  return server;
}

}  // namespace cairn
