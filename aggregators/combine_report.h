// What became of the clients and modules of one combination, for people and for programs.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "adapter/dtype.h"

namespace cairn {

struct ClientReport {
  std::string id;
  double examples = 0;
  double weight = 0;  // As it was used: 0 for a client that does not count.
  bool accepted = true;
  std::string reason;              // Why it has no weight; else empty.
  std::optional<double> distance;  // From the result, in Frobenius norm. None: the rule did not look at the updates.
  std::optional<double> cosine;    // Of the angle to the result.
};

struct ModuleReport {
  std::string name;
  std::int64_t rank_in = 0;   // The sum of the clients' ranks.
  std::int64_t rank_out = 0;  // As published.
  // ||published - dW*||_F / ||dW*||_F. None: not measured. 0: exact, up to the rounding to float32 or, as said by
  // CombineReport::before_rounding, to a narrower type.
  std::optional<double> relative_error;
};

// One of the outputs of publish ranks=FILE.
struct RecipientReport {
  std::string id;
  std::int64_t rank = 0;
  std::optional<double> relative_error;  // Of all modules together.
};

struct CombineReport {
  std::vector<ClientReport> clients;        // Ascending by id, as everywhere.
  std::vector<ModuleReport> modules;        // Ascending by name.
  std::optional<double> relative_error;     // Of all modules together. None unless every module has one.
  std::optional<DType> dtype;               // Of what is written. None: not one for all modules.
  bool coordinate_wise = false;             // Errors are from what the rule gave, which is no weighted sum.
  bool before_rounding = false;             // dtype is narrower than F32 and the errors do not contain that.
  std::vector<std::vector<double>> gram;    // <dW_i, dW_j>, in order of `clients`. Empty unless asked for.
  std::vector<RecipientReport> recipients;  // Ascending by id. Empty for other forms.
  std::string combine, rule;                // As they were asked for; options included.
  std::vector<std::string> guards;
  std::string publish;
  double seconds = 0;
  std::uint64_t bytes = 0;  // Of all tensor files written.
};

// JSON with two-space indent and a newline at the end (docs/aggregate.md). What is not known is null.
std::string ToJson(const CombineReport& report);

}  // namespace cairn
