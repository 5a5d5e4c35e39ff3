// shared_store_worker SOCKET DIRECTORY: a worker that does what a test tells it, one line per packet of the inherited
// socket, and answers "ok ..." or "error CODE TEXT".
// shared_store_worker agent DIRECTORY BUDGET: serves an empty store until it is killed.
// shared_store_worker stress DIRECTORY SEED STEPS
#include <poll.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <unistd.h>

#include <cerrno>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <map>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "base/digest.h"
#include "base/status_macros.h"
#include "server/store/shared/packet_socket.h"
#include "server/store/shared/store_agent.h"
#include "server/store/shared/store_client.h"
#include "tests/shared_store/stress_worker.h"

namespace cairn::testing {
namespace {

constexpr int kPatienceMilliseconds = 10'000;

using Words = std::vector<std::string>;

class Worker {
 public:
  explicit Worker(std::string directory) : directory_(std::move(directory)) {
    ::getrlimit(RLIMIT_NOFILE, &descriptors_);
  }

  absl::StatusOr<std::string> Do(const Words& words) {
    if (words[0] == "connect") return Connect();
    if (words[0] == "create") return Create(std::strtoull(words.at(1).c_str(), nullptr, 10), words.at(2)[0], words);
    if (words[0] == "renew") return Done(client_->Renew());
    if (words[0] == "serve") return Serve();
    if (words[0] == "descriptors") return Descriptors(words.at(1) == "none");
    CAIRN_ASSIGN_OR_RETURN(const ObjectKey key, ObjectKey::FromHex(words.at(1)));
    if (words[0] == "get") return Get(key, client_->Get(key));
    if (words[0] == "ahead") return Get(key, client_->GetAhead(key));
    if (words[0] == "time") return Time(key);
    if (words[0] == "read") return Read(key);
    if (words[0] == "spoil") return Spoil(key);
    if (words[0] == "release") return absl::StrCat(read_.erase(key));
    if (words[0] == "abandon") return absl::StrCat(written_.erase(key));
    if (words[0] == "seal") return Seal(key);
    return absl::UnimplementedError(words[0]);
  }

 private:
  static absl::StatusOr<std::string> Done(const absl::Status& status) {
    CAIRN_RETURN_IF_ERROR(status);
    return "";
  }

  // As a worker that has nothing else to do.
  absl::StatusOr<std::string> Serve() {
    pollfd wait{client_->fd(), POLLIN, 0};
    if (::poll(&wait, 1, kPatienceMilliseconds) != 1) return absl::DeadlineExceededError("the agent says nothing");
    return Done(client_->ServeAgent());
  }

  // Whether this process can have another descriptor.
  absl::StatusOr<std::string> Descriptors(bool none) const {
    rlimit limit = descriptors_;
    if (none) limit.rlim_cur = 3;  // Which are taken; with 0 poll would not even wait.
    return ::setrlimit(RLIMIT_NOFILE, &limit) == 0 ? "" : std::strerror(errno);
  }

  absl::StatusOr<std::string> Connect() {
    read_.clear();
    written_.clear();
    CAIRN_ASSIGN_OR_RETURN(client_, StoreClient::Connect(directory_));
    return absl::StrCat(client_->epoch());
  }

  // The fourth word: for how many milliseconds to wait.
  absl::StatusOr<std::string> Create(std::uint64_t bytes, char fill, const Words& words) {
    const absl::Duration patience =
        words.size() > 3 ? absl::Milliseconds(std::strtoull(words[3].c_str(), nullptr, 10)) : absl::InfiniteDuration();
    CAIRN_ASSIGN_OR_RETURN(NewObject object, client_->Create(bytes, patience));
    std::memset(object.data().data(), fill, bytes);
    const ObjectKey key = object.key();
    written_.emplace(key, std::move(object));
    return key.ToHex();
  }

  absl::StatusOr<std::string> Seal(const ObjectKey& key) {
    NewObject& object = written_.at(key);
    const std::uint32_t crc = Crc32c(object.data().data(), object.data().size());
    return Done(std::move(object).Seal(crc).status());
  }

  absl::StatusOr<std::string> Get(const ObjectKey& key, absl::StatusOr<LeasedObject> object) {
    CAIRN_RETURN_IF_ERROR(object.status());
    read_.emplace(key, *std::move(object));
    return Read(key);
  }

  // When the object could be read, on the clock that all processes share.
  absl::StatusOr<std::string> Time(const ObjectKey& key) {
    CAIRN_ASSIGN_OR_RETURN(const LeasedObject object, client_->Get(key));
    const volatile char last = object.bytes().back();
    static_cast<void>(last);
    return absl::StrCat(std::chrono::steady_clock::now().time_since_epoch().count());
  }

  absl::StatusOr<std::string> Read(const ObjectKey& key) {
    const LeasedObject& object = read_.at(key);
    const std::uint32_t crc = Crc32c(object.bytes().data(), object.bytes().size());
    return absl::StrCat(object.bytes().size(), " ", crc == object.crc32c() ? "same" : "other", " ",
                        object.StillValid() ? "valid" : "stale");
  }

  absl::StatusOr<std::string> Spoil(const ObjectKey& key) {
    char* const data = const_cast<char*>(read_.at(key).bytes().data());
    return ::mprotect(data, 4096, PROT_READ | PROT_WRITE) == 0 ? "writable" : std::strerror(errno);
  }

  const std::string directory_;
  rlimit descriptors_{};
  std::shared_ptr<StoreClient> client_;
  std::map<ObjectKey, LeasedObject> read_;
  std::map<ObjectKey, NewObject> written_;
};

int Obey(int socket, const std::string& directory) {
  Worker worker(directory);
  while (true) {
    const auto packet = ReceivePacket(socket, 1000);
    if (!packet.ok() || packet->bytes.empty()) return 0;
    const auto done = worker.Do(absl::StrSplit(packet->bytes, ' '));
    const std::string answer =
        done.ok() ? absl::StrCat("ok ", *done) : absl::StrCat("error ", done.status().ToString());
    if (!SendPacket(socket, answer).ok()) return 1;
  }
}

int ServeAsAgent(const std::string& directory, const char* budget) {
  const auto store = SharedStore::Open({.budget = std::strtoull(budget, nullptr, 10)});
  if (!store.ok()) return 1;
  const auto agent = StoreAgent::Start(store->get(), directory);
  if (!agent.ok()) return 1;
  while (true) ::pause();
}

int Stress(const std::string& directory, const char* seed, const char* steps) {
  const absl::Status status = RunStress(directory, std::strtoull(seed, nullptr, 10), std::atoi(steps));
  if (status.ok()) return 0;
  std::fprintf(stderr, "%s\n", status.ToString().c_str());
  return 1;
}

}  // namespace
}  // namespace cairn::testing

int main(int argc, char** argv) {
  if (argc == 5 && std::strcmp(argv[1], "stress") == 0) return cairn::testing::Stress(argv[2], argv[3], argv[4]);
  if (argc == 4 && std::strcmp(argv[1], "agent") == 0) return cairn::testing::ServeAsAgent(argv[2], argv[3]);
  if (argc == 3) return cairn::testing::Obey(std::atoi(argv[1]), argv[2]);
  std::fprintf(stderr, "usage: %s SOCKET DIRECTORY | agent DIRECTORY BUDGET | stress DIRECTORY SEED STEPS\n", argv[0]);
  return 2;
}
