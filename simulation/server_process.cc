#include "simulation/server_process.h"

#include <system_error>
#include <utility>

#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"
#include "base/interrupt.h"
#include "base/status_macros.h"
#include "config/yaml.h"
#include "proto/cairn/v1/config.pb.h"
#include "simulation/experiment.h"

namespace cairn {
namespace {

constexpr absl::Duration kStartTimeout = absl::Seconds(30);
constexpr char kEndpointFile[] = "endpoint";  // Written by the server into its data directory once it is ready.

v1::FederationConfig FederationWith(const std::string& method, const ServerSpec& spec) {
  v1::FederationConfig federation;
  federation.set_name(FederationOf(method));
  federation.set_combine(method);
  federation.set_rule(spec.rule);
  for (const std::string& guard : spec.guards) federation.add_guards(guard);
  for (const std::string& module : spec.rule_modules) federation.add_rule_modules(module);
  federation.set_relative_to_published(spec.relative_to_published);
  federation.set_rounds(spec.rounds);
  federation.mutable_clients()->set_min(spec.clients);
  federation.mutable_clients()->set_target(spec.clients);
  return federation;
}

absl::StatusOr<std::string> AwaitEndpoint(const ServerSpec& spec, ChildProcess& server) {
  const absl::Time end = absl::Now() + kStartTimeout;
  while (absl::Now() < end) {
    CAIRN_RETURN_IF_ERROR(InterruptGuard::Check());
    server.ReadLines();
    const absl::StatusOr<std::string> text = ReadFile(spec.directory / "data" / kEndpointFile, 1024);
    if (text.ok() && !text->empty()) return std::string(absl::StripAsciiWhitespace(*text));
    if (const std::optional<int> code = server.ExitCode()) {
      return absl::InternalError(absl::StrCat("the server ended with exit code ", *code, ". The end of ",
                                              spec.log.string(), ":\n", TailOf(spec.log, 12)));
    }
    absl::SleepFor(absl::Milliseconds(20));
  }
  return absl::DeadlineExceededError(absl::StrCat("the server was not ready after ",
                                                  absl::FormatDuration(kStartTimeout), "; see ", spec.log.string()));
}

}  // namespace

std::string ServerYaml(const ServerSpec& spec) {
  v1::ServerConfig config;
  config.set_listen("127.0.0.1:0");
  config.set_metrics_listen("127.0.0.1:0");
  config.set_data_dir((spec.directory / "data").string());
  for (const std::string& method : spec.methods) *config.add_federations() = FederationWith(method, spec);
  return ToYaml(config);
}

absl::StatusOr<RunningServer> StartServer(const ServerSpec& spec) {
  std::error_code error;
  std::filesystem::create_directories(spec.directory, error);
  if (error) return ErrnoStatus(error.value(), "create", spec.directory);
  const std::filesystem::path config = spec.directory / "server.yaml";
  CAIRN_RETURN_IF_ERROR(WriteFileAtomically(config, ServerYaml(spec)));
  CAIRN_ASSIGN_OR_RETURN(
      ChildProcess process,
      ChildProcess::Spawn({{spec.executable.string(), "serve", "--config", config.string()}, {}, spec.log}));
  CAIRN_ASSIGN_OR_RETURN(std::string endpoint, AwaitEndpoint(spec, process));
  return RunningServer{std::move(process), std::move(endpoint)};
}

}  // namespace cairn
