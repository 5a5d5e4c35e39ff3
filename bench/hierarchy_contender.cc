#include "bench/hierarchy_contender.h"

#include <poll.h>
#include <sys/socket.h>

#include <algorithm>
#include <cerrno>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"
#include "adapter/directory.h"
#include "base/status_macros.h"
#include "bench/cpu_time.h"
#include "bench/hierarchy_contenders.h"
#include "bench/hierarchy_redis_client.h"

namespace cairn::bench {
namespace {

namespace fs = std::filesystem;

constexpr absl::Duration kAnswerMax = absl::Minutes(10);
constexpr int kLookMilliseconds = 500;
constexpr absl::Duration kBrokerStartMax = absl::Seconds(10);
constexpr absl::Duration kPoll = absl::Milliseconds(10);
constexpr char kRedisServer[] = "/usr/bin/redis-server";

constexpr DesignFacts kDesigns[] = {
    {Design::kFloor, "floor", 0, 0},   {Design::kOne, "one", 0, 0},   {Design::kGateway, "gateway", 0, 0},
    {Design::kShared, "shared", 0, 0}, {Design::kUnix, "unix", 2, 0}, {Design::kGrpc, "grpc", 2, 0},
    {Design::kRedis, "redis", 4, 1},
};

// Both ends are inherited by all processes of the contender, and by no other's: they are closed before those start.
struct SocketPair {
  UniqueFd a, b;
};
absl::StatusOr<SocketPair> MakePair(int type) {
  int ends[2];
  if (socketpair(AF_UNIX, type, 0, ends) != 0) return ErrnoStatus(errno, "open", "a pair of sockets");
  return SocketPair{UniqueFd(ends[0]), UniqueFd(ends[1])};
}

std::vector<std::string> ArgumentsOf(const std::string& role, const DesignFacts& facts, const HierarchyEnds& ends) {
  return {fs::read_symlink("/proc/self/exe"),          absl::StrCat("--role=", role),
          absl::StrCat("--designs=", facts.name),      absl::StrCat("--directory=", ends.directory.string()),
          absl::StrCat("--peer=", ends.peer),          absl::StrCat("--data=", ends.data),
          absl::StrCat("--payload=", ends.payload),    absl::StrCat("--bytes=", ends.bytes),
          absl::StrCat("--in-flight=", ends.in_flight)};
}

// A fold of several updates, from the last one's arrival on, counts for each of them in equal parts.
void AddHops(const AggregatorReport& folded, Outcome& outcome) {
  for (std::size_t first = 0, end = 0; first < outcome.handoff.size(); first = end) {
    while (end < outcome.handoff.size() && folded.folded_at[end] == folded.folded_at[first]) ++end;
    const double fold = 1e-9 * static_cast<double>(folded.folded_at[first] - folded.there_at[end - 1]);
    for (std::size_t i = first; i < end; ++i) {
      outcome.hop.push_back(outcome.handoff[i] + fold / static_cast<double>(end - first));
    }
  }
}

Outcome OutcomeOf(const ProducerReport& produced, const AggregatorReport& folded) {
  Outcome outcome;
  for (std::size_t i = 0; i < produced.landed_at.size(); ++i) {
    outcome.handoff.push_back(1e-9 * static_cast<double>(folded.there_at[i] - produced.landed_at[i]));
  }
  AddHops(folded, outcome);
  outcome.total = 1e-9 * static_cast<double>(folded.folded_at.back() - produced.start);
  outcome.landing_cpu = 1e-9 * static_cast<double>(produced.landing_cpu);
  outcome.copied = static_cast<double>(folded.copied);
  return outcome;
}

}  // namespace

absl::Span<const DesignFacts> AllDesigns() { return kDesigns; }

absl::StatusOr<std::unique_ptr<Contender>> Contender::Start(const DesignFacts& facts, const HierarchyPayload& payload,
                                                            int in_flight, const fs::path& directory) {
  fs::create_directories(directory);
  CAIRN_RETURN_IF_ERROR(WriteFileAtomically(directory / kAdapterConfigFile, payload.adapter_config));
  std::unique_ptr<Contender> contender(new Contender(facts, directory));
  HierarchyEnds ends{.design = facts.design,
                     .directory = directory,
                     .payload = payload.fd.get(),
                     .bytes = payload.bytes,
                     .in_flight = in_flight};
  CAIRN_RETURN_IF_ERROR(contender->StartAll(ends));
  return contender;
}

absl::Status Contender::StartAll(HierarchyEnds ends) {
  if (facts_.design <= Design::kOne) return Spawn("alone", ArgumentsOf("alone", facts_, ends));
  CAIRN_ASSIGN_OR_RETURN(const SocketPair peers, MakePair(SOCK_SEQPACKET));
  CAIRN_ASSIGN_OR_RETURN(const SocketPair data,
                         MakePair(facts_.design == Design::kUnix ? SOCK_STREAM : SOCK_SEQPACKET));
  HierarchyEnds far = ends;
  ends.peer = peers.a.get(), ends.data = data.a.get();
  far.peer = peers.b.get(), far.data = data.b.get();
  if (facts_.design == Design::kRedis) CAIRN_RETURN_IF_ERROR(StartBroker());
  if (facts_.design == Design::kShared) CAIRN_RETURN_IF_ERROR(Spawn("agent", ArgumentsOf("agent", facts_, ends)));
  if (facts_.design == Design::kGateway) {
    CAIRN_RETURN_IF_ERROR(Spawn("producer", ArgumentsOf("producer", facts_, ends)));
    return Spawn("aggregator", ArgumentsOf("aggregator", facts_, far));
  }
  CAIRN_RETURN_IF_ERROR(Spawn("aggregator", ArgumentsOf("aggregator", facts_, far)));
  return Spawn("producer", ArgumentsOf("producer", facts_, ends));
}

absl::Status Contender::Spawn(const std::string& role, const std::vector<std::string>& arguments) {
  CAIRN_ASSIGN_OR_RETURN(ChildProcess process, ChildProcess::Spawn({arguments, {}, directory_ / "log", true}));
  children_.push_back({role, std::move(process), {}});
  CAIRN_ASSIGN_OR_RETURN(const std::string line, LineOf(children_.back()));
  return line == "ready" ? absl::OkStatus() : absl::UnavailableError(line);
}

absl::Status Contender::StartBroker() {
  const fs::path socket = directory_ / kRedisSocket;
  const std::vector<std::string> arguments = {
      kRedisServer,   "--port", "0",     "--unixsocket",     socket, "--save", "",
      "--appendonly", "no",     "--dir", directory_.string()};
  CAIRN_ASSIGN_OR_RETURN(ChildProcess process, ChildProcess::Spawn({arguments, {}, directory_ / "log"}));
  children_.push_back({"redis-server", std::move(process), {}});
  absl::Status connected;
  for (const absl::Time end = absl::Now() + kBrokerStartMax; absl::Now() < end; absl::SleepFor(kPoll)) {
    connected = RedisClient::Connect(socket).status();
    if (connected.ok()) break;
  }
  return connected;
}

absl::Status Contender::CheckAlive() {
  for (Child& child : children_) {
    if (!child.process.ExitCode()) continue;
    return absl::UnavailableError(absl::StrCat(child.role, " ended:\n", TailOf(directory_ / "log", 20)));
  }
  return absl::OkStatus();
}

absl::StatusOr<std::string> Contender::LineOf(Child& child) {
  const absl::Time end = absl::Now() + kAnswerMax;
  while (child.lines.empty()) {
    pollfd wait{child.process.output(), POLLIN, 0};
    const bool readable = poll(&wait, 1, kLookMilliseconds) > 0;
    for (std::string& line : child.process.ReadLines()) child.lines.push_back(std::move(line));
    if (!child.lines.empty()) break;
    // Another one may have ended, so that this one waits in vain.
    if (!readable || (wait.revents & POLLIN) == 0) CAIRN_RETURN_IF_ERROR(CheckAlive());
    if (absl::Now() > end) return absl::DeadlineExceededError(child.role + " does not answer");
  }
  std::string line = std::move(child.lines.front());
  child.lines.pop_front();
  return line;
}

double Contender::CpuSeconds() const {
  double seconds = 0;
  for (const Child& child : children_) seconds += CpuSecondsOf(child.process.pid());
  return seconds;
}

absl::StatusOr<Outcome> Contender::Run(const Order& order) {
  const auto child = [this](absl::string_view role) {
    const auto it = std::find_if(children_.begin(), children_.end(), [&](const Child& c) { return c.role == role; });
    return it == children_.end() ? &children_.back() : &*it;  // One that is alone is both.
  };
  Child *const producer = child("producer"), *const aggregator = child("aggregator");
  const double cpu_before = CpuSeconds();
  const std::string text = TextOf(order) + "\n";
  CAIRN_RETURN_IF_ERROR(producer->process.Write(text));
  if (aggregator != producer) CAIRN_RETURN_IF_ERROR(aggregator->process.Write(text));
  CAIRN_ASSIGN_OR_RETURN(const std::string produced_line, LineOf(*producer));
  CAIRN_ASSIGN_OR_RETURN(const ProducerReport produced, ParseProducerReport(produced_line));
  CAIRN_ASSIGN_OR_RETURN(const std::string folded_line, LineOf(*aggregator));
  CAIRN_ASSIGN_OR_RETURN(const AggregatorReport folded, ParseAggregatorReport(folded_line));
  Outcome outcome = OutcomeOf(produced, folded);
  outcome.cpu = CpuSeconds() - cpu_before;
  return outcome;
}

}  // namespace cairn::bench
