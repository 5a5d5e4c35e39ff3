#include "bench/hierarchy_served.h"

#include <set>
#include <system_error>
#include <utility>

#include "absl/strings/str_cat.h"
#include "base/digest.h"
#include "base/files.h"
#include "base/limits.h"
#include "base/status_macros.h"
#include "bench/hierarchy_payload.h"
#include "tests/integration/worker_pids.h"

namespace cairn::bench {
namespace {

namespace fs = std::filesystem;

constexpr char kFederation[] = "bench";
constexpr int kBudgetMib = 512;  // The default.
// Between last values of updates: small beside the others, so that sums take no more planes than those of real updates.
constexpr float kValueStep = 1e-6f;

}  // namespace

absl::StatusOr<Payloads> MakeCrowdPayloads(std::uint64_t bytes, int clients) {
  CAIRN_ASSIGN_OR_RETURN(const HierarchyPayload file, MakeHierarchyPayload(bytes));
  Payloads payloads{file.adapter_config, {}};
  for (int client = 0; client < clients; ++client) {
    CAIRN_ASSIGN_OR_RETURN(auto payload,
                           MapPayload(file.fd.get(), file.bytes, kValueStep * static_cast<float>(client)));
    payloads.clients.push_back(std::move(payload));
  }
  return payloads;
}

absl::StatusOr<std::unique_ptr<Served>> Served::Start(const Serving& serving, const Payloads& payloads,
                                                      const fs::path& directory) {
  std::unique_ptr<Served> served(new Served(directory));
  ServerSpec spec{directory, serving.durable, kBudgetMib, {{kFederation, "mean", serving.clients}}};
  spec.workers = serving.workers;
  spec.metrics = true;
  CAIRN_ASSIGN_OR_RETURN(ServerProcess server, ServerProcess::StartCairn(spec));
  served->server_.emplace(std::move(server));
  CAIRN_RETURN_IF_ERROR(served->AwaitWorkers(serving.workers));
  CAIRN_ASSIGN_OR_RETURN(
      Crowd crowd, Crowd::Join(served->server_->address(), kFederation, payloads, serving.clients, serving.lines));
  served->crowd_.emplace(std::move(crowd));
  return served;
}

Served::~Served() {
  crowd_.reset();
  server_.reset();
  std::error_code ignored;
  fs::remove_all(directory_, ignored);
}

absl::Status Served::AwaitWorkers(int count) const {
  const auto all = [&] { return testing::WorkersOf(server_->pid()).size() == static_cast<std::size_t>(count); };
  return testing::Eventually(all) ? absl::OkStatus() : absl::UnavailableError("the server has not started its workers");
}

std::vector<pid_t> Served::Processes() const {
  std::vector<pid_t> processes = {server_->pid()};
  const std::set<pid_t> workers = testing::WorkersOf(server_->pid());
  processes.insert(processes.end(), workers.begin(), workers.end());
  return processes;
}

absl::StatusOr<StepTotals> Served::Steps() const { return ReadSteps(server_->metrics_address(), kFederation); }

absl::StatusOr<std::string> Served::FirstDigest() const {
  const fs::path version = directory_ / "data" / "published" / kFederation / "v00001";
  CAIRN_ASSIGN_OR_RETURN(const std::string bytes, ReadFile(version / "adapter_model.safetensors", limits::kGiB));
  return Sha256Hex(bytes);
}

}  // namespace cairn::bench
