#include "server/store/shared/store_agent.h"

#include <sys/epoll.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <deque>
#include <map>
#include <utility>

#include "absl/strings/str_cat.h"
#include "base/limits.h"
#include "base/open_files.h"
#include "base/status_macros.h"
#include "server/store/shared/agent_connection.h"
#include "server/store/shared/packet_socket.h"

namespace cairn {
namespace {

constexpr int kEventsAtATime = 64;
constexpr absl::Duration kSleepMax = absl::Hours(1);  // What fits epoll_wait's milliseconds with ease.

}  // namespace

struct StoreAgent::Loop {
  Loop(SharedStore* store_arg, PacketListener listener_arg, UniqueFd epoll_arg)
      : store(store_arg), listener(std::move(listener_arg)), epoll(std::move(epoll_arg)) {}

  absl::Status Watch(int fd) const {
    epoll_event event{.events = EPOLLIN, .data = {.fd = fd}};
    if (::epoll_ctl(epoll.get(), EPOLL_CTL_ADD, fd, &event) == 0) return absl::OkStatus();
    return ErrnoStatus(errno, "watch", "store.sock");
  }

  void Run() {
    while (!stopping) {
      ServeReady(SleepMilliseconds());
      if (store->clock().Now() >= NextLate()) EndLate();
    }
    connections.clear();
  }

  bool ServeReady(int milliseconds) {
    std::array<epoll_event, kEventsAtATime> events;
    const int ready = ::epoll_wait(epoll.get(), events.data(), events.size(), milliseconds);
    for (int i = 0; i < ready && !stopping; ++i) Serve(events[i].data.fd);
    return ready > 0;
  }

  // Who was late may be this agent: what came meanwhile is read first. The kernel reports sockets in turn, so that
  // after so many rounds each was heard, even beside one that never stops talking.
  void EndLate() {
    const std::size_t rounds = connections.size() / kEventsAtATime + 2;
    for (std::size_t i = 0; i < rounds && !stopping && ServeReady(0); ++i) continue;
    store->FenceLate();
    while (!strangers.empty() && strangers.front().due <= store->clock().Now()) {
      const auto stranger = strangers.front().connection.lock();
      strangers.pop_front();
      if (stranger == nullptr || stranger->epoch() != kAgentEpoch) continue;
      stranger->TellLate();
      connections.erase(stranger->fd());
    }
  }

  absl::Time NextLate() {
    const auto known = [](const Stranger& stranger) {
      const auto connection = stranger.connection.lock();
      return connection == nullptr || connection->epoch() != kAgentEpoch;
    };
    while (!strangers.empty() && known(strangers.front())) strangers.pop_front();
    return std::min(store->NextFence(), strangers.empty() ? absl::InfiniteFuture() : strangers.front().due);
  }

  int SleepMilliseconds() {
    const absl::Time next = NextLate();
    if (next == absl::InfiniteFuture()) return -1;
    const absl::Duration left = std::clamp(next - store->clock().Now(), absl::ZeroDuration(), kSleepMax);
    return static_cast<int>(absl::ToInt64Milliseconds(absl::Ceil(left, absl::Milliseconds(1))));
  }

  void Serve(int fd) {
    if (fd == listener.fd()) return Accept();
    if (fd == mailbox->fd()) {
      for (const Mailbox::Task& task : mailbox->TakeAll()) task();
      return;
    }
    const auto it = connections.find(fd);
    if (it != connections.end() && !it->second->Serve()) connections.erase(it);
  }

  void Accept() {
    auto socket = listener.Accept();
    if (!socket.ok()) return;
    const absl::StatusOr<ProcessId> process = Admit(socket->get());
    if (!process.ok()) {
      Reply reply{.op = Op::kHello};
      reply.set_status(process.status());
      SendPacket(socket->get(), PacketOf(reply)).IgnoreError();  // It may have gone.
      EndReceiving(socket->get());
      return;
    }
    const int fd = socket->get();
    if (!Watch(fd).ok()) return;
    const auto connection = std::make_shared<AgentConnection>(store, mailbox, *std::move(socket), *process);
    connections[fd] = connection;
    strangers.push_back({store->clock().Now() + store->options().lease_time, connection});
  }

  absl::StatusOr<ProcessId> Admit(int socket) const {
    if (connections.size() < limits::kStoreSessionsMax) return PeerOf(socket);
    return absl::ResourceExhaustedError(
        absl::StrCat(connections.size(), " workers are connected, expected at most ", limits::kStoreSessionsMax));
  }

  void TellRetired(Epoch epoch) {
    const auto is_its = [epoch](const auto& entry) { return entry.second->epoch() == epoch; };
    const auto it = std::find_if(connections.begin(), connections.end(), is_its);
    if (it != connections.end() && !it->second->TellRetired()) connections.erase(it);
  }

  // Who has to say hello, and until when.
  struct Stranger {
    absl::Time due;
    std::weak_ptr<AgentConnection> connection;
  };

  SharedStore* const store;
  PacketListener listener;
  const UniqueFd epoll;
  const std::shared_ptr<Mailbox> mailbox = std::make_shared<Mailbox>();
  bool stopping = false;
  std::map<int, std::shared_ptr<AgentConnection>> connections;  // By socket.
  std::deque<Stranger> strangers;                               // In the order of their times; some are none any more.
};

StoreAgent::StoreAgent(std::unique_ptr<Loop> loop) : loop_(std::move(loop)) {
  Loop* raw = loop_.get();
  // A slab may retire on any thread, also after this agent: then nobody takes what is posted.
  loop_->store->OnRetired(
      [mailbox = raw->mailbox, raw](Epoch epoch) { mailbox->Post([raw, epoch] { raw->TellRetired(epoch); }); });
  thread_ = std::thread([raw] { raw->Run(); });
}

absl::StatusOr<std::unique_ptr<StoreAgent>> StoreAgent::Start(SharedStore* store,
                                                              const std::filesystem::path& directory) {
  // One descriptor for each slab and each worker. Where so many cannot be had, what comes last is refused.
  const std::size_t slabs =
      std::min<std::uint64_t>(store->options().objects_max, store->options().budget / SlabBytes(1));
  AllowOpenFiles(slabs + limits::kStoreSessionsMax).IgnoreError();
  CAIRN_ASSIGN_OR_RETURN(PacketListener listener, PacketListener::Open(directory));
  UniqueFd epoll(::epoll_create1(EPOLL_CLOEXEC));
  if (!epoll) return ErrnoStatus(errno, "epoll_create for", directory);
  auto loop = std::make_unique<Loop>(store, std::move(listener), std::move(epoll));
  CAIRN_RETURN_IF_ERROR(loop->Watch(loop->listener.fd()));
  CAIRN_RETURN_IF_ERROR(loop->Watch(loop->mailbox->fd()));
  return std::unique_ptr<StoreAgent>(new StoreAgent(std::move(loop)));
}

StoreAgent::~StoreAgent() {
  loop_->mailbox->Post([loop = loop_.get()] { loop->stopping = true; });
  thread_.join();
  loop_->store->OnRetired(nullptr);
}

void StoreAgent::Wake() {
  loop_->mailbox->Post([] {});
}

}  // namespace cairn
