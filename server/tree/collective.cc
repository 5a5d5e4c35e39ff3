// Groups of libtorch's c10d: where members find each other, and where its exceptions end. What carries the numbers is a
// backend, collective_gloo.cc or collective_nccl.cc.
#include "server/tree/collective.h"

#include <pthread.h>
#include <signal.h>
#include <time.h>

#include <exception>
#include <filesystem>
#include <torch/csrc/distributed/c10d/FileStore.hpp>
#include <torch/csrc/distributed/c10d/PrefixStore.hpp>
#include <torch/csrc/distributed/c10d/TCPStore.hpp>
#include <utility>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/strip.h"
#include "base/status_macros.h"
#include "server/tree/collective_backend.h"
#include "server/tree/collective_functions.h"

namespace cairn {
namespace {

// Gloo writes to connections whose other end may be gone, and a process dies of SIGPIPE unless it says otherwise.
// Blocks it for this thread, and for threads that are started meanwhile: Gloo's.
class NoSigPipe {
 public:
  NoSigPipe() {
    sigemptyset(&pipe_);
    sigaddset(&pipe_, SIGPIPE);
    pthread_sigmask(SIG_BLOCK, &pipe_, &before_);
  }
  ~NoSigPipe() {
    // One that waits would come as soon as it may.
    const timespec now = {};
    if (sigismember(&before_, SIGPIPE) == 0) sigtimedwait(&pipe_, nullptr, &now);
    pthread_sigmask(SIG_SETMASK, &before_, nullptr);
  }
  NoSigPipe(const NoSigPipe&) = delete;
  NoSigPipe& operator=(const NoSigPipe&) = delete;

 private:
  sigset_t pipe_, before_;
};

// Errors of libtorch go on with a backtrace.
std::string FirstLine(const std::exception& error) {
  const std::string text = error.what();
  return text.substr(0, text.find('\n'));
}

absl::Status NoSuchRendezvous(const std::string& rendezvous) {
  return absl::InvalidArgumentError(
      absl::StrCat("rendezvous: expected file:DIR or tcp:HOST:PORT, got \"", rendezvous, "\""));
}

// Every attempt has a file of its own: a process that died while it wrote leaves half an entry behind.
absl::StatusOr<StorePtr> OpenFile(absl::string_view folder, const CollectiveOptions& options) {
  std::error_code ignored;
  const std::filesystem::path path(std::string{folder});
  if (!std::filesystem::is_directory(path, ignored)) {
    return absl::InvalidArgumentError(absl::StrCat("rendezvous: ", path.native(), " is no folder"));
  }
  constexpr int kKeepsFile = -1;  // It goes with the folder.
  return c10::make_intrusive<c10d::FileStore>(path / options.attempt, kKeepsFile);
}

absl::StatusOr<StorePtr> OpenTcp(absl::string_view place, const CollectiveOptions& options) {
  const std::size_t colon = place.rfind(':');
  std::uint32_t port = 0;
  if (colon == absl::string_view::npos || !absl::SimpleAtoi(place.substr(colon + 1), &port) || port == 0 ||
      port > 65'535) {
    return NoSuchRendezvous(options.rendezvous);
  }
  c10d::TCPStoreOptions tcp;
  tcp.port = static_cast<std::uint16_t>(port);
  tcp.waitWorkers = false;
  tcp.timeout = Milliseconds(options.timeout);
  return c10::make_intrusive<c10d::PrefixStore>(
      options.attempt, c10::make_intrusive<c10d::TCPStore>(std::string(place.substr(0, colon)), tcp));
}

absl::StatusOr<StorePtr> Open(const CollectiveOptions& options) {
  absl::string_view place = options.rendezvous;
  if (absl::ConsumePrefix(&place, "file:")) return OpenFile(place, options);
  if (absl::ConsumePrefix(&place, "tcp:")) return OpenTcp(place, options);
  return NoSuchRendezvous(options.rendezvous);
}

struct Backend {
  at::DeviceType device;
  absl::StatusOr<std::unique_ptr<CollectiveBackend>> (*connect)(const CollectiveOptions&, at::Device, const StorePtr&);
};

// The first is taken where no device is named.
constexpr Backend kBackends[] = {
#ifdef USE_C10D_GLOO
    {at::kCPU, ConnectGloo},
#endif
#ifdef USE_C10D_NCCL
    {at::kCUDA, ConnectNccl},
#endif
};

absl::StatusOr<at::Device> NamedDevice(const std::string& name) {
  if (name.empty()) return at::Device(kBackends[0].device);
  try {
    return at::Device(name);
  } catch (const std::exception& error) {
    return absl::InvalidArgumentError(absl::StrCat("device: ", FirstLine(error)));
  }
}

absl::StatusOr<std::unique_ptr<CollectiveBackend>> Connect(const CollectiveOptions& options) {
  CAIRN_ASSIGN_OR_RETURN(const at::Device device, NamedDevice(options.device));
  for (const Backend& backend : kBackends) {
    if (backend.device != device.type()) continue;
    CAIRN_ASSIGN_OR_RETURN(const StorePtr store, Open(options));
    store->setTimeout(Milliseconds(options.timeout));
    return backend.connect(options, device, store);
  }
  return absl::FailedPreconditionError(
      absl::StrCat("device: libcairn_collective.so was built without what adds up on ", options.device));
}

class C10dCollective final : public Collective {
 public:
  C10dCollective(std::unique_ptr<CollectiveBackend> backend, CollectiveOptions options)
      : backend_(std::move(backend)), options_(std::move(options)) {}

  ~C10dCollective() override {
    const NoSigPipe quiet;
    backend_.reset();
  }

  absl::Status AllReduceSum(absl::Span<std::int64_t> values) override { return AllReduce(values, c10d::ReduceOp::SUM); }
  absl::Status AllReduceMax(absl::Span<std::int64_t> values) override { return AllReduce(values, c10d::ReduceOp::MAX); }
  std::uint64_t bytes() const override { return bytes_; }

  static absl::Status Lost(const CollectiveOptions& options, const std::exception& error) {
    return absl::UnavailableError(absl::StrCat("group ", options.attempt, ", member ", options.rank, " of ",
                                               options.size, ": a member was lost or did not answer within ",
                                               absl::FormatDuration(options.timeout), ": ", FirstLine(error)));
  }

 private:
  absl::Status AllReduce(absl::Span<std::int64_t> values, c10d::ReduceOp op) {
    CAIRN_RETURN_IF_ERROR(broken_);
    if (values.empty()) return absl::OkStatus();
    const NoSigPipe quiet;
    try {
      backend_->AllReduce(values, op);
    } catch (const std::exception& error) {
      return broken_ = Lost(options_, error);
    }
    bytes_ += values.size() * sizeof(std::int64_t);
    return absl::OkStatus();
  }

  std::unique_ptr<CollectiveBackend> backend_;
  const CollectiveOptions options_;
  absl::Status broken_;
  std::uint64_t bytes_ = 0;
};

absl::StatusOr<std::unique_ptr<Collective>> JoinGroup(const CollectiveOptions& options) {
  const NoSigPipe quiet;
  try {
    CAIRN_ASSIGN_OR_RETURN(std::unique_ptr<CollectiveBackend> backend, Connect(options));
    return std::make_unique<C10dCollective>(std::move(backend), options);
  } catch (const std::exception& error) {
    return C10dCollective::Lost(options, error);
  }
}

class TcpRendezvous final : public Rendezvous {
 public:
  TcpRendezvous(std::string host, const c10d::TCPStoreOptions& options)
      : host_(std::move(host)), store_(c10::make_intrusive<c10d::TCPStore>(host_, options)) {}
  std::string name() const override { return absl::StrCat("tcp:", host_, ":", store_->getPort()); }

 private:
  const std::string host_;
  const c10::intrusive_ptr<c10d::TCPStore> store_;
};

absl::StatusOr<std::unique_ptr<Rendezvous>> Serve(const std::string& host, int port) {
  const NoSigPipe quiet;
  try {
    c10d::TCPStoreOptions options;
    options.port = static_cast<std::uint16_t>(port);
    options.isServer = true;
    options.waitWorkers = false;
    return std::make_unique<TcpRendezvous>(host, options);
  } catch (const std::exception& error) {
    return absl::UnavailableError(absl::StrCat("rendezvous at ", host, ":", port, ": ", FirstLine(error)));
  }
}

}  // namespace
}  // namespace cairn

extern "C" const cairn::CollectiveFunctions* cairn_collective_functions() {
  static const cairn::CollectiveFunctions functions = {.join = cairn::JoinGroup, .serve = cairn::Serve};
  return &functions;
}
