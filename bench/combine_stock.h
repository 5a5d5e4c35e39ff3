// Stacks to compress, the stock way to do it, and how good a result is: all by libtorch.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

namespace cairn::bench {

// Row-major: a [rank, kLlamaDim], b [kLlamaDim, rank], weights and scales folded in.
struct StackedModule {
  std::vector<float> a, b;
  std::int64_t rank = 0;
};

// `clients` of rank 16, each of which learned 16 of the same 64 directions, of strength 1, 1/2, 1/3, ..., with 30%
// noise of its own: a spectrum that falls slowly and then has a long tail.
StackedModule MakeStack(int clients, std::uint64_t seed);

struct LowRankFactors {
  std::vector<double> a, b;  // [rank, kLlamaDim], [kLlamaDim, rank]
};
// The textbook: QR of both factors and SVD of the core in float32 on `device`; the result comes back to the CPU.
LowRankFactors StockRecompress(const StackedModule& module, std::int64_t rank, const std::string& device);

// In float64, relative to the norm of the product: the least error that any product of this rank has, and that of one.
double OptimalError(const StackedModule& module, std::int64_t rank);
double ErrorOf(const StackedModule& module, const LowRankFactors& factors);

}  // namespace cairn::bench
