#include "bench/robust_columns.h"

#include "absl/strings/str_format.h"

namespace cairn::bench {
namespace {

// Uniform in [-1, 1), by xorshift: two and a half thousand million values are to be had soon.
class Noise {
 public:
  explicit Noise(std::uint64_t seed) : state_(0x9E3779B97F4A7C15 * (seed + 1)) {}
  float operator()() {
    state_ ^= state_ << 13;
    state_ ^= state_ >> 7;
    state_ ^= state_ << 17;
    return static_cast<float>(static_cast<std::int64_t>(state_) >> 40) * 0x1p-23F;
  }

 private:
  std::uint64_t state_;
};

}  // namespace

DenseColumns::DenseColumns(std::int64_t columns, std::int64_t elements, std::int64_t faulty)
    : elements_(elements), values_(static_cast<std::size_t>(columns * elements)) {
  for (std::int64_t i = 0; i < columns; ++i) {
    Noise common(0), own(static_cast<std::uint64_t>(i) + 1);
    const float sign = i < faulty ? -1 : 1;
    float* const values = values_.data() + i * elements;
    for (std::int64_t k = 0; k < elements; ++k) values[k] = sign * common() + own();
    Adapter& adapter = adapters_.emplace_back();
    adapter.config.kind = AdapterKind::kAveraged;
    adapter.config.peft_type = "IA3";
    const auto bytes = static_cast<std::size_t>(elements) * sizeof(float);
    adapter.tensors.push_back({.view = {.name = "weight",
                                        .dtype = DType::kF32,
                                        .shape = {elements},
                                        .data = {reinterpret_cast<const char*>(values), bytes}}});
  }
}

std::string ClientId(std::int64_t column) { return absl::StrFormat("client%04d", column); }

}  // namespace cairn::bench
