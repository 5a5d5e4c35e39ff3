// Call by call: what happens to an object while it is written to its file, and which one is next.
#include "server/store/shared/objects.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <random>

#include "base/limits.h"

namespace cairn {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;

constexpr std::uint64_t kBytes = 2 * limits::kMiB;
constexpr Epoch kSpiller = ~Epoch{0};

class ObjectsTest : public ::testing::Test {
 protected:
  ObjectKey Begin() {
    auto slab = objects_.slabs().TakeIdle(kAgentEpoch, kBytes);
    if (!slab) {
      slab = objects_.slabs().Reserve(kAgentEpoch, kBytes);
      objects_.slabs().Install(*slab, {.sealed = true});  // Nobody looks at the bytes.
    }
    const auto key = objects_.Add(kAgentEpoch, *slab, 1000, absl::UnixEpoch());
    EXPECT_TRUE(key.ok()) << key.status();
    return *key;
  }
  ObjectKey Sealed() {
    const ObjectKey key = Begin();
    EXPECT_TRUE(objects_.Seal(kAgentEpoch, key, 0).ok());
    return key;
  }
  // The spiller has begun to write this object, which is the only one.
  ObjectKey BeingSpilled() {
    const ObjectKey key = Sealed();
    EXPECT_EQ(objects_.OldestUnused(), key);
    EXPECT_TRUE(objects_.Get(kSpiller, key).ok());
    EXPECT_EQ(objects_.OldestUnused(), std::nullopt);
    return key;
  }
  ObjectState StateOf(const ObjectKey& key) { return objects_.table().entry(key.entry).state; }

  Objects objects_ = *Objects::Create(64 * kBytes, 64, absl::Seconds(10));
};

TEST_F(ObjectsTest, WhatIsWrittenToItsFileLeavesItsSlab) {
  const ObjectKey key = BeingSpilled();
  EXPECT_TRUE(objects_.EndSpill(kSpiller, key, true));
  const Objects::Freed freed = objects_.TakeFreed();
  EXPECT_EQ(freed.bytes, kBytes);
  EXPECT_THAT(freed.files, IsEmpty());
  EXPECT_EQ(objects_.Get(kAgentEpoch, key)->state, ObjectState::kSpilled);
  EXPECT_EQ(objects_.leases().size(), 0u);
  EXPECT_EQ(objects_.OldestUnused(), std::nullopt);
  EXPECT_TRUE(objects_.Remove(key).ok());
  EXPECT_THAT(objects_.TakeFreed().files, ElementsAre(key));
}

TEST_F(ObjectsTest, WhatIsReadWhileItIsSpilledStaysAndItsFileGoes) {
  const ObjectKey key = BeingSpilled();
  ASSERT_EQ(objects_.Get(kAgentEpoch, key)->state, ObjectState::kSealed);
  EXPECT_FALSE(objects_.EndSpill(kSpiller, key, true));
  const Objects::Freed freed = objects_.TakeFreed();
  EXPECT_EQ(freed.bytes, 0u);
  EXPECT_THAT(freed.files, ElementsAre(key));
  EXPECT_EQ(StateOf(key), ObjectState::kSealed);
  EXPECT_EQ(objects_.OldestUnused(), std::nullopt);
  EXPECT_TRUE(objects_.Release(kAgentEpoch, key).ok());
  EXPECT_EQ(objects_.OldestUnused(), key);
}

TEST_F(ObjectsTest, WhatWasReadAndGivenBackMeanwhileIsSpilled) {
  const ObjectKey key = BeingSpilled();
  ASSERT_TRUE(objects_.Get(kAgentEpoch, key).ok());
  ASSERT_TRUE(objects_.Release(kAgentEpoch, key).ok());
  EXPECT_EQ(objects_.OldestUnused(), std::nullopt) << "the spiller has it";
  EXPECT_TRUE(objects_.EndSpill(kSpiller, key, true));
  EXPECT_EQ(objects_.OldestUnused(), std::nullopt);
}

TEST_F(ObjectsTest, WhatIsRemovedWhileItIsSpilledGoesWithItsFile) {
  const ObjectKey key = BeingSpilled();
  EXPECT_TRUE(objects_.Remove(key).ok());
  EXPECT_EQ(objects_.TakeFreed().bytes, 0u) << "it is being read";
  EXPECT_TRUE(absl::IsNotFound(objects_.Get(kAgentEpoch, key).status()));
  EXPECT_FALSE(objects_.EndSpill(kSpiller, key, true));
  const Objects::Freed freed = objects_.TakeFreed();
  EXPECT_EQ(freed.bytes, kBytes);
  EXPECT_THAT(freed.files, ElementsAre(key));
  EXPECT_EQ(objects_.table().used(), 0u);
}

TEST_F(ObjectsTest, WhatIsReadAndRemovedWhileItIsSpilledGoesWithItsReader) {
  const ObjectKey key = BeingSpilled();
  ASSERT_TRUE(objects_.Get(kAgentEpoch, key).ok());
  EXPECT_TRUE(objects_.Remove(key).ok());
  EXPECT_FALSE(objects_.EndSpill(kSpiller, key, true));
  EXPECT_EQ(objects_.TakeFreed().bytes, 0u);
  EXPECT_TRUE(objects_.Release(kAgentEpoch, key).ok());
  EXPECT_EQ(objects_.TakeFreed().bytes, kBytes);
}

TEST_F(ObjectsTest, WhatCouldNotBeWrittenStays) {
  const ObjectKey key = BeingSpilled();
  EXPECT_FALSE(objects_.EndSpill(kSpiller, key, false));
  EXPECT_EQ(objects_.TakeFreed().bytes, 0u);
  EXPECT_EQ(objects_.OldestUnused(), key);
}

TEST_F(ObjectsTest, WhatIsParkedIsGivenUpInOrder) {
  EXPECT_FALSE(objects_.GiveUpParked());
  const ObjectKey first = Begin(), second = Begin(), third = Begin();
  for (const ObjectKey& key : {first, second, third}) objects_.Park(key);
  EXPECT_TRUE(objects_.Unpark(first));
  EXPECT_FALSE(objects_.Unpark(first));
  EXPECT_TRUE(objects_.GiveUpParked());
  EXPECT_EQ(StateOf(second), ObjectState::kFree);
  EXPECT_FALSE(objects_.IsParked(second));
  EXPECT_TRUE(objects_.IsParked(third));
  objects_.Park(first);
  EXPECT_TRUE(objects_.GiveUpParked() && objects_.GiveUpParked());
  EXPECT_FALSE(objects_.GiveUpParked());
  EXPECT_EQ(objects_.TakeFreed().bytes, 3 * kBytes);
  EXPECT_EQ(objects_.table().used(), 0u);
}

// Against a list that is searched from its beginning.
TEST_F(ObjectsTest, TheOldestUnusedIsWhatASearchFinds) {
  struct Known {
    ObjectKey key;
    int used;
    int leases;
  };
  std::vector<Known> known;
  std::mt19937 random(1);
  for (int now = 0; now < 5000; ++now) {
    const std::size_t i = known.empty() ? 0 : random() % known.size();
    const unsigned what = random() % 8;
    if (known.empty() || (what < 2 && known.size() < 32)) {
      known.push_back({Sealed(), now, 0});
    } else if (what < 5) {
      ASSERT_TRUE(objects_.Get(kAgentEpoch, known[i].key).ok());
      known[i].used = now;
      known[i].leases += 1;
    } else if (known[i].leases > 0) {
      ASSERT_TRUE(objects_.Release(kAgentEpoch, known[i].key).ok());
      known[i].leases -= 1;
    } else if (what == 5) {
      ASSERT_TRUE(objects_.Remove(known[i].key).ok());
      known.erase(known.begin() + static_cast<std::ptrdiff_t>(i));
    }
    std::optional<ObjectKey> oldest;
    int used = now + 1;
    for (const Known& object : known) {
      if (object.leases == 0 && object.used < used) used = object.used, oldest = object.key;
    }
    ASSERT_EQ(objects_.OldestUnused(), oldest) << "after " << now;
  }
}

}  // namespace
}  // namespace cairn
