// An update's way from one process to another that folds it: shared memory beside gRPC, a Unix socket and Redis, and
// beside a plain sum in one process. docs/hierarchy.md explains the tables.
#include <CLI/CLI.hpp>
#include <algorithm>
#include <cstdio>
#include <filesystem>
#include <string>
#include <system_error>
#include <vector>

#include "absl/strings/str_cat.h"
#include "base/status_macros.h"
#include "bench/hierarchy_batches.h"
#include "bench/hierarchy_clients.h"
#include "bench/hierarchy_options.h"
#include "bench/hierarchy_roles.h"
#include "bench/hierarchy_server.h"
#include "bench/hierarchy_speed.h"

namespace cairn::bench {
namespace {

namespace fs = std::filesystem;

struct Flags {
  HierarchyOptions options;
  std::vector<std::string> designs;
  std::string only;
  bool quick = false;
  std::string role;  // Of a child.
  HierarchyEnds ends;
};

// Enough to see that everything works.
void BeQuick(HierarchyOptions& options) {
  options.megabytes = options.server_megabytes = {1.5};
  options.clients = {3};
  options.runs = 1;
  options.run_megabytes = 1;
  options.handoffs = 20;
  options.memory_seconds = 0;
}

std::vector<DesignFacts> DesignsOf(const std::vector<std::string>& names) {
  std::vector<DesignFacts> designs;
  for (const DesignFacts& facts : AllDesigns()) {
    const bool named = std::find(names.begin(), names.end(), facts.name) != names.end();
    // Everything is compared with the floor.
    if (names.empty() || named || facts.design == Design::kFloor) designs.push_back(facts);
  }
  return designs;
}

absl::Status Measure(Flags& flags) {
  if (flags.quick) BeQuick(flags.options);
  flags.options.designs = DesignsOf(flags.designs);
  auto wanted = [&](const char* part) { return flags.only.empty() || flags.only == part; };
  if (wanted("speed")) CAIRN_RETURN_IF_ERROR(MeasureHierarchySpeed(flags.options));
  if (wanted("batches")) CAIRN_RETURN_IF_ERROR(MeasureHierarchyBatches(flags.options));
  if (wanted("clients")) CAIRN_RETURN_IF_ERROR(MeasureHierarchyClients(flags.options));
  if (wanted("server")) CAIRN_RETURN_IF_ERROR(MeasureHierarchyServer(flags.options));
  return absl::OkStatus();
}

absl::Status MeasureInDirectory(Flags& flags) {
  std::string pattern = fs::temp_directory_path() / "cairn-hierarchy-XXXXXX";
  if (mkdtemp(pattern.data()) == nullptr) return absl::UnavailableError(absl::StrCat("cannot create ", pattern));
  flags.options.directory = pattern;
  const absl::Status status = Measure(flags);
  std::error_code error;
  fs::remove_all(pattern, error);
  return status;
}

absl::Status PlayRoleOf(Flags& flags) {
  flags.ends.design = DesignsOf(flags.designs).back().design;
  flags.ends.in_flight = flags.options.in_flight;
  return PlayRole(flags.role, flags.ends);
}

int Main(Flags& flags) {
  const absl::Status status = flags.role.empty() ? MeasureInDirectory(flags) : PlayRoleOf(flags);
  if (!status.ok()) std::fprintf(stderr, "hierarchy_bench: %s\n", status.ToString().c_str());
  return status.ok() ? 0 : 1;
}

void AddRoleOptions(CLI::App& app, Flags& flags) {
  const std::string group = "What this program tells itself";
  app.add_option("--role", flags.role, "Be this child")->group(group);
  app.add_option("--directory", flags.ends.directory, "Of sockets")->group(group);
  app.add_option("--peer", flags.ends.peer, "Socket")->group(group);
  app.add_option("--data", flags.ends.data, "Socket")->group(group);
  app.add_option("--payload", flags.ends.payload, "File")->group(group);
  app.add_option("--bytes", flags.ends.bytes, "Of an update")->group(group);
}

}  // namespace
}  // namespace cairn::bench

int main(int argc, char** argv) {
  CLI::App app("From one process to the fold in another: shared memory, gRPC, a Unix socket, Redis");
  cairn::bench::Flags flags;
  cairn::bench::HierarchyOptions& options = flags.options;
  app.add_option("--only", flags.only, "Only this part")
      ->check(CLI::IsMember({"speed", "batches", "clients", "server"}));
  app.add_option("--sizes", options.megabytes, "Of an update, in MB")->delimiter(',')->capture_default_str();
  app.add_option("--server-sizes", options.server_megabytes, "Of an update to a real server, in MB")
      ->delimiter(',')
      ->capture_default_str();
  app.add_option("--memory-seconds", options.memory_seconds, "Watch the memory of a real server for so long at least")
      ->capture_default_str();
  app.add_option("--round-gigabytes", options.round_gigabytes_max, "Most that the clients of a real server may push")
      ->capture_default_str();
  app.add_option("--runs", options.runs, "Of each contender")->check(CLI::PositiveNumber)->capture_default_str();
  app.add_option("--clients", options.clients, "Numbers of updates in a row")->delimiter(',')->capture_default_str();
  app.add_option("--designs", flags.designs, "Of floor, one, gateway, shared, unix, grpc, redis; all if not given")
      ->delimiter(',')
      ->check(CLI::IsMember({"floor", "one", "gateway", "shared", "unix", "grpc", "redis"}));
  app.add_option("--in-flight", options.in_flight, "Updates on the way in a stream")
      ->check(CLI::Range(1, 64))
      ->capture_default_str();
  app.add_option("--cell-seconds", options.cell_seconds_max, "Numbers of clients that take longer are left out")
      ->capture_default_str();
  app.add_flag("--quick", flags.quick, "One run of one small size: does it work?");
  cairn::bench::AddRoleOptions(app, flags);
  CLI11_PARSE(app, argc, argv);
  return cairn::bench::Main(flags);
}
