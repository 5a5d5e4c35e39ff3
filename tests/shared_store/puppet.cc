#include "tests/shared_store/puppet.h"

#include <fcntl.h>
#include <poll.h>
#include <sys/socket.h>

#include <array>

#include "absl/strings/str_cat.h"
#include "server/store/shared/packet_socket.h"

namespace cairn::testing {
namespace {

constexpr int kPatienceMilliseconds = 20'000;
constexpr std::size_t kAnswerBytesMax = 1000;

bool Readable(int fd, int milliseconds) {
  pollfd wait{fd, POLLIN, 0};
  return ::poll(&wait, 1, milliseconds) > 0;
}

}  // namespace

std::string WorkerProgram() {
  return (std::filesystem::read_symlink("/proc/self/exe").parent_path() / "shared_store_worker").native();
}

Puppet::Puppet(const std::filesystem::path& directory) {
  std::array<int, 2> ends;
  EXPECT_EQ(::socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends.data()), 0);
  socket_ = UniqueFd(ends[0]);
  const UniqueFd inherited(ends[1]);
  ::fcntl(inherited.get(), F_SETFD, 0);
  auto process = Child::Spawn({WorkerProgram(), absl::StrCat(inherited.get()), directory.native()}, "/dev/stderr");
  EXPECT_TRUE(process.ok()) << process.status();
  if (process.ok()) process_ = *std::move(process);
}

void Puppet::Tell(absl::string_view command) { EXPECT_TRUE(SendPacket(socket_.get(), command).ok()) << command; }

bool Puppet::Silent() const { return !Readable(socket_.get(), 0); }

std::string Puppet::Hear() {
  if (!Readable(socket_.get(), kPatienceMilliseconds)) return "error no answer";
  const auto packet = ReceivePacket(socket_.get(), kAnswerBytesMax);
  if (!packet.ok() || packet->bytes.empty()) return "error the worker has gone";
  return packet->bytes.rfind("ok ", 0) == 0 ? packet->bytes.substr(3) : packet->bytes;
}

std::string Puppet::Ask(absl::string_view command) {
  Tell(command);
  return Hear();
}

void AgentTest::Open(SharedStoreOptions options) {
  Close();
  options.clock = &clock_;
  store_ = OpenStore(std::move(options));
  auto agent = StoreAgent::Start(store_.get(), socket_);
  ASSERT_TRUE(agent.ok()) << agent.status();
  agent_ = *std::move(agent);
}

void AgentTest::Close() {
  agent_.reset();
  store_.reset();
}

void AgentTest::Advance(absl::Duration by) {
  clock_.Advance(by);
  agent_->Wake();
}

std::unique_ptr<Puppet> AgentTest::Connected() {
  auto puppet = std::make_unique<Puppet>(socket_);
  EXPECT_NE(puppet->Ask("connect").rfind("error", 0), 0u);
  return puppet;
}

}  // namespace cairn::testing
