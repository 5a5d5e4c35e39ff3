#include "cli/status.h"

#include <google/protobuf/util/json_util.h>
#include <grpcpp/client_context.h>

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <memory>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "base/status_macros.h"
#include "base/table.h"
#include "cli/outcome.h"
#include "cli/remote.h"
#include "cli/round_text.h"
#include "proto/cairn/v1/federation.grpc.pb.h"

namespace cairn {
namespace {

constexpr std::chrono::seconds kDeadline(10);

constexpr char kFooter[] =
    "Example:\n"
    "  cairn status --server 127.0.0.1:7070 --clients\n"
    "\n"
    "prints\n"
    "  federation  combine  rule      publish  round  phase  version  error  waiting for\n"
    "  licenses    stack    examples  stack    2/3    open   1        0      2 of 5; client-3 at 63 %\n"
    "\n"
    "error: how far the version is from the exact weighted sum of its round's updates, relative to that sum.\n"
    "\n"
    "Where the rule looks at the updates, and with --clients, a table follows of what became of them in the latest\n"
    "version: each client's weight, its distance from the result and the cosine of the angle to it, and why it was\n"
    "voted down.\n";

struct Flags {
  Remote remote;
  std::string federation;
  bool clients = false;
  bool json = false;
};

std::string MemoryText(const v1::StatusReply& reply) {
  return absl::StrFormat("memory: %.1f of %.1f MiB of updates\n", reply.memory_used_bytes() / 1048576.0,
                         reply.memory_budget_bytes() / 1048576.0);
}

std::string ErrorText(const v1::RoundInfo& info) {
  return info.has_relative_error() ? absl::StrFormat("%.2g", info.relative_error()) : "-";
}

// Whether there is more to say of the clients than what they said of themselves.
bool WereJudged(const v1::RoundInfo& round) {
  return std::any_of(round.outcomes().begin(), round.outcomes().end(),
                     [](const v1::ClientOutcome& outcome) { return outcome.has_distance() || !outcome.accepted(); });
}

absl::Status Print(const v1::StatusReply& reply, const Flags& flags) {
  if (flags.json) {
    std::string json;
    google::protobuf::util::JsonPrintOptions options;
    options.add_whitespace = true;
    options.preserve_proto_field_names = true;
    options.always_print_primitive_fields = true;
    if (!google::protobuf::util::MessageToJsonString(reply, &json, options).ok()) {
      return absl::InternalError("the reply has no JSON form");
    }
    std::fputs(json.c_str(), stdout);
    return absl::OkStatus();
  }
  std::fputs(FormatStatus(reply).c_str(), stdout);
  for (const v1::RoundInfo& round : reply.rounds()) {
    if (flags.clients) std::fputs(FormatClients(round).c_str(), stdout);
    const bool any = round.outcomes_size() > 0;
    if (any && (flags.clients || WereJudged(round))) std::fputs(FormatOutcomes(round).c_str(), stdout);
  }
  return absl::OkStatus();
}

absl::Status Status(const Flags& flags) {
  CAIRN_ASSIGN_OR_RETURN(auto channel, Connect(flags.remote));
  grpc::ClientContext context;
  context.set_deadline(std::chrono::system_clock::now() + kDeadline);
  v1::StatusRequest request;
  request.set_federation(flags.federation);
  v1::StatusReply reply;
  const grpc::Status status = v1::Federation::NewStub(channel)->Status(&context, request, &reply);
  CAIRN_RETURN_IF_ERROR(ExplainRemote(
      flags.remote, absl::Status(static_cast<absl::StatusCode>(status.error_code()), status.error_message())));
  return Print(reply, flags);
}

}  // namespace

std::string FormatStatus(const v1::StatusReply& reply) {
  std::vector<std::vector<std::string>> rows = {
      {"federation", "combine", "rule", "publish", "round", "phase", "version", "error", "waiting for"}};
  for (const v1::RoundInfo& info : reply.rounds()) {
    rows.push_back({info.federation(), info.combine(), info.rule(), info.publish(), RoundNumber(info),
                    std::string(PhaseName(info.phase())), absl::StrCat(info.version()), ErrorText(info),
                    info.waiting_for()});
  }
  return FormatTable(rows, Align::kLeft) + MemoryText(reply);
}

void AddStatus(CLI::App& app) {
  CLI::App* command = app.add_subcommand("status", "Show what every round of a server is waiting for");
  auto flags = std::make_shared<Flags>();
  AddRemoteFlags(*command, flags->remote);
  command->add_option("-f,--federation", flags->federation, "Only this federation");
  command->add_flag("--clients", flags->clients, "A line for every client as well");
  command->add_flag("--json", flags->json, "The server's whole answer, as JSON");
  command->footer(kFooter);
  command->callback([flags] { Conclude("status", Status(*flags)); });
}

}  // namespace cairn
