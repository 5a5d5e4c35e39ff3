#include "aggregators/combine_report.h"

#include <gtest/gtest.h>

#include <cmath>

namespace cairn {
namespace {

TEST(CombineReport, IsTheJsonOfTheManual) {
  CombineReport report;
  report.clients = {{"a", 1200, 0.75, true, ""}, {"b", 0.5, 0, false, "too far from the others", 3.5, -0.25}};
  report.guards = {"nnm", "clip:c=1"};
  report.modules = {{"x.q", 24, 8, 0.125}, {"x.v", 24, 24, std::nullopt}};
  report.dtype = DType::kBF16;
  report.gram = {{1, 0.5}, {0.5, 2}};
  report.combine = "stack";
  report.rule = "examples";
  report.publish = "rank=8";
  report.seconds = 1.5;
  report.bytes = 4096;
  EXPECT_EQ(ToJson(report), R"({
  "clients": [
    {
      "id": "a",
      "examples": 1200,
      "weight": 0.75,
      "distance": null,
      "cosine": null,
      "accepted": true,
      "reason": ""
    },
    {
      "id": "b",
      "examples": 0.5,
      "weight": 0.0,
      "distance": 3.5,
      "cosine": -0.25,
      "accepted": false,
      "reason": "too far from the others"
    }
  ],
  "modules": [
    {
      "name": "x.q",
      "rank_in": 24,
      "rank_out": 8,
      "relative_error": 0.125
    },
    {
      "name": "x.v",
      "rank_in": 24,
      "rank_out": 24,
      "relative_error": null
    }
  ],
  "relative_error": null,
  "dtype": "BF16",
  "gram": [
    [
      1.0,
      0.5
    ],
    [
      0.5,
      2.0
    ]
  ],
  "rule": "examples",
  "guards": [
    "nnm",
    "clip:c=1"
  ],
  "combine": "stack",
  "publish": "rank=8",
  "seconds": 1.5,
  "bytes": 4096
}
)");
}

TEST(CombineReport, HoldsRecipientsAndNoNaN) {
  CombineReport report;
  report.relative_error = NAN;
  report.recipients = {{"a", 8, 0.25}};
  const std::string json = ToJson(report);
  EXPECT_NE(json.find("\"relative_error\": null"), std::string::npos) << json;
  EXPECT_NE(json.find("\"rank\": 8"), std::string::npos) << json;
  EXPECT_EQ(json.find("gram"), std::string::npos) << json;
}

}  // namespace
}  // namespace cairn
