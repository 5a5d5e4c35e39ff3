#include "tests/faults/strangers.h"

#include <sys/socket.h>

#include <random>
#include <thread>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"
#include "base/status_macros.h"
#include "proto/cairn/v1/tree.pb.h"
#include "server/store/shared/store_client.h"
#include "server/tree/unix_stream.h"

namespace cairn::faults {
namespace {

namespace fs = std::filesystem;

constexpr int kForgedKeys = 20;
constexpr std::uint32_t kOtherProtocol = 999;
constexpr absl::Duration kAnswers = absl::Seconds(10);
constexpr absl::Duration kSign = absl::Milliseconds(50);
constexpr std::uint64_t kPiece = std::uint64_t{2} << 20;

// It hears nothing but that it has to go.
absl::Status ExpectSentAway(int socket) {
  v1::WorkerTask task;
  const absl::Status heard = tree::ReceiveMessage(socket, kAnswers, task);
  if (!heard.ok() && !absl::IsDeadlineExceeded(heard)) return absl::OkStatus();
  return absl::InternalError(absl::StrCat("a strange worker was not sent away: ", heard.ToString()));
}

}  // namespace

absl::Status AskForForgedKeys(const fs::path& node_dir, std::uint64_t seed) {
  const auto client = StoreClient::Connect(node_dir);
  if (!client.ok()) return absl::OkStatus();  // The server is down, or has no such store.
  std::mt19937_64 random(seed);
  for (int i = 0; i < kForgedKeys; ++i) {
    const ObjectKey key{static_cast<std::uint32_t>(random() % 16), static_cast<std::uint32_t>(1 + random() % 64),
                        random()};
    const absl::Status asked = (*client)->Get(key).status();
    if (asked.ok()) return absl::InternalError(absl::StrCat("the forged key ", key.ToHex(), " was taken"));
  }
  return absl::OkStatus();
}

absl::Status OfferStrangeWorker(const fs::path& node_dir) {
  for (const bool speaks : {true, false}) {
    const auto socket = tree::ConnectToStream(node_dir);
    if (!socket.ok()) return absl::OkStatus();
    v1::WorkerMessage hello;
    hello.mutable_hello()->set_protocol(kOtherProtocol);
    const std::string garbage(100, '\xFF');
    if (speaks) tree::SendMessage(socket->get(), hello).IgnoreError();
    if (!speaks) ::send(socket->get(), garbage.data(), garbage.size(), MSG_NOSIGNAL);
    CAIRN_RETURN_IF_ERROR(ExpectSentAway(socket->get()));
  }
  return absl::OkStatus();
}

absl::Status TakeMemory(const fs::path& node_dir, std::uint64_t bytes, absl::Duration held) {
  const auto client = StoreClient::Connect(node_dir);
  if (!client.ok()) return absl::OkStatus();
  const absl::Time end = absl::Now() + held;
  // Who waits for room that nobody has must not wait for longer: the round would wait for it.
  const int socket = (*client)->fd();
  std::thread ender([socket, held] {
    absl::SleepFor(held);
    ::shutdown(socket, SHUT_RDWR);
  });
  std::vector<NewObject> objects;
  for (std::uint64_t taken = 0; taken < bytes && absl::Now() < end; taken += kPiece) {
    auto object = (*client)->Create(kPiece);
    if (!object.ok()) break;  // The server was killed, or this process was late.
    objects.push_back(*std::move(object));
  }
  while (absl::Now() < end && (*client)->Renew().ok()) absl::SleepFor(kSign);
  ender.join();
  return absl::OkStatus();
}

}  // namespace cairn::faults
