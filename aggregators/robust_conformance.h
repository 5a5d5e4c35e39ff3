// What every rule and guard must do is tested in robust_conformance*_test.cc, on every registered one unasked. This is
// what these tests share. A new rule or guard adds a line of facts to robust_facts.h; nothing else.
#pragma once

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cctype>
#include <cmath>
#include <cstring>
#include <limits>
#include <memory>
#include <string>
#include <vector>

#include "aggregators/guard.h"
#include "aggregators/kernels/reference_robust.h"
#include "aggregators/robust_facts.h"
#include "aggregators/robust_testing.h"
#include "aggregators/rule.h"

namespace cairn::robust_conformance {

inline std::string NameOf(const std::string& spec) { return spec.substr(0, spec.find(':')); }

// The lines of `facts` whose rule or guard is registered.
template <typename Facts>
std::vector<Facts> Registered(const std::vector<Facts>& facts, const std::vector<std::string>& names) {
  std::vector<Facts> registered;
  for (const Facts& line : facts) {
    if (std::find(names.begin(), names.end(), NameOf(line.spec)) != names.end()) registered.push_back(line);
  }
  return registered;
}

// "krum:f={f}" as gtest wants the name of a test: krum_f_f.
template <typename Info>
std::string TestName(const Info& info) {
  std::string name;
  for (const char c : info.param.spec) {
    if (std::isalnum(static_cast<unsigned char>(c))) name += c;
    if (c == ':' || c == ',' || c == '=' || c == '_') name += '_';
  }
  return name;
}

inline std::unique_ptr<Rule> RuleOf(const RuleFacts& facts, const Columned& input) {
  auto rule = MakeRule(Filled(facts.spec, input.faulty, input.unit));
  EXPECT_TRUE(rule.ok()) << rule.status();
  return *std::move(rule);
}

inline std::unique_ptr<Guard> GuardOf(const GuardFacts& facts, const Columned& input) {
  auto guard = MakeGuard(Filled(facts.spec, input.faulty, input.unit));
  EXPECT_TRUE(guard.ok()) << guard.status();
  return *std::move(guard);
}

// Without guards. An error fails the test, and gives NaN.
inline Outcome OutcomeOf(const RuleFacts& facts, const Columned& input) {
  absl::StatusOr<Outcome> outcome = OutcomeOf(*RuleOf(facts, input), {}, input);
  if (outcome.ok()) return *std::move(outcome);
  ADD_FAILURE() << outcome.status();
  constexpr double kNan = std::numeric_limits<double>::quiet_NaN();
  return {.output = {.weights = Vector(input.updates.size(), kNan)}, .y = Vector(input.updates[0].size(), kNan)};
}

inline double Distance(const Vector& x, const Vector& y) {
  return kernels::reference::Norm(kernels::reference::Minus(x, y));
}

inline bool SameBits(const Vector& x, const Vector& y) {
  return x.size() == y.size() && std::memcmp(x.data(), y.data(), x.size() * sizeof(double)) == 0;
}

class RuleConformance : public ::testing::TestWithParam<RuleFacts> {};
class GuardConformance : public ::testing::TestWithParam<GuardFacts> {};

}  // namespace cairn::robust_conformance
