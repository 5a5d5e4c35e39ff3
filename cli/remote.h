// What the subcommands that talk to a server share: its address and TLS flags.
#pragma once

#include <grpcpp/channel.h>

#include <CLI/CLI.hpp>
#include <memory>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "client/sdk/client.h"

namespace cairn {

struct Remote {
  ClientOptions options;
  std::string root_ca, certificate, key;
  bool tls = false;
};

// --server, --tls, --root-ca, --certificate, --key. `remote` must outlive the parsing.
void AddRemoteFlags(CLI::App& command, Remote& remote);

// The flags as the SDK takes them.
ClientOptions OptionsOf(const Remote& remote);

// INVALID_ARGUMENT: no host:port. Does not connect yet.
absl::StatusOr<std::shared_ptr<grpc::Channel>> Connect(const Remote& remote);

// What went wrong, and what to do about it.
absl::Status ExplainRemote(const Remote& remote, const absl::Status& status);

}  // namespace cairn
