#include "cli/remote.h"

#include <string>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "client/sdk/channel.h"
#include "config/address.h"

namespace cairn {

void AddRemoteFlags(CLI::App& command, Remote& remote) {
  remote.options.server = "127.0.0.1:7070";
  command.add_option("-s,--server", remote.options.server, "Address of the server, host:port")->capture_default_str();
  command.add_flag("--tls", remote.tls, "Connect with TLS; implied by the options below");
  command.add_option("--root-ca", remote.root_ca, "PEM file of the CA that signed the server's certificate");
  command.add_option("--certificate", remote.certificate, "PEM file of the own certificate, for mutual TLS");
  command.add_option("--key", remote.key, "PEM file of its key");
}

ClientOptions OptionsOf(const Remote& remote) {
  ClientOptions options = remote.options;
  options.tls.root_ca = remote.root_ca;
  options.tls.certificate = remote.certificate;
  options.tls.key = remote.key;
  options.tls.enabled = remote.tls || !remote.root_ca.empty() || !remote.certificate.empty() || !remote.key.empty();
  return options;
}

absl::StatusOr<std::shared_ptr<grpc::Channel>> Connect(const Remote& remote) {
  // gRPC would dial port 0, or a name that it takes for a kind of address.
  if (!absl::StrContains(remote.options.server, ':')) {
    return absl::InvalidArgumentError(
        absl::StrCat("--server: ", ParseHostPort(remote.options.server).status().message()));
  }
  return sdk::OpenChannel(OptionsOf(remote));
}

absl::Status ExplainRemote(const Remote& remote, const absl::Status& status) {
  if (status.ok()) return absl::OkStatus();
  std::string message(status.message());
  if (absl::IsUnavailable(status) && absl::StartsWith(message, "the root ")) {
    message = absl::StrCat("the gateway at ", remote.options.server, " answers, but its root does not: ", message);
  } else if (absl::IsUnavailable(status)) {
    absl::StrAppend(&message, "\n  Is a server listening on ", remote.options.server,
                    "? Start one with `cairn serve --config FILE`, or name another with --server host:port.");
  }
  return absl::Status(status.code(), message);
}

}  // namespace cairn
