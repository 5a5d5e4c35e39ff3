// What is made of a combined module before it is published.
#pragma once

#include <cstdint>
#include <filesystem>
#include <map>
#include <string>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"

namespace cairn {

struct PublishForm {
  enum class Kind {
    kStack,   // As the combine rule gives it.
    kMerged,  // The base model's weights with the change added.
    kRank,    // Cut to `rank` by the singular value decomposition.
    kEnergy,  // Cut to the least rank that keeps `energy` of the squared Frobenius norm.
    kRanks,   // kRank once for each client, at its own rank and with its own scale: one output each.
    kWidest,  // kRank at the highest rank that a client has in the module. Default of the rule svd.
  };
  Kind kind = Kind::kStack;
  std::int64_t rank = 0;             // kRank: 1 to limits::kRankMax.
  double energy = 0;                 // kEnergy: in (0, 1].
  std::filesystem::path ranks_file;  // kRanks: see ParseRanks.
};

// "stack", "merged", "rank=16", "energy=0.99", "ranks=FILE", "widest". INVALID_ARGUMENT names what was expected.
absl::StatusOr<PublishForm> ParsePublishForm(absl::string_view text);
std::string ToString(const PublishForm& form);

// The text of a ranks file: one `client rank [alpha]` a line, '#' begins a comment. The recipient's scale is alpha /
// rank, 1 without alpha.
struct RecipientRank {
  std::int64_t rank = 0;
  double alpha = 0;  // 0: as rank.
};
absl::StatusOr<std::map<std::string, RecipientRank>> ParseRanks(absl::string_view text);

}  // namespace cairn
