#include <sys/socket.h>

#include <thread>
#include <utility>

#include "absl/strings/str_cat.h"
#include "base/status_macros.h"
#include "bench/hierarchy_arrivals.h"
#include "bench/hierarchy_contenders.h"
#include "bench/hierarchy_landing.h"
#include "bench/hierarchy_redis_client.h"

namespace cairn::bench {
namespace {

constexpr absl::string_view kStream = "updates";

class RedisOutbox final : public Outbox {
 public:
  RedisOutbox(RedisClient client, Landing landing) : client_(std::move(client)), landing_(std::move(landing)) {}
  absl::StatusOr<absl::Span<char>> Room() override { return landing_.room(); }
  absl::Status Send() override {
    const std::string key = absl::StrCat("update:", next_++);
    CAIRN_RETURN_IF_ERROR(client_.Set(key, landing_.bytes()));
    return client_.Append(kStream, key);
  }

 private:
  RedisClient client_;
  const Landing landing_;
  int next_ = 0;
};

class RedisInbox final : public Inbox {
 public:
  RedisInbox(const HierarchyEnds& ends, RedisClient client)
      : bytes_(ends.bytes),
        client_(std::move(client)),
        arrivals_(ends),
        thread_([this] { arrivals_.Fill([this] { return Receive(); }); }) {}
  ~RedisInbox() override {
    shutdown(client_.fd(), SHUT_RDWR);
    thread_.join();
  }
  absl::StatusOr<Arrival> Take() override { return arrivals_.Take(); }
  bool Waiting() override { return arrivals_.Waiting(); }
  std::uint64_t TakeCopied() override { return 0; }

 private:
  absl::StatusOr<Slab> Receive() {
    CAIRN_ASSIGN_OR_RETURN(const std::string key, client_.Next(kStream, last_id_));
    CAIRN_ASSIGN_OR_RETURN(Slab slab, arrivals_.Room());
    CAIRN_RETURN_IF_ERROR(client_.Get(key, {slab.data(), bytes_}));
    CAIRN_RETURN_IF_ERROR(client_.Unlink(key));
    return slab;
  }

  const std::uint64_t bytes_;
  RedisClient client_;
  std::string last_id_ = "0";
  Arrivals arrivals_;
  std::thread thread_;
};

}  // namespace

absl::StatusOr<std::unique_ptr<Outbox>> MakeRedisOutbox(const HierarchyEnds& ends) {
  CAIRN_ASSIGN_OR_RETURN(RedisClient client, RedisClient::Connect(ends.directory / kRedisSocket));
  CAIRN_ASSIGN_OR_RETURN(Landing landing, Landing::Make(ends.bytes));
  return std::make_unique<RedisOutbox>(std::move(client), std::move(landing));
}

absl::StatusOr<std::unique_ptr<Inbox>> MakeRedisInbox(const HierarchyEnds& ends) {
  CAIRN_ASSIGN_OR_RETURN(RedisClient client, RedisClient::Connect(ends.directory / kRedisSocket));
  return std::make_unique<RedisInbox>(ends, std::move(client));
}

}  // namespace cairn::bench
