#include <cmath>
#include <utility>

#include "absl/strings/escaping.h"
#include "absl/strings/str_cat.h"
#include "aggregators/partial/bytes.h"
#include "aggregators/partial/index_fields.h"
#include "base/ids.h"
#include "base/limits.h"
#include "base/status_macros.h"

namespace cairn::internal {
namespace {

// The least that each takes: lengths and fixed fields.
constexpr std::uint64_t kFrozenBytes = 4 * 8, kModuleBytes = 6 * 8 + 1 + 32, kTensorBytes = 4 * 8 + 1 + 32,
                        kContributorBytes = 8 + 32 + 8, kBlockBytes = 4, kShaBytes = 32;

absl::Status Wrong(absl::string_view what) { return absl::InvalidArgumentError(what); }
absl::Status Wrong(absl::string_view what, absl::string_view of) {
  return absl::InvalidArgumentError(absl::StrCat("\"", absl::CHexEscape(of), "\": ", what));
}

class Reader {
 public:
  explicit Reader(absl::string_view payload) : bytes_(payload) {}

  absl::StatusOr<ParsedIndex> Read() {
    state_.combine = std::string(bytes_.Text());
    const auto planes = bytes_.Number<std::uint32_t>();
    if (bytes_.failed() || planes > kernels::kSumPlanes) return Wrong("the number of planes");
    CAIRN_ASSIGN_OR_RETURN(state_.rule, MakeSumRule(state_.combine));
    CAIRN_RETURN_IF_ERROR(ReadConfig());
    for (std::uint64_t left = bytes_.Count(kModuleBytes); left > 0; --left) CAIRN_RETURN_IF_ERROR(ReadModule());
    for (std::uint64_t left = bytes_.Count(kTensorBytes); left > 0; --left) CAIRN_RETURN_IF_ERROR(ReadTensor());
    for (std::uint64_t left = bytes_.Count(kContributorBytes); left > 0; --left) {
      CAIRN_RETURN_IF_ERROR(ReadContributor());
    }
    const std::uint64_t blocks = bytes_.Count(kBlockBytes);
    CAIRN_RETURN_IF_ERROR(FitTogether(static_cast<std::int64_t>(blocks), planes));
    for (kernels::BlockWindows& windows : state_.windows) CAIRN_RETURN_IF_ERROR(ReadWindows(windows, planes));
    if (bytes_.failed() || bytes_.left() > 0) return Wrong("it has another length than its fields");
    return ParsedIndex{std::make_shared<const PartialState>(std::move(state_)), static_cast<int>(planes)};
  }

 private:
  absl::Status ReadConfig() {
    PeftConfig& config = state_.shape.common.config;
    const auto kind = bytes_.Number<std::uint8_t>();
    for (std::string* text : {&config.peft_type, &config.kind_reason, &config.json, &config.base_model}) {
      *text = std::string(bytes_.Text());
    }
    if (bytes_.failed() || kind > static_cast<std::uint8_t>(AdapterKind::kBilinear)) return Wrong("the config");
    config.kind = static_cast<AdapterKind>(kind);
    return config.json.empty() ? absl::OkStatus() : ParsePeftConfig(config.json).status();
  }

  absl::Status ReadModule() {
    LoraModule module;
    module.name = std::string(bytes_.Text());
    CAIRN_ASSIGN_OR_RETURN(module.layer, LayerFromName(bytes_.Text()));
    for (std::int64_t* number : {&module.d_in, &module.d_out, &module.rank}) *number = bytes_.Number<std::int64_t>();
    module.scale = bytes_.Number<double>();
    // Before anything is computed from them.
    const auto in = [](std::int64_t number, std::int64_t most) { return number > 0 && number <= most; };
    if (!in(module.d_in, limits::kModuleDimMax) || !in(module.d_out, limits::kModuleDimMax) ||
        !in(module.rank, limits::kRankMax) || !in(module.layer.groups, limits::kRankMax)) {
      return Wrong("its dimensions", module.name);
    }
    module.a.shape = {module.rank, module.d_in};
    module.b.shape = {module.d_out, module.rank / module.layer.groups};
    if (bytes_.Number<std::uint8_t>() != 0) module.core = TensorView{.shape = {module.rank, module.rank}};
    Held& held = state_.modules[module.name];
    CAIRN_RETURN_IF_ERROR(ReadHeld(held, module.name));
    const Aggregator::Summed summed = *state_.rule->summed();
    const auto kept = [&](const std::string& part, const TensorView& view, bool wanted) {
      const auto found = held.frozen.find(part);
      if (found == held.frozen.end()) return !wanted;
      return wanted && IsFloat(found->second.dtype) && SizeFits(found->second, view);
    };
    const bool fits = kept("A", module.a, !summed.a) && kept("B", module.b, !summed.b) && held.rank_in >= module.rank &&
                      held.frozen.size() == (summed.a ? 0u : 1u) + (summed.b ? 0u : 1u);
    state_.shape.common.modules.push_back(std::move(module));
    return fits ? absl::OkStatus() : Wrong("what its holders have", state_.shape.common.modules.back().name);
  }

  absl::Status ReadTensor() {
    DenseTensor tensor;
    tensor.view.name = std::string(bytes_.Text());
    CAIRN_ASSIGN_OR_RETURN(tensor.view.dtype, DTypeFromName(bytes_.Text()));
    const std::uint64_t dims = bytes_.Count(8);
    for (std::uint64_t d = 0; d < dims; ++d) tensor.view.shape.push_back(bytes_.Number<std::int64_t>());
    tensor.scale = bytes_.Number<double>();
    tensor.absolute = bytes_.Number<std::uint8_t>() != 0;
    CAIRN_RETURN_IF_ERROR(CheckSpec({.tensors = {{tensor.view.name, tensor.view.shape}}}));  // Sizes are safe now.
    Held& held = state_.tensors[tensor.view.name];
    CAIRN_RETURN_IF_ERROR(ReadHeld(held, tensor.view.name));
    const auto found = held.frozen.find("");
    const bool fits = IsFloat(tensor.view.dtype)
                          ? held.frozen.empty()
                          : held.frozen.size() == 1 && found != held.frozen.end() &&
                                found->second.dtype == tensor.view.dtype && SizeFits(found->second, tensor.view);
    state_.shape.common.tensors.push_back(std::move(tensor));
    return fits ? absl::OkStatus() : Wrong("what its holders have", state_.shape.common.tensors.back().view.name);
  }

  static bool SizeFits(const FrozenPart& frozen, const TensorView& view) {
    return frozen.bytes.size() == static_cast<std::uint64_t>(view.elements()) * SizeOf(frozen.dtype);
  }

  absl::Status ReadHeld(Held& held, absl::string_view name) {
    held.examples = bytes_.Number128();
    held.rank_in = bytes_.Number<std::int64_t>();
    for (std::uint64_t left = bytes_.Count(kFrozenBytes); left > 0; --left) {
      std::string part(bytes_.Text());
      FrozenPart& frozen = held.frozen[std::move(part)];
      frozen.holder = std::string(bytes_.Text());
      CAIRN_ASSIGN_OR_RETURN(frozen.dtype, DTypeFromName(bytes_.Text()));
      frozen.bytes = std::string(bytes_.Text());
    }
    return bytes_.failed() ? Wrong("it ends early", name) : absl::OkStatus();
  }

  absl::Status ReadContributor() {
    Contributor who;
    who.client = std::string(bytes_.Text());
    who.sha256 = absl::BytesToHexString(bytes_.Raw(kShaBytes));
    who.examples = bytes_.Number<std::uint64_t>();
    CAIRN_RETURN_IF_ERROR(CheckId("client id", who.client));
    if (who.examples == 0 || who.examples > static_cast<std::uint64_t>(kExamplesMax)) {
      return Wrong("its example count", who.client);
    }
    if (!state_.contributors.empty() && state_.contributors.back().client >= who.client) {
      return Wrong("a contributor that is not in order", who.client);
    }
    state_.examples += who.examples;
    state_.contributors.push_back(std::move(who));
    if (state_.contributors.size() > limits::kCohortClientsMax) return Wrong("too many contributors");
    return absl::OkStatus();
  }

  // What the rule would not take as one client's is no sum of its clients.
  absl::Status FitTogether(std::int64_t blocks, std::uint32_t planes) {
    const Adapter& common = state_.shape.common;
    if (bytes_.failed()) return Wrong("it ends early");
    const auto scaled = [](double scale) { return std::isfinite(scale); };
    for (const LoraModule& module : common.modules) {
      CAIRN_RETURN_IF_ERROR(CheckHeld(state_.modules[module.name], module.name, scaled(module.scale)));
    }
    for (const DenseTensor& tensor : common.tensors) {
      CAIRN_RETURN_IF_ERROR(CheckHeld(state_.tensors[tensor.view.name], tensor.view.name, scaled(tensor.scale)));
    }
    const bool empty = common.modules.empty() && common.tensors.empty();
    if (state_.contributors.empty() != empty || (empty && (blocks > 0 || planes > 0))) {
      return Wrong("what there is, and of whom");
    }
    if (empty) return absl::OkStatus();
    CAIRN_ASSIGN_OR_RETURN(state_.shape,
                           ShapeWith(state_.combine, {}, {}, {{state_.contributors[0].client, &common}}, blocks));
    if (state_.shape.layout.blocks != blocks) return Wrong("the number of blocks");
    if ((planes == 0) != (state_.shape.layout.elements == 0)) return Wrong("the number of planes");
    state_.windows.resize(blocks);
    return absl::OkStatus();
  }

  absl::Status CheckHeld(const Held& held, const std::string& name, bool finite_scale) const {
    if (held.examples > 0 && held.examples <= state_.examples && finite_scale) return absl::OkStatus();
    return Wrong("its holders' examples, or its scale", name);
  }

  absl::Status ReadWindows(kernels::BlockWindows& windows, std::uint32_t planes) {
    const auto top = bytes_.Number<std::int8_t>();
    std::array<std::int8_t, kernels::kSumPlanes> held;
    for (std::int8_t& plane : held) plane = bytes_.Number<std::int8_t>();
    return windows.Set(top, held, static_cast<int>(planes)) ? absl::OkStatus() : Wrong("a block's windows");
  }

  ByteReader bytes_;
  PartialState state_;
};

}  // namespace

absl::StatusOr<ParsedIndex> ParseFields(absl::string_view payload) { return Reader(payload).Read(); }

}  // namespace cairn::internal
