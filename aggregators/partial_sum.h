// Sums over some of a round's clients, for combine rules whose result is a quotient of sums (mean, ffa, zero_pad,
// dense_mean, core_mean): per module the terms n_i A_i and n_i s_i B_i, per tensor n_i t_i, and the example counts that
// they are divided by. Partial sums merge; the result depends on the set of clients alone, to the last bit: not on
// their order, nor on who was summed with whom, nor on the shape of the tree (ADR 15, kernels/window_sum.h). It is the
// very result that Aggregator::Report gives with the weights of the rule `examples`.
//
// The numbers lie in planes of int64, 1 to 3 of them, all of one size (0 before the first client); everything else is
// in the index, some bytes that another process reads (docs/formats/partial.md).
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "absl/numeric/int128.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/types/span.h"
#include "adapter/lora.h"
#include "aggregators/combined.h"
#include "aggregators/sum_plane.h"

namespace cairn {

namespace internal {
struct FrozenView;
struct Newcomer;
struct PartialState;
}  // namespace internal

struct Contributor {
  std::string client;
  std::string sha256;          // Of the update's bytes: 64 lower-case hexadecimal characters.
  std::uint64_t examples = 0;  // n_i: 1 to 2^53.
  friend bool operator==(const Contributor&, const Contributor&) = default;
};

// Whether what the combine rule "NAME[:options]" makes of weights by `examples` is a quotient of sums, so that
// PartialSum can do it. Errors as MakeAggregator.
absl::StatusOr<bool> IsSum(const std::string& combine);

// A partial sum that is only read. Cheap to copy. The planes must outlive it, and everything that Report gives must be
// read before that or it goes.
class PartialView {
 public:
  // From PartialSum::Index and the planes, in order. They may be read-only mappings, and need not be trusted: it never
  // reads out of bounds. INVALID_ARGUMENT: bytes that are no index (magic, checksum, or sizes and names that do not fit
  // together), another number of planes or planes of another size; UNIMPLEMENTED: an index of another version. Whether
  // the planes hold the right numbers is for whoever keeps them to know (the store's checksums).
  static absl::StatusOr<PartialView> Parse(absl::string_view index, std::vector<absl::Span<const std::int64_t>> planes);

  const std::string& combine() const;                    // The rule, "NAME[:options]".
  const std::vector<Contributor>& contributors() const;  // Ascending by client.
  absl::uint128 examples() const;                        // The sum of their n_i.
  const AdapterSpec& spec() const;                       // Every module and tensor that some client has.
  const std::vector<std::int64_t>& ranks() const;        // Of the result, by module of spec().

  // What Parse makes this of: to hand it on as it is.
  std::string Index() const;
  const std::vector<absl::Span<const std::int64_t>>& planes() const { return planes_; }

  // The result: modules and then tensors to the sink, in order. FAILED_PRECONDITION without contributors. OUT_OF_RANGE,
  // with the module's name, when the sink says so of combined values; the sink's first error ends the report.
  // Factors are computed from the planes as they are read.
  absl::Status Report(const ResultSink& sink) const;

 private:
  friend class PartialSum;
  PartialView(std::shared_ptr<const internal::PartialState> state, std::vector<absl::Span<const std::int64_t>> planes);

  std::shared_ptr<const internal::PartialState> state_;
  std::vector<absl::Span<const std::int64_t>> planes_;
};

// Not thread-safe.
class PartialSum {
 public:
  // Errors as MakeAggregator; INVALID_ARGUMENT: a rule that is no sum.
  static absl::StatusOr<PartialSum> Create(const std::string& combine, MakePlane make = HeapPlanes());
  PartialSum(PartialSum&&) noexcept;
  PartialSum& operator=(PartialSum&&) noexcept;
  ~PartialSum();

  struct Update {
    Contributor who;
    const Adapter* adapter = nullptr;  // With its bytes. Not kept.
  };
  // Folds updates into the sum, all of them or none, block by block: several at once cost less than one after the
  // other, as the accumulators are loaded once. Each update is read once.
  //   ALREADY_EXISTS      a client that is there, or twice among these
  //   INVALID_ARGUMENT    what Aggregator::Accumulate refuses (with the client), in particular what the rule demands of
  //                       clients beside those already there, of whom messages name any; frozen values or tensors that
  //                       are no floats unlike theirs
  //   RESOURCE_EXHAUSTED  more than limits::kCohortClientsMax clients; or MakePlane's error
  // These leave the sum as it was. Two do not, as they show only when a part is summed already: then usable() and
  // everything after says FAILED_PRECONDITION, and the sum must be started anew.
  //   INVALID_ARGUMENT    values that are not finite, with client and tensor (BlamedClient in blame.h names the client)
  //   MakePlane's error   for the second or third plane
  absl::Status Add(absl::Span<const Update> updates);
  absl::Status Add(const Contributor& who, const Adapter& adapter) { return Add({Update{who, &adapter}}); }

  // Adds the sum of other clients, which is only read. ALREADY_EXISTS, with a client that both have; INVALID_ARGUMENT:
  // another rule, or clients that the rule would not take beside these; else as Add.
  absl::Status Merge(const PartialView& other);

  absl::Status usable() const { return usable_; }
  const std::string& combine() const;                    // The rule, "NAME[:options]".
  const std::vector<Contributor>& contributors() const;  // Ascending by client.
  absl::uint128 examples() const;                        // The sum of their n_i.

  // The sum as it is now. Until the next Add or Merge. REQUIRES: usable().
  PartialView View() const;
  // Everything but the planes, with a version and a checksum. The sum of no clients has one, too. REQUIRES: usable().
  std::string Index() const;
  // In order: 0 to 3, as Index says. The sum must not be used afterwards.
  std::vector<std::unique_ptr<SumPlane>> TakePlanes() &&;

 private:
  PartialSum(std::shared_ptr<internal::PartialState> state, MakePlane make);
  absl::Status Grow(absl::Span<const internal::Newcomer> newcomers, absl::Span<const internal::FrozenView> frozen);
  absl::Status Break(absl::Status status);

  std::shared_ptr<internal::PartialState> state_;
  std::vector<std::unique_ptr<SumPlane>> planes_;
  MakePlane make_;
  absl::Status usable_;
};

}  // namespace cairn
