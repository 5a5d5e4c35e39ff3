#include "client/sdk/directory_swap.h"

#include <unistd.h>

#include <fstream>
#include <string>

#include "gtest/gtest.h"

namespace cairn::sdk {
namespace {

namespace fs = std::filesystem;

class DirectorySwapTest : public ::testing::Test {
 protected:
  void SetUp() override {
    std::string name = (fs::temp_directory_path() / "cairn-swap-XXXXXX").string();
    ASSERT_NE(mkdtemp(name.data()), nullptr);
    root_ = name;
  }
  void TearDown() override { fs::remove_all(root_); }

  static void Write(const fs::path& file, const std::string& text) {
    fs::create_directories(file.parent_path());
    std::ofstream(file) << text;
  }
  static std::string Read(const fs::path& file) {
    std::ifstream in(file);
    return {std::istreambuf_iterator<char>(in), {}};
  }
  std::size_t Entries() const {
    return static_cast<std::size_t>(std::distance(fs::directory_iterator(root_), fs::directory_iterator()));
  }

  fs::path root_;
};

TEST_F(DirectorySwapTest, CreatesATargetWithItsParents) {
  const fs::path target = root_ / "a/b/adapter/";  // With the slash that people write.
  auto swap = DirectorySwap::Begin(target);
  ASSERT_TRUE(swap.ok()) << swap.status();
  Write(swap->staging() / "adapter_config.json", "new");
  EXPECT_FALSE(fs::exists(target));
  ASSERT_TRUE(swap->Commit().ok());
  EXPECT_EQ(Read(target / "adapter_config.json"), "new");
}

TEST_F(DirectorySwapTest, ReplacesTheWholeOfAnAdapterAndLeavesNoDebris) {
  Write(root_ / "adapter/adapter_config.json", "old");
  Write(root_ / "adapter/README.md", "old");
  {
    auto swap = DirectorySwap::Begin(root_ / "adapter");
    ASSERT_TRUE(swap.ok()) << swap.status();
    Write(swap->staging() / "adapter_config.json", "new");
    EXPECT_EQ(Read(root_ / "adapter/adapter_config.json"), "old");
    ASSERT_TRUE(swap->Commit().ok());
  }
  EXPECT_EQ(Read(root_ / "adapter/adapter_config.json"), "new");
  EXPECT_FALSE(fs::exists(root_ / "adapter/README.md"));
  EXPECT_EQ(Entries(), 1u);
}

TEST_F(DirectorySwapTest, AbandonedStagingIsRemovedAndTheOldStays) {
  Write(root_ / "adapter/adapter_config.json", "old");
  {
    auto swap = DirectorySwap::Begin(root_ / "adapter");
    ASSERT_TRUE(swap.ok());
    Write(swap->staging() / "adapter_config.json", "half");
  }
  EXPECT_EQ(Read(root_ / "adapter/adapter_config.json"), "old");
  EXPECT_EQ(Entries(), 1u);
}

TEST_F(DirectorySwapTest, RefusesToReplaceWhatIsNotAnAdapter) {
  Write(root_ / "home/letters.txt", "dear");
  Write(root_ / "file", "");
  EXPECT_EQ(DirectorySwap::Begin(root_ / "home").status().code(), absl::StatusCode::kFailedPrecondition);
  EXPECT_EQ(DirectorySwap::Begin(root_ / "file").status().code(), absl::StatusCode::kFailedPrecondition);
  EXPECT_EQ(Read(root_ / "home/letters.txt"), "dear");
}

}  // namespace
}  // namespace cairn::sdk
