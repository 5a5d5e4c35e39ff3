#include "simulation/trainer_group.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include "absl/strings/str_cat.h"
#include "simulation/terminal_view.h"

namespace cairn {
namespace {

using ::testing::HasSubstr;

class NoView final : public GroupView {
 public:
  void Show(const std::vector<TrainerState>&) override {}
};

class TrainerGroupTest : public ::testing::Test {
 protected:
  TrainerGroupTest() : log_(absl::StrCat(::testing::TempDir(), "/trainer_group_test_", getpid(), ".log")) {
    std::filesystem::remove(log_);
  }
  ~TrainerGroupTest() override { std::filesystem::remove(log_); }
  TrainerTask Script(const std::string& name, const std::string& script) {
    return {name, {{"/bin/sh", "-c", script}, {}, log_}};
  }
  std::filesystem::path log_;
  NoView view_;
};

TEST_F(TrainerGroupTest, CollectsWhatTheTrainersTell) {
  const auto states = RunTrainers({Script("a", R"sh(
        echo '{"event":"held_out","version":0,"loss":2.5}'
        echo '{"event":"phase","round":1,"phase":"training"}'
        echo '{"event":"step","round":1,"step":5,"steps":40,"loss":2.25}'
        echo 'a word that is no event'
        echo '{"event":"transfer","direction":"push","bytes":10,"total":20}'
        echo '{"event":"transfer","direction":"push","bytes":20,"total":20}'
        echo '{"event":"done"}')sh")},
                                  nullptr, view_);
  ASSERT_TRUE(states.ok()) << states.status();
  const TrainerState& state = states->front();
  EXPECT_EQ(state.held_out.at(0), 2.5);
  ASSERT_EQ(state.losses.size(), 1u);
  EXPECT_EQ(state.losses[0].loss, 2.25);
  EXPECT_EQ(state.bytes_sent, 20u);
  EXPECT_EQ(state.bytes_received, 0u);
  EXPECT_TRUE(state.done);
}

TEST_F(TrainerGroupTest, AFailureShowsTheEndOfItsLogAndEndsTheOthers) {
  const auto states =
      RunTrainers({Script("good", "exec sleep 100"), Script("bad", "echo the reason >&2; exit 9")}, nullptr, view_);
  EXPECT_THAT(states.status().message(), HasSubstr("bad ended with exit code 9"));
  EXPECT_THAT(states.status().message(), HasSubstr("the reason"));
}

TEST_F(TrainerGroupTest, NoticesThatTheServerEnded) {
  auto server = ChildProcess::Spawn({{"/bin/true"}, {}, log_});
  ASSERT_TRUE(server.ok());
  EXPECT_THAT(RunTrainers({Script("a", "exec sleep 100")}, &*server, view_).status().message(),
              HasSubstr("the server ended with exit code 0"));
}

TEST(TerminalView, ProgressCountsRoundsAndSteps) {
  TrainerState half{.name = "a", .phase = "training", .round = 2, .step = 20, .steps = 40};
  EXPECT_DOUBLE_EQ(ProgressOf({half}, 3), 0.5);
  TrainerState done{.name = "b", .done = true};
  EXPECT_DOUBLE_EQ(ProgressOf({half, done}, 3), 0.75);
  TrainerState waits{.name = "c", .phase = "waiting", .round = 1};
  EXPECT_DOUBLE_EQ(ProgressOf({waits}, 4), 0.25);
  EXPECT_EQ(ProgressBar(0.5, 4), "[##--]");
  EXPECT_THAT(StateLine(half), HasSubstr("round 2 training     20/40"));
}

}  // namespace
}  // namespace cairn
