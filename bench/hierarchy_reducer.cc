#include "bench/hierarchy_reducer.h"

#include <utility>

#include "absl/strings/str_cat.h"
#include "adapter/lora.h"
#include "aggregators/partial_sum.h"
#include "base/status_macros.h"
#include "bench/hierarchy_axpy.h"

namespace cairn::bench {
namespace {

constexpr char kCombine[] = "mean";
constexpr std::uint64_t kExamples = 100;

class SumReducer final : public Reducer {
 public:
  SumReducer(PeftConfig config, PartialSum sum) : config_(std::move(config)), sum_(std::move(sum)) {}

  absl::Status Fold(absl::Span<const absl::string_view> updates) override {
    std::vector<Adapter> adapters;
    adapters.reserve(updates.size());  // Their addresses stay.
    std::vector<PartialSum::Update> folded;
    for (const absl::string_view bytes : updates) {
      CAIRN_ASSIGN_OR_RETURN(Adapter adapter, ParseAdapter(bytes, config_));
      folded.push_back({NextClient(), &adapters.emplace_back(std::move(adapter))});
    }
    return sum_.Add(folded);
  }

 private:
  // The same bytes every time, from a client that was not there yet.
  Contributor NextClient() { return {absl::StrCat("client-", next_++), std::string(64, '0'), kExamples}; }

  const PeftConfig config_;
  PartialSum sum_;
  int next_ = 0;
};

class AxpyReducer final : public Reducer {
 public:
  absl::Status Fold(absl::Span<const absl::string_view> updates) override {
    for (absl::string_view bytes : updates) {
      CAIRN_ASSIGN_OR_RETURN(const std::uint64_t header, SafetensorsHeaderBytes(bytes, bytes.size()));
      bytes.remove_prefix(header);
      sum_.resize(bytes.size() / sizeof(float));
      Axpy(100, {reinterpret_cast<const float*>(bytes.data()), sum_.size()}, absl::MakeSpan(sum_));
    }
    return absl::OkStatus();
  }

 private:
  std::vector<float> sum_;
};

}  // namespace

absl::StatusOr<std::unique_ptr<Reducer>> MakeReducer(const std::string& adapter_config) {
  CAIRN_ASSIGN_OR_RETURN(PeftConfig config, ParsePeftConfig(adapter_config));
  CAIRN_ASSIGN_OR_RETURN(PartialSum sum, PartialSum::Create(kCombine));
  return std::make_unique<SumReducer>(std::move(config), std::move(sum));
}

std::unique_ptr<Reducer> MakeAxpy() { return std::make_unique<AxpyReducer>(); }

}  // namespace cairn::bench
