// Inputs of the planner as lines of text, and plans as such, for tests.
#pragma once

#include <string>
#include <vector>

#include "absl/strings/string_view.h"
#include "server/tree/planner/plan.h"

namespace cairn::planner {

// One line for each node, client and the root, as in
//   node n1 zone=eu capacity=4 cores=8 slowdown=2 workers=w1,w2:leaf:3 lost
//   client c1 zone=eu load=1.5 at=n1 held
//   root n1 held
// An update takes one second on a node without a slowdown, so `load` is the Q that it brings there. Workers are
// id[:role[:keys]]. A line about somebody who is there already replaces only what it says.
class Script {
 public:
  explicit Script(const std::vector<std::string>& lines) { Say(lines); }

  Script& Say(const std::vector<std::string>& lines);
  // Plans, carries the plan out and returns what it says about the nodes, the root, and clients that moved or are new.
  std::vector<std::string> Replan();
  const Input& input() const { return input_; }
  const Plan& plan() const { return plan_; }

 private:
  Input input_;
  Plan plan_;
};

}  // namespace cairn::planner
