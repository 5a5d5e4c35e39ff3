#include "server/tree/sealed_planes.h"

#include <gtest/gtest.h>

#include <map>
#include <string>
#include <vector>

namespace cairn::tree {
namespace {

constexpr ProcessId kWorker{100, 5000}, kOther{101, 5000}, kBefore{100, 4000};
constexpr ProcessId kServer = kWorker;  // In tests both may be one process: the epoch tells them apart.

ObjectKey Key(std::uint32_t entry) { return {entry, 1, 77}; }

// A table of objects.
class CheckPlanesTest : public ::testing::Test {
 protected:
  void Put(std::uint32_t number, const ProcessId& owner, Epoch epoch, ObjectState state = ObjectState::kSealed) {
    table_[Key(number)] = {
        .state = state, .key = Key(number), .owner_pid = owner.pid, .owner_start = owner.start, .epoch = epoch};
  }
  absl::Status CheckAll(const std::vector<std::string>& planes, const std::set<ObjectKey>& known = {}) const {
    v1::SealedPartial partial;
    for (const std::string& plane : planes) partial.add_planes(plane);
    return CheckPlanes(partial, kWorker, known, [this](const ObjectKey& key) -> absl::StatusOr<ObjectEntry> {
      const auto found = table_.find(key);
      if (found == table_.end()) return absl::NotFoundError("no such object");
      return found->second;
    });
  }
  absl::Status Check(std::uint32_t number) const { return CheckAll({Key(number).ToHex()}); }

  std::map<ObjectKey, ObjectEntry> table_;
};

TEST_F(CheckPlanesTest, TakesWhatTheWorkerMadeAndSealed) {
  Put(1, kWorker, 3);
  Put(2, kWorker, 3, ObjectState::kSpilled);
  EXPECT_EQ(CheckAll({}), absl::OkStatus());
  EXPECT_EQ(CheckAll({Key(1).ToHex(), Key(2).ToHex()}), absl::OkStatus());
}

TEST_F(CheckPlanesTest, RefusesWhatIsNotItsOwn) {
  Put(1, kServer, kAgentEpoch);
  EXPECT_TRUE(absl::IsPermissionDenied(Check(1))) << "an update";
  Put(2, kOther, 4);
  EXPECT_TRUE(absl::IsPermissionDenied(Check(2))) << "another worker's";
  Put(3, kBefore, 2);
  EXPECT_TRUE(absl::IsPermissionDenied(Check(3))) << "of one that had this pid before";
}

TEST_F(CheckPlanesTest, RefusesWhatCannotBeHandedOver) {
  EXPECT_TRUE(absl::IsNotFound(Check(9)));
  EXPECT_TRUE(absl::IsInvalidArgument(CheckAll({"no key"})));
  Put(1, kWorker, 3, ObjectState::kWriting);
  EXPECT_TRUE(absl::IsFailedPrecondition(Check(1)));
  Put(2, kWorker, 3, ObjectState::kRemoved);
  EXPECT_TRUE(absl::IsFailedPrecondition(Check(2)));
  Put(3, kWorker, 3);
  EXPECT_TRUE(absl::IsPermissionDenied(CheckAll({Key(3).ToHex(), Key(3).ToHex()}))) << "twice";
  EXPECT_TRUE(absl::IsPermissionDenied(CheckAll({Key(3).ToHex()}, {Key(3)}))) << "in another partial before";
}

}  // namespace
}  // namespace cairn::tree
