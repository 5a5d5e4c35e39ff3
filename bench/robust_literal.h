// Robust rules the obvious way, as public Python libraries have them: on the updates themselves, by libtorch's tensor
// operations, in float32.
#pragma once

#include <ATen/ATen.h>

#include <cstdint>
#include <functional>
#include <map>
#include <string>

namespace cairn::bench {

struct LiteralRule {
  std::function<at::Tensor(const at::Tensor& x, std::int64_t faulty)> run;  // x [columns, elements] -> [elements].
  double copies = 0;                                                        // Of x, that are in memory beside it.
  bool pairs = false;  // So many for every column: all pairs of columns are made.
};

// By RuleJob::name. Rules that look at clients by name trust the last one.
const std::map<std::string, LiteralRule>& LiteralRules();

}  // namespace cairn::bench
