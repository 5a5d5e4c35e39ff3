// A worker's side alone: the agent is a script.
#include "server/store/shared/store_client.h"

#include <gtest/gtest.h>
#include <poll.h>

#include <filesystem>
#include <thread>
#include <utility>

#include "base/limits.h"
#include "base/test_directory.h"
#include "server/store/shared/memfd.h"
#include "server/store/shared/message.h"
#include "server/store/shared/packet_socket.h"
#include "server/store/shared/testing.h"

namespace cairn {
namespace {

constexpr std::uint64_t kBytes = 100 * limits::kMiB;

class ScriptedAgent {
 public:
  explicit ScriptedAgent(const std::filesystem::path& directory) : listener_(*PacketListener::Open(directory)) {}

  void Accept() {
    while (!socket_) {
      if (auto socket = listener_.Accept(); socket.ok()) socket_ = *std::move(socket);
    }
  }
  Request Hear() {
    pollfd wait{socket_.get(), POLLIN, 0};
    ::poll(&wait, 1, -1);
    const auto packet = ReceivePacket(socket_.get(), sizeof(Request));
    return packet.ok() && !packet->bytes.empty() ? *ParseRequest(packet->bytes) : Request{.op = Op::kHello};
  }
  void Answer(const Request& request, Reply reply, int fd) {
    reply.op = request.op;
    reply.number = request.number;
    reply.has_fd = fd >= 0 ? 1 : 0;
    EXPECT_TRUE(SendPacket(socket_.get(), PacketOf(reply), fd).ok());
  }

 private:
  PacketListener listener_;
  UniqueFd socket_;
};

// Had for the first time, a large slab takes longer than a short lease.
TEST(StoreClientTest, AWorkerThatHasASlabsPagesForTheFirstTimeShowsThatItIsAlive) {
  const TestDirectory directory;
  ScriptedAgent agent(directory / "store");
  int signs = 0;
  std::thread script([&signs, agent = std::move(agent)]() mutable {
    auto table = ObjectTable::Create(4);
    ASSERT_TRUE(table.ok());
    agent.Accept();
    agent.Answer(agent.Hear(), {.epoch = 1, .lease_ms = 60'000}, table->read_only_fd());
    const Request create = agent.Hear();
    ASSERT_EQ(create.op, Op::kCreate);
    const auto slab = CreateMemfd("slab", SlabBytes(kBytes));
    ASSERT_TRUE(slab.ok());
    const ObjectEntry entry{.state = ObjectState::kWriting, .bytes = kBytes, .slab = {1, 1}};
    agent.Answer(create, {.epoch = 1, .entry = entry}, slab->get());
    Request heard = agent.Hear();
    for (; heard.op == Op::kRenew; heard = agent.Hear()) ++signs;
    EXPECT_EQ(heard.op, Op::kSeal);
    agent.Answer(heard, {.epoch = 1}, -1);
  });
  auto client = StoreClient::Connect(directory / "store");
  ASSERT_TRUE(client.ok()) << client.status();
  auto object = (*client)->Create(kBytes);
  ASSERT_TRUE(object.ok()) << object.status();
  EXPECT_EQ(object->data().size(), kBytes);
  object->data()[kBytes - 1] = 'x';
  EXPECT_TRUE(std::move(*object).Seal(0).ok());
  script.join();
  EXPECT_GE(signs, 6) << "one for each 16 MiB";
}

}  // namespace
}  // namespace cairn
