// Terms of several clients, added to one plane of a block in one pass over memory, which also finds their greatest
// magnitudes: a fold is bound by memory, and looking for the magnitudes first would read all values once more.
//
// So the window has to be guessed. What was added for a wrong one is taken back: sums of integers forget.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>

#include "absl/types/span.h"

namespace cairn::kernels {

// With more the registers do not suffice, and memory is not the bound any more.
inline constexpr std::size_t kTermsAtOnce = 4;

// One client's values of a block, as many as it has sums.
struct ClientTerms {
  const float* values = nullptr;
  double factor = 1;
};

// Which vectors are used. All give the same bits: the operations are the same.
enum class Vectors : std::uint8_t { kPlain, kAvx2, kAvx512 };
Vectors WidestVectors();  // That this processor has.

// sum[i] = (fresh ? 0 : sum[i]) + for each client what AddTerms adds with `window`; gives the clients' greatest
// |values|, NaN or infinity if one of them is. Where factor * that is not in `window`, what was added means nothing.
// REQUIRES: 1 to kTermsAtOnce clients; the processor has the vectors.
std::array<float, kTermsAtOnce> AddTermsAtOnce(absl::Span<const ClientTerms> clients, int window, bool fresh,
                                               absl::Span<std::int64_t> sum, Vectors vectors = WidestVectors());

// Takes back what AddTermsAtOnce added for a client with this window, whatever that was.
void TakeBack(const ClientTerms& client, int window, absl::Span<std::int64_t> sum);

}  // namespace cairn::kernels
