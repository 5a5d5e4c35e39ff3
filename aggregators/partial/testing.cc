#include "aggregators/partial/testing.h"

#include <algorithm>
#include <cmath>
#include <cstring>

#include "absl/strings/str_cat.h"
#include "aggregators/totals.h"
#include "base/digest.h"
#include "base/status_macros.h"

namespace cairn::testing {
namespace {

constexpr DType kTypes[] = {DType::kF32, DType::kBF16, DType::kF16, DType::kF64};
const ModuleSpec kModules[] = {
    {"h.0.conv", 27, 12, {Layer::Kind::kConv2d, 3, 3, 2}}, {"h.0.k", 12, 170}, {"h.0.q", 2100, 9}, {"h.1.up", 5, 3}};

class Maker {
 public:
  Maker(std::string rule, std::uint64_t seed) : rule_(std::move(rule)), random_(seed) {}

  std::unique_ptr<SumClient> Make(std::size_t i) {
    client_ = std::make_unique<SumClient>();
    client_->who = {absl::StrCat("client-", random_() % 1000, "-", i), Sha256Hex(absl::StrCat(i)), 1 + Count()};
    Adapter& adapter = client_->adapter;
    if (rule_ == "dense_mean") {
      adapter.config.kind = AdapterKind::kAveraged;
      adapter.config.peft_type = "IA3";
    } else {
      for (const ModuleSpec& spec : kModules) {
        if (rule_ == "core_mean" && spec.layer != Layer()) continue;
        if (random_() % 4 != 0 || &spec == &kModules[3]) adapter.modules.push_back(Module(spec));
      }
    }
    Tensors();
    return std::move(client_);
  }

 private:
  // Some beyond what float32 counts, few huge.
  std::uint64_t Count() { return random_() % 10 == 0 ? random_() >> 12 : random_() % 5000; }

  double Unit() { return static_cast<double>(random_() >> 11) * 0x1p-52 - 1; }

  TensorView View(std::string name, std::vector<std::int64_t> shape, bool frozen) {
    TensorView view{.name = std::move(name), .dtype = kTypes[random_() % 4], .shape = std::move(shape)};
    std::vector<double> values(view.elements());
    const double scale = std::ldexp(1.0, static_cast<int>(random_() % 30) - 22);
    for (std::size_t i = 0; i < values.size(); ++i) {
      // Frozen ones are the same in all types; and 0 is -0 in some.
      values[i] = frozen ? static_cast<double>(i * 7 % 9) / 4 - 1 : scale * Unit();
      if (values[i] == 0 && random_() % 2 == 0) values[i] = -0.0;
    }
    std::string& bytes = client_->bytes.emplace_back(values.size() * SizeOf(view.dtype), '\0');
    FromDouble(view.dtype, values.data(), values.size(), bytes.data());
    view.data = bytes;
    return view;
  }

  LoraModule Module(const ModuleSpec& spec) {
    const bool mixed = rule_ == "zero_pad";
    const std::int64_t groups = spec.layer.groups;
    LoraModule module{.name = spec.name, .layer = spec.layer, .d_in = spec.d_in, .d_out = spec.d_out};
    module.rank = groups * (mixed ? 1 + static_cast<std::int64_t>(random_() % 5) : 2);
    module.scale = rule_ == "mean" ? 1.5 : 0.25 * static_cast<double>(1 + random_() % 9);
    const bool core = rule_ == "core_mean";
    module.a = View("a", {module.rank, spec.d_in}, core || rule_ == "ffa");
    module.b = View("b", {spec.d_out, module.rank / groups}, core);
    if (core) module.core = View("core", {module.rank, module.rank}, false);
    return module;
  }

  void Tensors() {
    std::vector<DenseTensor>& tensors = client_->adapter.tensors;
    if (random_() % 3 != 0) tensors.push_back({View("bias", {5000}, false), 1, true});
    tensors.push_back({View("bias.lora_B", {7}, false), 0.5, false});
    if (random_() % 3 != 0) tensors.push_back({View("head", {3, 4}, false), 1, true});
    tensors.push_back({Integer("ids", 77), 1, true});
    tensors.push_back({Integer("norm.num_batches_tracked", static_cast<std::int64_t>(random_() % 100)), 1, true});
  }

  TensorView Integer(std::string name, std::int64_t value) {
    std::string& bytes = client_->bytes.emplace_back(sizeof value, '\0');
    std::memcpy(bytes.data(), &value, sizeof value);
    return {std::move(name), DType::kI64, {1}, bytes, {}};
  }

  const std::string rule_;
  std::mt19937_64 random_;
  std::unique_ptr<SumClient> client_;
};

bool SameBits(const std::vector<double>& x, const std::vector<double>& y) {
  return x.size() == y.size() && std::memcmp(x.data(), y.data(), x.size() * sizeof(double)) == 0;
}

}  // namespace

bool operator==(const SumResult& x, const SumResult& y) {
  return x.what == y.what && x.same == y.same &&
         std::equal(x.values.begin(), x.values.end(), y.values.begin(), y.values.end(), SameBits);
}

SumCohort MakeSumCohort(const std::string& combine, std::uint64_t seed, std::size_t clients) {
  Maker maker(combine, seed);
  SumCohort cohort;
  for (std::size_t i = 0; i < clients; ++i) cohort.push_back(maker.Make(i));
  return cohort;
}

absl::StatusOr<SumResult> ResultOf(absl::FunctionRef<absl::Status(const ResultSink&)> report) {
  SumResult result;
  const auto read = [&](const Factor& factor) {
    std::vector<double>& values = result.values.emplace_back();
    return ForEachBlockDouble(factor, [&](absl::Span<const double> block) {
      values.insert(values.end(), block.begin(), block.end());
      return absl::OkStatus();
    });
  };
  ResultSink sink;
  sink.module = [&](const CombinedModule& module) {
    result.what.push_back(absl::StrCat(module.spec.name, " ", NameOf(module.spec.layer), " ", module.rank, " ",
                                       module.rank_in, " ", module.a->columns(), " ", module.b->rows()));
    CAIRN_RETURN_IF_ERROR(read(*module.a));
    return read(*module.b);
  };
  sink.tensor = [&](const CombinedTensor& tensor) {
    result.what.push_back(tensor.spec.name);
    if (tensor.values != nullptr) return read(*tensor.values);
    result.same.push_back(absl::StrCat(NameOf(tensor.same.dtype), tensor.same.data));
    return absl::OkStatus();
  };
  CAIRN_RETURN_IF_ERROR(report(sink));
  return result;
}

absl::StatusOr<SumResult> ResultOfView(const PartialView& view) {
  return ResultOf([&](const ResultSink& sink) { return view.Report(sink); });
}

absl::StatusOr<SumResult> LazyResultOf(const std::string& combine, const SumCohort& cohort) {
  CAIRN_ASSIGN_OR_RETURN(const std::unique_ptr<Aggregator> aggregator, MakeAggregator(combine));
  for (const auto& client : cohort) {
    CAIRN_RETURN_IF_ERROR(
        aggregator->Accumulate({client->who.client, static_cast<double>(client->who.examples), &client->adapter, ""}));
  }
  std::vector<double> counts;
  for (const auto& [name, update] : aggregator->updates()) counts.push_back(update.examples);
  return ResultOf([&](const ResultSink& sink) { return std::move(*aggregator).Report(counts, sink, TotalOf(counts)); });
}

std::vector<std::string> SumRules() {
  std::vector<std::string> names;
  for (const std::string& name : AggregatorNames()) {
    if (*IsSum(name)) names.push_back(name);
  }
  return names;
}

}  // namespace cairn::testing
