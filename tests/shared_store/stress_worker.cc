#include "tests/shared_store/stress_worker.h"

#include <cstring>
#include <deque>
#include <random>
#include <utility>

#include "absl/strings/str_cat.h"
#include "base/digest.h"
#include "base/limits.h"
#include "base/status_macros.h"
#include "server/store/shared/store_client.h"

namespace cairn::testing {
namespace {

constexpr std::size_t kLeasesMax = 2;  // At a time, so that all workers together leave room for writers.

absl::Status CheckObject(const LeasedObject& object) {
  const std::uint32_t crc = Crc32c(object.bytes().data(), object.bytes().size());
  if (crc == object.crc32c() && object.StillValid()) return absl::OkStatus();
  return absl::DataLossError(absl::StrCat("object ", object.key().ToHex(), " has other bytes than were sealed"));
}

class Stress {
 public:
  Stress(std::shared_ptr<StoreClient> client, std::uint64_t seed) : client_(std::move(client)), random_(seed) {}

  absl::Status Step() {
    if (held_.size() >= kLeasesMax || (!held_.empty() && random_() % 2 == 0)) {
      CAIRN_RETURN_IF_ERROR(CheckObject(held_.front()));
      held_.pop_front();
    }
    return Write();
  }

 private:
  absl::Status Write() {
    const std::size_t bytes = 1 + random_() % 3000 + (random_() % 8 == 0 ? 2 * limits::kMiB : 0);
    CAIRN_ASSIGN_OR_RETURN(NewObject object, client_->Create(bytes));
    std::memset(object.data().data(), static_cast<int>(random_()), bytes);
    if (random_() % 10 == 0) return absl::OkStatus();  // Given up.
    const std::uint32_t crc = Crc32c(object.data().data(), bytes);
    CAIRN_ASSIGN_OR_RETURN(const ObjectKey key, std::move(object).Seal(crc));
    auto read = client_->Get(key);
    if (read.ok()) held_.push_back(*std::move(read));
    // The agent may have removed it already.
    return absl::IsNotFound(read.status()) ? absl::OkStatus() : read.status();
  }

  std::shared_ptr<StoreClient> client_;
  std::mt19937_64 random_;
  std::deque<LeasedObject> held_;
};

}  // namespace

absl::Status RunStress(const std::filesystem::path& directory, std::uint64_t seed, int steps) {
  CAIRN_ASSIGN_OR_RETURN(auto client, StoreClient::Connect(directory));
  Stress stress(std::move(client), seed);
  for (int i = 0; i < steps; ++i) CAIRN_RETURN_IF_ERROR(stress.Step());
  return absl::OkStatus();
}

}  // namespace cairn::testing
