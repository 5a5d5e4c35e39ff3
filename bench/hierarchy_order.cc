#include "bench/hierarchy_order.h"

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/strings/str_split.h"
#include "base/status_macros.h"

namespace cairn::bench {
namespace {

// The numbers after a first word.
absl::StatusOr<std::vector<std::int64_t>> Numbers(absl::string_view line, absl::string_view word, std::size_t least) {
  const std::vector<absl::string_view> words = absl::StrSplit(line, ' ');
  std::vector<std::int64_t> numbers(words.size() - 1);
  bool good = words[0] == word && numbers.size() >= least;
  for (std::size_t i = 0; good && i < numbers.size(); ++i) good = absl::SimpleAtoi(words[i + 1], &numbers[i]);
  if (!good) return absl::InternalError(line);
  return numbers;
}

}  // namespace

std::string TextOf(const Order& order) {
  return absl::StrCat("run ", order.updates, " ", order.in_flight, " ", int{order.land}, " ", int{order.fold}, " ",
                      order.batch);
}

absl::StatusOr<Order> ParseOrder(absl::string_view line) {
  CAIRN_ASSIGN_OR_RETURN(const auto numbers, Numbers(line, "run", 5));
  return Order{static_cast<int>(numbers[0]), static_cast<int>(numbers[1]), numbers[2] != 0, numbers[3] != 0,
               static_cast<int>(numbers[4])};
}

std::string TextOf(const ProducerReport& report) {
  return absl::StrCat("produced ", report.start, " ", report.landing_cpu, " ", absl::StrJoin(report.landed_at, " "));
}

std::string TextOf(const AggregatorReport& report) {
  return absl::StrCat("folded ", report.copied, " ", absl::StrJoin(report.there_at, " "), " ",
                      absl::StrJoin(report.folded_at, " "));
}

absl::StatusOr<ProducerReport> ParseProducerReport(absl::string_view line) {
  CAIRN_ASSIGN_OR_RETURN(const auto numbers, Numbers(line, "produced", 3));
  return ProducerReport{numbers[0], numbers[1], {numbers.begin() + 2, numbers.end()}};
}

absl::StatusOr<AggregatorReport> ParseAggregatorReport(absl::string_view line) {
  CAIRN_ASSIGN_OR_RETURN(const auto numbers, Numbers(line, "folded", 3));
  const auto middle = numbers.begin() + 1 + static_cast<std::ptrdiff_t>((numbers.size() - 1) / 2);
  return AggregatorReport{numbers[0], {numbers.begin() + 1, middle}, {middle, numbers.end()}};
}

}  // namespace cairn::bench
