// The tree keeps the rules of the house, and the checks that say so do find a broken one.
#include "tests/house/house.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "absl/strings/str_cat.h"

namespace cairn::house {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

const Tree& RealTree() {
  static const Tree tree = LoadTree(CAIRN_SOURCE_DIR);
  return tree;
}

TEST(House, TreeIsRead) {
  EXPECT_EQ(RealTree().count("base/limits.h"), 1u);
  EXPECT_EQ(RealTree().count("docs/architecture.md"), 1u);
}
TEST(House, ArrowsHold) { EXPECT_THAT(CheckArrows(RealTree()), IsEmpty()); }
TEST(House, NoFileIsDead) { EXPECT_THAT(CheckDeadFiles(RealTree()), IsEmpty()); }
TEST(House, FilesAreInShape) { EXPECT_THAT(CheckShape(RealTree()), IsEmpty()); }

// Composed, so that this file has no such line itself.
std::string Quote(const std::string& header) { return absl::StrCat("#include ", "\"", header, "\"\n"); }
std::string Angle(const std::string& header) { return absl::StrCat("#include ", "<", header, ">\n"); }

TEST(Arrows, AcceptTheGoodOnes) {
  EXPECT_THAT(CheckArrows({{"adapter/lora.h", Quote("base/limits.h") + Angle("vector") + Quote("absl/types/span.h")},
                           {"aggregators/kernels/combine.cc", Angle("ATen/ATen.h")},
                           {"cli/serve.cc", Quote("server/root/root.h") + Quote("client/sdk/client.h")},
                           {"server/root/db.cc", Angle("sqlite3.h")}}),
              IsEmpty());
}

TEST(Arrows, FindIncludesAgainstThem) {
  EXPECT_THAT(CheckArrows({{"base/files.cc", Quote("adapter/lora.h")}}),
              ElementsAre("base/files.cc: base/ must not include adapter/ (adapter/lora.h)"));
  EXPECT_THAT(CheckArrows({{"client/sdk/client.cc", Quote("server/store/store.h")}}),
              ElementsAre(HasSubstr("client/sdk/")));
  EXPECT_THAT(CheckArrows({{"server/gateway/push.cc", Quote("client/sdk/client.h")}}),
              ElementsAre(HasSubstr("client/sdk")));
  EXPECT_THAT(CheckArrows({{"server/round/round.cc", Quote("server/store/store.h")}}),
              ElementsAre(HasSubstr("server/store")));
  EXPECT_THAT(CheckArrows({{"server/tree/planner/plan.cc", Quote("server/store/store.h")}}),
              ElementsAre(HasSubstr("server/store")));
  EXPECT_THAT(CheckArrows({{"cli/serve.cc", Quote("aggregators/combine/stack.h")}}),
              ElementsAre(HasSubstr("aggregators/combine")));
  EXPECT_THAT(CheckArrows({{"cli/serve.cc", Quote("aggregators/rules/examples.h")}}),
              ElementsAre(HasSubstr("aggregators/rules")));
  EXPECT_THAT(CheckArrows({{"server/root/a.cc", Quote("proto/cairn/v1/federation.pb.h")}}),
              ElementsAre(HasSubstr("proto")));
  EXPECT_THAT(CheckArrows({{"base/a.cc", Quote("b.h")}}), ElementsAre(HasSubstr("not relative to the root")));
  EXPECT_THAT(CheckArrows({{"utils/a.cc", ""}}), ElementsAre(HasSubstr("in no folder")));
}

TEST(Arrows, FindThirdPartyHeadersAwayFromHome) {
  EXPECT_THAT(CheckArrows({{"server/root/a.cc", Angle("prometheus/counter.h")}}),
              ElementsAre(HasSubstr("metrics.cc only")));
  EXPECT_THAT(CheckArrows({{"cli/a.cc", Angle("yaml-cpp/yaml.h")}}), ElementsAre(HasSubstr("document.cc only")));
  EXPECT_THAT(CheckArrows({{"adapter/a.cc", Angle("torch/torch.h")}}), ElementsAre(HasSubstr("simulation/ only")));
  EXPECT_THAT(CheckArrows({{"server/tree/a.cc", Angle("torch/csrc/distributed/c10d/TCPStore.hpp")}}),
              ElementsAre(HasSubstr("collective_nccl.cc only")));
  EXPECT_THAT(CheckArrows({{"server/tree/a.cc", Angle("gloo/context.h")}}),
              ElementsAre(HasSubstr("collective_gloo.cc only")));
  EXPECT_THAT(CheckArrows({{"server/root/a.cc", Angle("grpcpp/grpcpp.h")}}), ElementsAre(HasSubstr("server/gateway/")));
  EXPECT_THAT(CheckArrows({{"server/root/a.cc", Angle("sqlite3.h")}, {"server/root/b.cc", Angle("sqlite3.h")}}),
              ElementsAre(HasSubstr("server/root/a.cc, server/root/b.cc")));
  EXPECT_THAT(CheckArrows({{"aggregators/kernels/a.cc", Angle("openssl/sha.h")}}),
              ElementsAre(HasSubstr("kernels see std")));
  EXPECT_THAT(CheckArrows({{"server/round/a.cc", Angle("mutex")}}), ElementsAre(HasSubstr("pure function")));
  EXPECT_THAT(CheckArrows({{"server/round/a_test.cc", Angle("mutex")}}), IsEmpty());
  EXPECT_THAT(CheckArrows({{"server/tree/planner/a.cc", Angle("chrono")}}), ElementsAre(HasSubstr("pure function")));
}

TEST(DeadFiles, AreFound) {
  const Tree good = {{"base/CMakeLists.txt", "cairn_library(cairn_base SOURCES a.cc sub/b.cc)"},
                     {"base/a.cc", Quote("base/a.h")},
                     {"base/a.h", ""},
                     {"base/sub/b.cc", ""},
                     {"README.md", "See [the page](docs/page.md#part) and [web](https://example.org/x.md)."},
                     {"docs/page.md", "Back to [the start](../README.md)."}};
  EXPECT_THAT(CheckDeadFiles(good), IsEmpty());
  const auto with = [&good](const std::string& path, const std::string& text) {
    Tree tree = good;
    tree[path] = text;
    return CheckDeadFiles(tree);
  };
  EXPECT_THAT(with("base/data.cc", ""), ElementsAre("base/data.cc: in no CMakeLists.txt"));
  EXPECT_THAT(with("other/a.cc", ""), ElementsAre("other/a.cc: in no CMakeLists.txt"));
  EXPECT_THAT(with("base/b.h", Quote("base/b.h")), ElementsAre("base/b.h: nobody includes it"));
  EXPECT_THAT(with("docs/lost.md", ""), ElementsAre("docs/lost.md: no page links to it"));
  EXPECT_THAT(with("CONTRIBUTING.md", "[gone](docs/gone.md)"),
              ElementsAre(HasSubstr("links to docs/gone.md"), HasSubstr("mentions docs/gone.md")));
  EXPECT_THAT(with("base/a.h", "// As docs/gone.md says."), ElementsAre(HasSubstr("base/a.h: mentions docs/gone.md")));
}

TEST(Shape, IsChecked) {
  EXPECT_THAT(CheckShape({{"base/a.h", "#pragma once\n"}, {"base/a.cc", std::string(400, '\n')}}), IsEmpty());
  EXPECT_THAT(CheckShape({{"base/a.h", "int a;\n"}}), ElementsAre("base/a.h: no #pragma once"));
  EXPECT_THAT(CheckShape({{"base/a.cc", std::string(401, '\n')}}), ElementsAre(HasSubstr("401 lines")));
}

}  // namespace
}  // namespace cairn::house
