// One line for every rule and guard, and set of options worth a test: the slow twin, how many columns it needs, and
// what else differs between rules. For tests only.
#pragma once

#include <cmath>
#include <cstddef>
#include <optional>
#include <ostream>
#include <string>
#include <vector>

#include "aggregators/kernels/reference_robust.h"
#include "aggregators/robust_testing.h"

namespace cairn::robust_conformance {

namespace reference = kernels::reference;
using reference::KrumScore;

// n >= times * f + plus.
struct Bound {
  std::size_t times = 0, plus = 1;
  std::size_t least(std::size_t faulty) const { return times * faulty + plus; }
};

struct RuleFacts {
  std::string spec;  // Filled.
  Vector (*twin)(const Columned&);
  Bound bound;
  bool mean = true;       // A mean: weights of 0 or more that sum to 1.
  bool turns = true;      // Rotated columns give the result rotated.
  bool shifts = true;     // With one more vector added to all columns the result has it, too.
  bool scales = true;     // Scaled columns, and options that are lengths, give the result scaled,
  int degree = 1;         // by this power of the factor.
  bool doubles = false;   // Every column twice, with 2f, gives the same.
  bool ties = false;      // Columns that are far from equal may tie, so that their order counts.
  bool spectral = false;  // Looks for eigenvectors, which may be undetermined.
  // How far the result may be from the twin's, of the size of what is added up: for the same columns; and for columns
  // rounded to float32, where no decision hangs on the difference.
  double tolerance = 1e-9, float_tolerance = 2e-6;
};

inline void PrintTo(const RuleFacts& facts, std::ostream* out) { *out << facts.spec; }

inline const std::vector<RuleFacts> kRuleFacts = {
    {.spec = "examples",
     .twin =
         [](const Columned& in) {
           double total = 0;
           for (const double examples : in.examples) total += examples;
           return reference::Combination(in.updates, reference::Scaled(in.examples, 1 / total));
         },
     .bound = {},
     .doubles = true},
    // Selection.
    {.spec = "krum:f={f}",
     .twin = [](const Columned& in) { return reference::Krum(in.updates, in.faulty, KrumScore::kBlanchard); },
     .bound = {2, 3}},
    {.spec = "krum:f={f},convention=byzfl",
     .twin = [](const Columned& in) { return reference::Krum(in.updates, in.faulty, KrumScore::kByzfl); },
     .bound = {2, 1},
     .doubles = true},
    {.spec = "multi_krum:f={f}",
     .twin = [](const Columned& in) { return reference::MultiKrum(in.updates, in.faulty, KrumScore::kBlanchard, {}); },
     .bound = {2, 3}},
    {.spec = "multi_krum:f={f},convention=byzfl",
     .twin = [](const Columned& in) { return reference::MultiKrum(in.updates, in.faulty, KrumScore::kByzfl, {}); },
     .bound = {2, 1},
     .doubles = true},
    {.spec = "multi_krum:f={f},m=2",
     .twin = [](const Columned& in) { return reference::MultiKrum(in.updates, in.faulty, KrumScore::kBlanchard, 2); },
     .bound = {2, 3}},
    {.spec = "bulyan:f={f}",
     .twin = [](const Columned& in) { return reference::Bulyan(in.updates, in.faulty, KrumScore::kBlanchard); },
     .bound = {4, 3},
     .turns = false},
    {.spec = "bulyan:f={f},convention=byzfl",
     .twin = [](const Columned& in) { return reference::Bulyan(in.updates, in.faulty, KrumScore::kByzfl); },
     .bound = {4, 3},
     .turns = false},
    {.spec = "mda:f={f}",
     .twin = [](const Columned& in) { return reference::Mda(in.updates, in.faulty); },
     .bound = {2, 1},
     .ties = true},
    {.spec = "smea:f={f}",
     .twin = [](const Columned& in) { return reference::Smea(in.updates, in.faulty); },
     .bound = {2, 1}},
    {.spec = "monna:f={f},pivot=trusted",
     .twin = [](const Columned& in) { return reference::Monna(in.updates, in.faulty, in.named); },
     .bound = {2, 1},
     .doubles = true},
    // Iteration and filters.
    {.spec = "geometric_median",
     .twin = [](const Columned& in) { return reference::GeometricMedian(in.updates, 0.1, 0); },
     .bound = {},
     .scales = false,
     .doubles = true},
    {.spec = "geometric_median:nu={0.01},iterations=3",
     .twin = [](const Columned& in) { return reference::GeometricMedian(in.updates, 0.01 * in.unit, 3); },
     .bound = {},
     .doubles = true},
    {.spec = "centered_clipping",
     .twin =
         [](const Columned& in) {
           return reference::CenteredClipping(in.updates, in.last.value_or(Vector(in.updates[0].size())), 100, 1);
         },
     .bound = {},
     .mean = false,
     .scales = false,
     .doubles = true},
    {.spec = "centered_clipping:tau={2},iterations=5",
     .twin =
         [](const Columned& in) {
           const Vector last = in.last.value_or(Vector(in.updates[0].size()));
           return reference::CenteredClipping(in.updates, last, 2 * in.unit, 5);
         },
     .bound = {},
     .mean = false,
     .doubles = true},
    {.spec = "caf:f={f}",
     .twin = [](const Columned& in) { return reference::Caf(in.updates, in.faulty); },
     .bound = {2, 1},
     .doubles = true,
     .spectral = true},
    {.spec = "dnc:f={f}",
     .twin = [](const Columned& in) { return reference::Dnc(in.updates, in.faulty, 1); },
     .bound = {2, 1},
     .doubles = true,
     .spectral = true},
    {.spec = "dnc:f={f},c=1.5",
     .twin = [](const Columned& in) { return reference::Dnc(in.updates, in.faulty, 1.5); },
     .bound = {2, 1},
     .spectral = true},
    // Trust.
    {.spec = "fltrust:root=trusted",
     .twin = [](const Columned& in) { return reference::FlTrust(in.updates, in.named); },
     .bound = {},
     .mean = false,
     .shifts = false,
     .doubles = true},
    {.spec = "foolsgold",
     .twin = [](const Columned& in) { return reference::FoolsGold(in.updates, in.histories); },
     .bound = {},
     .mean = false,
     .shifts = false},
    // Subspaces.
    {.spec = "flag",
     .twin = [](const Columned& in) { return reference::FlagOfPaper(in.updates, {}); },
     .bound = {},
     .mean = false,
     .shifts = false,
     .spectral = true},
    {.spec = "flag:m=2,lambda=0.5,iterations=3,epsilon=1e-3",
     .twin =
         [](const Columned& in) {
           return reference::FlagOfPaper(in.updates, {.m = 2, .lambda = 0.5, .iterations = 3, .epsilon = 1e-3});
         },
     .bound = {0, 2},
     .mean = false,
     .shifts = false,
     .spectral = true},
    {.spec = "flag:variant=reference",
     .twin = [](const Columned& in) { return reference::FlagOfCode(in.updates, {}); },
     .bound = {},
     .mean = false,
     .shifts = false,
     .degree = 0,
     .spectral = true},
    // Once three directions hold a pair's difference, its weight is (rounding + 1e-7)^(-1/4): in five iterations the
    // twin itself moves by up to 4e-9 with the last place of its columns.
    {.spec = "flag:variant=reference,lambda=8,m=3",
     .twin = [](const Columned& in) { return reference::FlagOfCode(in.updates, {.m = 3, .lambda = 8}); },
     .bound = {0, 3},
     .mean = false,
     .shifts = false,
     .degree = 0,
     .spectral = true,
     .tolerance = 1e-7,
     .float_tolerance = 1e-4},
    // Coordinate by coordinate.
    {.spec = "median",
     .twin = [](const Columned& in) { return reference::Median(in.updates); },
     .bound = {},
     .turns = false,
     .doubles = true},
    {.spec = "trimmed_mean:f={f}",
     .twin = [](const Columned& in) { return reference::TrimmedMean(in.updates, in.faulty); },
     .bound = {2, 1},
     .turns = false,
     .doubles = true},
    {.spec = "meamed:f={f}",
     .twin = [](const Columned& in) { return reference::Meamed(in.updates, in.updates.size() - in.faulty); },
     .bound = {2, 1},
     .turns = false,
     .doubles = true},
    {.spec = "phocas:f={f}",
     .twin = [](const Columned& in) { return reference::Phocas(in.updates, in.faulty); },
     .bound = {2, 1},
     .turns = false,
     .doubles = true},
    {.spec = "sign",
     .twin = [](const Columned& in) { return reference::SignVote(in.updates, 1); },
     .bound = {},
     .mean = false,
     .turns = false,
     .shifts = false,
     .degree = 0,
     .doubles = true},
    {.spec = "sign:step={1}",
     .twin = [](const Columned& in) { return reference::SignVote(in.updates, in.unit); },
     .bound = {},
     .mean = false,
     .turns = false,
     .shifts = false,
     .doubles = true},
};

struct GuardFacts {
  std::string spec;
  Columns (*mixture)(const Columned&);  // By new column what it takes of each.
  Bound bound;
  std::size_t bucket = 1;  // Columns that become one.
  bool lots = false;       // Draws lots, by the columns' order.
};

inline void PrintTo(const GuardFacts& facts, std::ostream* out) { *out << facts.spec; }

inline const std::vector<GuardFacts> kGuardFacts = {
    {.spec = "finite",
     .mixture = [](const Columned& in) { return reference::ClipMixture(in.updates, HUGE_VAL); },
     .bound = {}},
    {.spec = "nnm:f={f}",
     .mixture = [](const Columned& in) { return reference::NearestNeighbourMixture(in.updates, in.faulty); },
     .bound = {2, 1}},
    {.spec = "bucketing",
     .mixture = [](const Columned& in) { return reference::BucketingMixture(in.updates, 1, 0, in.round); },
     .bound = {},
     .lots = true},
    {.spec = "bucketing:s=3,seed=18",
     .mixture = [](const Columned& in) { return reference::BucketingMixture(in.updates, 3, 18, in.round); },
     .bound = {},
     .bucket = 3,
     .lots = true},
    {.spec = "clip:c={1.5}",
     .mixture = [](const Columned& in) { return reference::ClipMixture(in.updates, 1.5 * in.unit); },
     .bound = {}},
    {.spec = "arc:f={f}",
     .mixture = [](const Columned& in) { return reference::ArcMixture(in.updates, in.faulty); },
     .bound = {2, 1}},
};

}  // namespace cairn::robust_conformance
