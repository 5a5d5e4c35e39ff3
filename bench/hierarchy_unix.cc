#include <sys/socket.h>

#include <thread>
#include <utility>

#include "base/status_macros.h"
#include "bench/hierarchy_arrivals.h"
#include "bench/hierarchy_contenders.h"
#include "bench/hierarchy_landing.h"
#include "bench/hierarchy_sockets.h"

namespace cairn::bench {
namespace {

class UnixOutbox final : public Outbox {
 public:
  UnixOutbox(int fd, Landing landing) : fd_(fd), landing_(std::move(landing)) {}
  absl::StatusOr<absl::Span<char>> Room() override { return landing_.room(); }
  absl::Status Send() override { return SendAll(fd_, landing_.bytes()); }

 private:
  const int fd_;
  const Landing landing_;
};

class UnixInbox final : public Inbox {
 public:
  explicit UnixInbox(const HierarchyEnds& ends)
      : ends_(ends), arrivals_(ends), thread_([this] { arrivals_.Fill([this] { return Receive(); }); }) {}
  ~UnixInbox() override {
    shutdown(ends_.data, SHUT_RDWR);
    thread_.join();
  }
  absl::StatusOr<Arrival> Take() override { return arrivals_.Take(); }
  bool Waiting() override { return arrivals_.Waiting(); }
  std::uint64_t TakeCopied() override { return 0; }

 private:
  absl::StatusOr<Slab> Receive() {
    AwaitReadable(ends_.data);
    CAIRN_ASSIGN_OR_RETURN(Slab slab, arrivals_.Room());
    CAIRN_RETURN_IF_ERROR(ReceiveAll(ends_.data, {slab.data(), ends_.bytes}));
    return slab;
  }

  const HierarchyEnds ends_;
  Arrivals arrivals_;
  std::thread thread_;
};

}  // namespace

absl::StatusOr<std::unique_ptr<Outbox>> MakeUnixOutbox(const HierarchyEnds& ends) {
  CAIRN_ASSIGN_OR_RETURN(Landing landing, Landing::Make(ends.bytes));
  return std::make_unique<UnixOutbox>(ends.data, std::move(landing));
}

absl::StatusOr<std::unique_ptr<Inbox>> MakeUnixInbox(const HierarchyEnds& ends) {
  return std::make_unique<UnixInbox>(ends);
}

}  // namespace cairn::bench
