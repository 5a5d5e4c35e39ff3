#include "cli/watch.h"

#include <grpcpp/client_context.h>
#include <unistd.h>

#include <cstdio>
#include <memory>
#include <string>

#include "base/status_macros.h"
#include "cli/outcome.h"
#include "cli/remote.h"
#include "cli/round_text.h"
#include "proto/cairn/v1/federation.grpc.pb.h"

namespace cairn {
namespace {

constexpr char kFooter[] =
    "Example:\n"
    "  cairn watch licenses --server 127.0.0.1:7070\n"
    "\n"
    "prints how versions are made, then a line an event, until the federation has finished or Ctrl-C:\n"
    "  licenses: combine stack, rule examples, publish stack\n"
    "  14:02:11  round 2/3    contributed  client-3  |  3 of 5; client-4 at 63 %; client-5 not started\n"
    "Below a version that was published, a line for each client that was voted down says why.\n"
    "On a terminal, progress is one line that is overwritten.\n";

struct Flags {
  Remote remote;
  std::string federation;
};

// Lines that last, and one that does not.
class Lines {
 public:
  void Show(const v1::RoundEvent& event) {
    const bool passing = terminal_ && event.kind() == v1::RoundEvent::KIND_PROGRESS;
    if (terminal_) std::fputs("\r\x1b[K", stdout);
    if (event.kind() == v1::RoundEvent::KIND_SNAPSHOT) std::fputs((FormatMethod(event.info()) + "\n").c_str(), stdout);
    std::fputs(FormatEvent(event).c_str(), stdout);
    if (!passing) std::fputs("\n", stdout);
    std::fputs(FormatVotedDown(event.info()).c_str(), stdout);
    std::fflush(stdout);
  }

 private:
  const bool terminal_ = isatty(STDOUT_FILENO) == 1;
};

absl::Status Watch(const Flags& flags) {
  CAIRN_ASSIGN_OR_RETURN(auto channel, Connect(flags.remote));
  auto stub = v1::Federation::NewStub(channel);
  grpc::ClientContext context;
  v1::WatchRequest request;
  request.set_federation(flags.federation);
  auto reader = stub->Watch(&context, request);
  Lines lines;
  v1::RoundEvent event;
  while (reader->Read(&event)) {
    lines.Show(event);
    if (event.info().phase() == v1::ROUND_PHASE_FINISHED) {
      context.TryCancel();
      reader->Finish();
      return absl::OkStatus();
    }
  }
  return ExplainRemote(flags.remote, reader->Finish());
}

}  // namespace

void AddWatch(CLI::App& app) {
  CLI::App* command = app.add_subcommand("watch", "Follow the rounds of a federation as they happen");
  auto flags = std::make_shared<Flags>();
  AddRemoteFlags(*command, flags->remote);
  command->add_option("federation", flags->federation, "Name of the federation")->required();
  command->footer(kFooter);
  command->callback([flags] { Conclude("watch", Watch(*flags)); });
}

}  // namespace cairn
