// Objects that go from process to process.
#include <fcntl.h>
#include <gmock/gmock.h>
#include <sys/mman.h>
#include <unistd.h>

#include <cstdio>
#include <cstdlib>

#include "absl/strings/str_cat.h"
#include "server/store/shared/message.h"
#include "server/store/shared/packet_socket.h"
#include "tests/shared_store/puppet.h"

namespace cairn::testing {
namespace {

using ::testing::HasSubstr;
using ::testing::StartsWith;

class LendTest : public AgentTest {
 protected:
  ObjectKey PutOne(absl::string_view bytes) {
    const auto key = Put(*store_, bytes);
    EXPECT_TRUE(key.ok()) << key.status();
    return key.value_or(ObjectKey{});
  }
  std::string Get(Puppet& puppet, const ObjectKey& key) { return puppet.Ask("get " + key.ToHex()); }
};

TEST_F(LendTest, TheAgentsObjectsAreReadByWorkers) {
  const ObjectKey key = PutOne(Pattern(1, 3'000'000));
  const auto first = Connected(), second = Connected();
  EXPECT_EQ(Get(*first, key), "3000000 same valid");
  EXPECT_EQ(Get(*second, key), "3000000 same valid");
  EXPECT_EQ(store_->stats().leases, 2u);
  ASSERT_TRUE(store_->Remove(key).ok());
  EXPECT_THAT(Get(*Connected(), key), StartsWith("error NOT_FOUND"));
  EXPECT_EQ(first->Ask("release " + key.ToHex()), "1");
  EXPECT_EQ(second->Ask("read " + key.ToHex()), "3000000 same valid");
  EXPECT_EQ(second->Ask("release " + key.ToHex()), "1");
  EXPECT_TRUE(Eventually([&] { return store_->stats().budget_used == 0; }));
  EXPECT_EQ(store_->stats().leases, 0u);
}

TEST_F(LendTest, AWorkersObjectsAreReadByTheOthers) {
  const auto writer = Connected(), reader = Connected();
  const std::string hex = writer->Ask("create 2500000 a");
  EXPECT_THAT(reader->Ask("get " + hex), HasSubstr("is not sealed yet"));
  EXPECT_EQ(writer->Ask("seal " + hex), "");
  EXPECT_EQ(reader->Ask("get " + hex), "2500000 same valid");
  EXPECT_EQ(writer->Ask("get " + hex), "2500000 same valid");
  const ObjectKey key = *ObjectKey::FromHex(hex);
  EXPECT_TRUE(Read(*store_, key) == std::string(2'500'000, 'a'));
  EXPECT_TRUE(store_->Remove(key).ok());
}

TEST_F(LendTest, WhoHasTheSlabReadsAheadOfTheAgentAndHoldsALease) {
  const auto reader = Connected();
  for (int i = 0; i < 40; ++i) {  // More than a socket's queue would hold, if they were answered and nobody read it.
    const ObjectKey key = PutOne(Pattern(i, 3'000'000));
    EXPECT_EQ(reader->Ask("ahead " + key.ToHex()), "3000000 same valid");
    EXPECT_TRUE(Eventually([&] { return store_->stats().leases == 1; }));
    ASSERT_TRUE(store_->Remove(key).ok());
    EXPECT_EQ(store_->stats().objects, 1u);  // It stays for its reader.
    EXPECT_EQ(reader->Ask("release " + key.ToHex()), "1");
    EXPECT_TRUE(Eventually([&] { return store_->stats().objects == 0; }));
    EXPECT_THAT(reader->Ask("ahead " + key.ToHex()), StartsWith("error NOT_FOUND"));
  }
}

TEST_F(LendTest, AWorkerThatHasWaitedLongEnoughLeavesTheLine) {
  const ObjectKey all = PutOne(Pattern(1, 8 * kSlab));
  const auto hasty = Connected(), patient = Connected();
  hasty->Tell("create 3000000 a 50");
  ASSERT_TRUE(Eventually([&] { return store_->stats().waiting == 1; }));
  patient->Tell("create 100 b");
  EXPECT_THAT(hasty->Hear(), StartsWith("error RESOURCE_EXHAUSTED"));
  EXPECT_TRUE(Eventually([&] { return store_->stats().waiting == 1; })) << "the other one waits on";
  ASSERT_TRUE(store_->Remove(all).ok());
  EXPECT_EQ(patient->Ask("seal " + patient->Hear()), "");
  const std::string hex = hasty->Ask("create 100 a 10000");
  EXPECT_EQ(hasty->Ask("seal " + hex), "") << "it may go on";
}

TEST_F(LendTest, AWorkerWritesItsNextObjectIntoTheSameWarmSlab) {
  const auto writer = Connected();
  for (int i = 0; i < 20; ++i) {
    const std::string hex = writer->Ask("create 100 a");
    ASSERT_EQ(writer->Ask("seal " + hex), "");
    EXPECT_EQ(store_->stats().mapped, kSlab);
    ASSERT_TRUE(store_->Remove(*ObjectKey::FromHex(hex)).ok());
    EXPECT_TRUE(Eventually([&] { return store_->stats().budget_used == 0; }));
  }
  EXPECT_EQ(store_->stats().idle, kSlab);
}

TEST_F(LendTest, OnlyTheWriterSealsAndGivesUp) {
  const auto writer = Connected(), other = Connected();
  const std::string hex = writer->Ask("create 100 a");
  const ObjectKey key = *ObjectKey::FromHex(hex);
  EXPECT_TRUE(absl::IsPermissionDenied(store_->Seal(kAgentEpoch, key, 0)));
  EXPECT_TRUE(absl::IsPermissionDenied(store_->Abandon(kAgentEpoch, key)));
  EXPECT_EQ(writer->Ask("abandon " + hex), "1");
  EXPECT_TRUE(Eventually([&] { return store_->stats().objects == 0; }));
  EXPECT_THAT(other->Ask("get " + hex), StartsWith("error NOT_FOUND"));
}

TEST_F(LendTest, OldAndForgedKeysGiveNoBytes) {
  const ObjectKey old = PutOne("old");
  ASSERT_TRUE(store_->Remove(old).ok());
  ObjectKey forged = PutOne("new");
  forged.check ^= 0x8000;
  const auto worker = Connected();
  EXPECT_THAT(Get(*worker, old), StartsWith("error NOT_FOUND"));
  EXPECT_THAT(Get(*worker, forged), StartsWith("error PERMISSION_DENIED"));
  EXPECT_THAT(Get(*worker, {77777, 1, 1}), StartsWith("error NOT_FOUND"));
  EXPECT_EQ(store_->stats().leases, 0u);
}

TEST_F(LendTest, AWorkerWaitsForRoomAsTheGatewayDoes) {
  const ObjectKey large = PutOne(std::string(8 * kSlab, 'x'));
  const auto worker = Connected();
  worker->Tell("create 100 a");
  EXPECT_TRUE(Eventually([&] { return store_->stats().waiting == 1; }));
  EXPECT_TRUE(worker->Silent());
  ASSERT_TRUE(store_->Remove(large).ok());
  EXPECT_EQ(worker->Hear().size(), 32u);
  EXPECT_THAT(Connected()->Ask("create 99999999 a"), StartsWith("error RESOURCE_EXHAUSTED"));
}

TEST_F(LendTest, ASpilledObjectIsReadFromItsFile) {
  Open({.budget = 2 * kSlab, .spill_directory = directory_ / "spill"});
  const ObjectKey key = PutOne(Pattern(5, 70'000));
  PutOne(std::string(2 * kSlab, 'x'));
  EXPECT_TRUE(Eventually([&] { return store_->stats().spilled == 1; }));
  const auto worker = Connected();
  EXPECT_EQ(Get(*worker, key), "70000 same valid");
  EXPECT_EQ(worker->Ask("release " + key.ToHex()), "1");
}

TEST_F(LendTest, AWorkerWithoutDescriptorsHoldsNothingThatItCannotRead) {
  const ObjectKey key = PutOne("bytes");
  const auto worker = Connected();
  ASSERT_EQ(worker->Ask("descriptors none"), "");
  EXPECT_THAT(Get(*worker, key), StartsWith("error RESOURCE_EXHAUSTED"));
  EXPECT_TRUE(Eventually([&] { return store_->stats().leases == 0; }));
  EXPECT_THAT(worker->Ask("create 100 a"), StartsWith("error RESOURCE_EXHAUSTED"));
  EXPECT_TRUE(Eventually([&] { return store_->stats().objects == 1; }));
  ASSERT_EQ(worker->Ask("descriptors again"), "");
  EXPECT_EQ(Get(*worker, key), "5 same valid") << "the agent thinks that the worker has the slab";
  const std::string hex = worker->Ask("create 100 a");
  EXPECT_EQ(worker->Ask("seal " + hex), "");
}

// As a worker that breaks every rule would have it: the descriptor itself.
class StolenSlab : public LendTest {
 protected:
  void SetUp() override {
    socket_fd_ = *ConnectToPackets(socket_);
    EXPECT_TRUE(Call({.op = Op::kHello, .number = 1}).ok());
  }
  absl::StatusOr<Packet> Call(const Request& request) {
    EXPECT_TRUE(SendPacket(socket_fd_.get(), PacketOf(request)).ok());
    return ReceivePacket(socket_fd_.get(), sizeof(Reply));
  }
  UniqueFd Steal(const Request& request) {
    auto packet = Call(request);
    EXPECT_TRUE(packet.ok() && packet->fd);
    const auto reply = ParseReply(packet->bytes);
    EXPECT_TRUE(reply.ok()) << reply.status();
    key_ = reply->entry.key;
    return std::move(packet->fd);
  }
  UniqueFd Steal(const ObjectKey& key) { return Steal({.op = Op::kGet, .number = 2, .key = key}); }
  static void ExpectUnwritable(int fd) {
    EXPECT_EQ(::mmap(nullptr, kSlab, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0), MAP_FAILED);
    EXPECT_EQ(::pwrite(fd, "x", 1, 0), -1);
    EXPECT_EQ(::ftruncate(fd, 0), -1);
    EXPECT_EQ(::ftruncate(fd, 2 * kSlab), -1);
    EXPECT_EQ(::fallocate(fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, 0, 4096), -1);
  }
  static void ExpectUnwritableByAnyWay(int fd) {
    ExpectUnwritable(fd);
    const UniqueFd again(::open(absl::StrCat("/proc/self/fd/", fd).c_str(), O_RDWR | O_CLOEXEC));
    ASSERT_TRUE(again);  // Its owner may open it; that is all.
    ExpectUnwritable(again.get());
  }
  UniqueFd socket_fd_;
  ObjectKey key_;  // Of the stolen slab's object.
};

TEST_F(StolenSlab, OfTheAgentCannotBeWritten) { ExpectUnwritableByAnyWay(Steal(PutOne("bytes")).get()); }

TEST_F(StolenSlab, OfAnotherWorkerCannotBeWritten) {
  const auto writer = Connected();
  const std::string hex = writer->Ask("create 100 a");
  ASSERT_EQ(writer->Ask("seal " + hex), "");
  ExpectUnwritableByAnyWay(Steal(*ObjectKey::FromHex(hex)).get());
}

TEST_F(StolenSlab, ThatIsNotSealedKeepsItsSize) {
  const UniqueFd fd = Steal({.op = Op::kCreate, .number = 2, .bytes = 100});
  EXPECT_EQ(::ftruncate(fd.get(), 0), -1) << "the agent would read beyond the end";
  EXPECT_EQ(::ftruncate(fd.get(), 1000 * kSlab), -1) << "beyond the budget";
  EXPECT_EQ(::fallocate(fd.get(), 0, 0, 2 * kSlab), -1);
  EXPECT_EQ(::fallocate(fd.get(), FALLOC_FL_KEEP_SIZE, 0, 2 * kSlab), -1);
  ASSERT_EQ(::pwrite(fd.get(), "x", 1, 0), 1);
  ASSERT_TRUE(Call({.op = Op::kSeal, .number = 3, .key = key_}).ok());
  EXPECT_EQ(Read(*store_, key_), "x" + std::string(99, '\0'));
}

TEST_F(LendTest, AReadersMappingCannotBeMadeWritable) {
  const ObjectKey key = PutOne("bytes");
  const auto worker = Connected();
  EXPECT_EQ(Get(*worker, key), "5 same valid");
  EXPECT_EQ(worker->Ask("spoil " + key.ToHex()), "Permission denied");
}

// Prints the time from the seal to the reader's last byte. For people: how fast is a matter of the machine.
TEST_F(LendTest, EveryHandOffIsTimed) {
  Open({.budget = 64 * kSlab});
  const auto worker = Connected();
  for (const std::uint64_t bytes : {5'000'000, 64'000'000}) {
    std::vector<std::int64_t> nanoseconds;
    for (int i = 0; i < 21; ++i) {
      auto object = Waiting(*store_, bytes).Take();
      ASSERT_TRUE(object.ok());
      const auto begin = std::chrono::steady_clock::now().time_since_epoch();
      const ObjectKey key = *std::move(*object).Seal(0);
      const std::string mapped = worker->Ask("time " + key.ToHex());
      ASSERT_THAT(mapped, ::testing::Not(HasSubstr("error")));
      nanoseconds.push_back(std::strtoll(mapped.c_str(), nullptr, 10) - std::chrono::nanoseconds(begin).count());
      ASSERT_TRUE(store_->Remove(key).ok());
    }
    ASSERT_GT(*std::min_element(nanoseconds.begin(), nanoseconds.end()), 0);
    std::printf("%lu bytes: first %.1f us", bytes, 1e-3 * static_cast<double>(nanoseconds[0]));
    std::sort(nanoseconds.begin(), nanoseconds.end());
    std::printf(", median %.1f us\n", 1e-3 * static_cast<double>(nanoseconds[nanoseconds.size() / 2]));
  }
}

}  // namespace
}  // namespace cairn::testing
