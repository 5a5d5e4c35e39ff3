// The weighted mean of every tensor by itself: for adapters whose parameters enter the model one by one (IA3, prefixes,
// adapter layers, masks), and for any other kind when asked for by name.
#include <optional>

#include "absl/strings/escaping.h"
#include "absl/strings/str_cat.h"
#include "aggregators/registry.h"
#include "aggregators/same_config.h"

namespace cairn {
namespace {

class DenseMean final : public Aggregator {
 public:
  absl::string_view name() const override { return "dense_mean"; }
  Locality locality() const override { return Locality::kMergeable; }
  RoundStart round_start() const override { return RoundStart::kWarm; }
  std::optional<Summed> summed() const override { return Summed(); }
  bool linear() const override { return true; }

 protected:
  // Whoever names this rule wants it for this kind.
  absl::Status DoCheckKind(const PeftConfig&) const override { return absl::OkStatus(); }
  absl::Status DoCheck(const ClientUpdate& update) const override {
    if (!update.adapter->modules.empty()) {
      return absl::InvalidArgumentError(
          absl::StrCat("combine dense_mean: client ", update.client, ": expected tensors, got LoRA modules"));
    }
    if (updates().empty()) return absl::OkStatus();
    const auto& [client, first] = *updates().begin();
    const PeftConfig &ours = update.adapter->config, &theirs = first.adapter->config;
    if (ours.peft_type != theirs.peft_type) {
      return Differ(update.client, client, {"peft_type", ours.peft_type, theirs.peft_type});
    }
    if (ours.json.empty() || theirs.json.empty()) return absl::OkStatus();  // Files of tensors without a config.
    const std::optional<ConfigDifference> difference = DifferenceOf(ours.json, theirs.json);
    return difference ? Differ(update.client, client, *difference) : absl::OkStatus();
  }
  // There are no modules; the base class averages tensors.
  std::int64_t DoRank(std::int64_t so_far, std::int64_t) const override { return so_far; }

 private:
  // The same numbers mean something else under another seed, scale or list of layers.
  static absl::Status Differ(const std::string& x, const std::string& y, const ConfigDifference& difference) {
    return absl::InvalidArgumentError(absl::StrCat("combine dense_mean: client ", x, " has ",
                                                   absl::CHexEscape(difference.key), " ", difference.x, ", client ", y,
                                                   " has ", difference.y));
  }
};

CAIRN_REGISTER_COMBINE("dense_mean", DenseMean);

}  // namespace
}  // namespace cairn
