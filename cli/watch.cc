#include "cli/watch.h"

#include <grpcpp/client_context.h>
#include <unistd.h>

#include <chrono>
#include <condition_variable>
#include <cstdio>
#include <memory>
#include <mutex>
#include <string>
#include <thread>
#include <utility>

#include "base/status_macros.h"
#include "cli/outcome.h"
#include "cli/remote.h"
#include "cli/round_text.h"
#include "client/sdk/connection.h"
#include "client/sdk/retry_loop.h"
#include "client/sdk/status.h"
#include "proto/cairn/v1/federation.grpc.pb.h"

namespace cairn {
namespace {

constexpr std::chrono::seconds kPatience(3);

constexpr char kFooter[] =
    "Example:\n"
    "  cairn watch licenses --server 127.0.0.1:7070\n"
    "\n"
    "prints how versions are made, then a line an event, until the federation has finished or Ctrl-C:\n"
    "  licenses: combine stack, rule examples, publish stack\n"
    "  14:02:11  round 2/3    contributed  client-3  |  3 of 5; client-4 at 63 %; client-5 not started\n"
    "When the server or its root is away it says so, and goes on as soon as it is back.\n"
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

// Says so when nothing has come for a while: a gateway whose root is away takes its time to answer.
class Patience {
 public:
  explicit Patience(std::string server) : server_(std::move(server)), thread_([this] { Run(); }) {}
  ~Patience() {
    Heard();
    thread_.join();
  }
  void Heard() {
    {
      std::lock_guard lock(mutex_);
      heard_ = true;
    }
    changed_.notify_one();
  }

 private:
  void Run() {
    std::unique_lock lock(mutex_);
    if (changed_.wait_for(lock, kPatience, [this] { return heard_; })) return;
    std::fprintf(stderr, "cairn watch: waiting for %s to answer\n", server_.c_str());
  }

  const std::string server_;
  std::mutex mutex_;
  std::condition_variable changed_;
  bool heard_ = false;
  std::thread thread_;
};

// One stream, to its end. OK: the federation has finished.
absl::Status Follow(sdk::Connection& connection, Lines& lines, sdk::RetryLoop& retry, std::string& told) {
  grpc::ClientContext context;
  v1::WatchRequest request;
  request.set_federation(connection.options.federation);
  const auto reader = connection.stub->Watch(&context, request);
  Patience patience(connection.options.server);
  v1::RoundEvent event;
  while (reader->Read(&event)) {
    patience.Heard();
    retry.Progress();
    told.clear();
    lines.Show(event);
    if (event.info().phase() == v1::ROUND_PHASE_FINISHED) {
      context.TryCancel();
      reader->Finish();
      return absl::OkStatus();
    }
  }
  const absl::Status ended = sdk::FromGrpc(reader->Finish(), connection.cancellation);
  return ended.ok() ? absl::UnavailableError("the server ended the stream of events") : ended;
}

absl::Status Watch(const Flags& flags) {
  CAIRN_ASSIGN_OR_RETURN(auto channel, Connect(flags.remote));
  ClientOptions options = OptionsOf(flags.remote);
  options.federation = flags.federation;
  std::string told;  // The same once is enough.
  options.on_retry = [&](const absl::Status& failure, absl::Duration) {
    const std::string why(failure.message());
    if (why == told) return;
    std::fprintf(stderr, "cairn watch: %s\n  Trying again until it answers; Ctrl-C ends.\n", why.c_str());
    told = why;
  };
  sdk::Connection connection(options, channel);
  sdk::RetryLoop retry(connection, flags.federation);
  Lines lines;
  while (true) {
    const absl::Status ended = Follow(connection, lines, retry, told);
    if (ended.ok()) return ended;
    CAIRN_RETURN_IF_ERROR(retry.PauseAfter(ExplainRemote(flags.remote, ended)));
  }
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
