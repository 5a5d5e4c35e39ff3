#include "simulation/grid/heat_map.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "simulation/xml_testing.h"

namespace cairn {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;

HeatMap Example() {
  return {"krum & <nnm>",
          "f",
          "alpha",
          {"1", "2"},
          {"0.1", "inf"},
          {{{0, "2.913", "alie", "alie:z=1: 2.913"}, {8, "broken", "sign_flip", "sign_flip: broken"}},
           {{3, "3.100", "ipm", "ipm: 3.100"}, {std::nullopt, "-", "", "needs \"7\" clients"}}}};
}

TEST(HeatMap, IsWellFormedWhateverTheNames) {
  const std::string svg = HeatMapSvg(Example());
  EXPECT_EQ(XmlFault(svg), "");
  EXPECT_THAT(svg, HasSubstr("krum &amp; &lt;nnm&gt;"));
  EXPECT_THAT(svg, HasSubstr("needs &quot;7&quot; clients"));
}

TEST(HeatMap, HasACellForEachColumnAndRow) {
  const std::string svg = HeatMapSvg(Example());
  std::size_t cells = 0;
  for (auto at = svg.find("<rect"); at != std::string::npos; at = svg.find("<rect", at + 1)) ++cells;
  EXPECT_EQ(cells, 4u);
  EXPECT_THAT(svg, HasSubstr("var(--heat-0)"));
  EXPECT_THAT(svg, HasSubstr("var(--heat-8)"));
  EXPECT_THAT(svg, HasSubstr("<title>alie:z=1: 2.913</title>"));
  EXPECT_THAT(svg, HasSubstr(">2.913</text>"));
  EXPECT_THAT(svg, HasSubstr("fill=\"none\"")) << "a cell without a value";
}

TEST(HeatMap, WithoutCellsIsStillAFigure) { EXPECT_EQ(XmlFault(HeatMapSvg({})), ""); }

}  // namespace
}  // namespace cairn
