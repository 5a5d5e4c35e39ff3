// A config that parses must read back the same after being written, and its patterns must compile or be refused.
#include <cstdint>
#include <cstdlib>

#include "adapter/peft_config.h"

namespace {

void Check(bool property) {
  if (!property) std::abort();
}

void CheckRoundTrip(const cairn::PeftConfig& config) {
  const std::string written = SerializePeftConfig(config);
  if (config.kind != cairn::AdapterKind::kLora) {
    Check(written == config.json);
    Check(config.kind_reason.empty() == (config.kind == cairn::AdapterKind::kAveraged));
    return;
  }
  const auto again = cairn::ParsePeftConfig(written);
  // Indentation and escapes may carry a config over the size limit, which is no disagreement.
  if (!again.ok() && written.size() > 100'000) return;
  Check(again.ok());
  Check(again->base_model == config.base_model && again->task_type == config.task_type);
  Check(again->rank == config.rank && again->alpha == config.alpha && again->rslora == config.rslora);
  Check(again->rank_pattern == config.rank_pattern && again->alpha_pattern == config.alpha_pattern);
  Check(again->target_modules == config.target_modules && again->modules_to_save == config.modules_to_save);
  Check(again->bias == config.bias && again->lora_bias == config.lora_bias);
  Check(SerializePeftConfig(*again) == written);
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const auto config = cairn::ParsePeftConfig({reinterpret_cast<const char*>(data), size});
  if (!config.ok()) return 0;
  CheckRoundTrip(*config);
  if (config->kind != cairn::AdapterKind::kLora) return 0;
  for (absl::string_view module : {"q", "layers.0.attn.q", "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"}) {
    const auto got = RankAndScaleOf(*config, module);
    Check(!got.ok() || (got->rank > 0 && got->scale > 0));
  }
  return 0;
}
