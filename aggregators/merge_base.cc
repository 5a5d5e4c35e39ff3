#include "aggregators/merge_base.h"

#include <algorithm>
#include <nlohmann/json.hpp>
#include <utility>

#include "absl/strings/str_cat.h"
#include "aggregators/kernels/add_product.h"
#include "aggregators/merge_plan.h"
#include "aggregators/tensor_file.h"
#include "base/parallel.h"
#include "base/status_macros.h"

namespace cairn {
namespace {

constexpr std::int64_t kBlockElements = 1 << 18;  // 2 MiB of float64: of one block of rows, or of a copied run.

// A factor in memory, in float64.
absl::StatusOr<std::vector<double>> ReadFinite(const Factor& factor) {
  std::vector<double> values;
  values.reserve(static_cast<std::size_t>(factor.rows() * factor.columns()));
  CAIRN_RETURN_IF_ERROR(ForEachBlockDouble(factor, [&](absl::Span<const double> block) {
    values.insert(values.end(), block.begin(), block.end());
    return absl::OkStatus();
  }));
  return values;
}

std::vector<double> Transposed(const std::vector<double>& values, std::int64_t rows, std::int64_t columns) {
  std::vector<double> turned(values.size());
  for (std::int64_t i = 0; i < rows; ++i) {
    for (std::int64_t j = 0; j < columns; ++j) turned[j * rows + i] = values[i * columns + j];
  }
  return turned;
}

std::string IndexJson(const BaseModel& base, std::uint64_t tensor_bytes) {
  nlohmann::ordered_json index = {{"metadata", {{"total_size", tensor_bytes}}}};
  std::map<std::string, std::string> files;
  for (const BaseModel::Shard& shard : base.shards()) {
    for (const TensorInfo& tensor : shard.header.tensors) files[tensor.name] = shard.file_name;
  }
  index["weight_map"] = files;
  return index.dump(2) + "\n";
}

std::int64_t ElementsOf(const TensorInfo& tensor) {
  return static_cast<std::int64_t>((tensor.end - tensor.begin) / SizeOf(tensor.dtype));
}

}  // namespace

// One tensor from the base to the output.
struct Passage {
  std::size_t shard = 0;
  TensorInfo from;
  DType to = DType::kF32;
  std::uint64_t at = 0;  // Its offset in the output.
  bool done = false;
};

struct BaseMerge::State {
  const BaseModel& base;
  const MergeOptions options;
  const std::filesystem::path directory;
  MergePlan plan;
  std::vector<TensorFile> files;              // By shard.
  std::vector<std::vector<Passage>> tensors;  // By shard and place.
  std::int64_t elements = 0, elements_done = 0;

  absl::Status Open();
  DType TypeOf(const BasePlace& place, const TensorInfo& tensor) const;
  Passage& At(const MergeTarget& target) { return tensors[target.place.shard][target.place.tensor]; }
  void Done(Passage& tensor) {
    tensor.done = true;
    elements_done += ElementsOf(tensor.from);
    options.progress(static_cast<double>(elements_done) / static_cast<double>(std::max<std::int64_t>(elements, 1)));
  }

  // Elements [first, first + out.size()) of the base's tensor.
  absl::Status Read(const Passage& tensor, std::int64_t first, absl::Span<double> out) const;
  absl::Status Write(const Passage& tensor, std::int64_t first, absl::Span<const double> values) const;
  absl::Status AddModule(Passage& tensor, const CombinedModule& module, bool transposed) const;
  absl::Status ReplaceOrAdd(Passage& tensor, const CombinedTensor& combined, bool adds) const;
  absl::Status Copy(const Passage& tensor) const;
};

// Changed tensors have a type that holds the change.
DType BaseMerge::State::TypeOf(const BasePlace& place, const TensorInfo& tensor) const {
  if (!IsFloat(tensor.dtype)) return tensor.dtype;
  if (options.dtype) return *options.dtype;
  return plan.changed.count(place) > 0 ? Widest(tensor.dtype, options.inputs) : tensor.dtype;
}

absl::Status BaseMerge::State::Open() {
  for (std::size_t s = 0; s < base.shards().size(); ++s) {
    const BaseModel::Shard& shard = base.shards()[s];
    std::vector<TensorInfo> header = shard.header.tensors;
    for (std::size_t t = 0; t < header.size(); ++t) header[t].dtype = TypeOf({s, t}, shard.header.tensors[t]);
    CAIRN_ASSIGN_OR_RETURN(TensorFile file,
                           TensorFile::Create(directory / shard.file_name, header, shard.header.metadata));
    std::vector<Passage>& passages = tensors.emplace_back();
    for (std::size_t t = 0; t < header.size(); ++t) {
      passages.push_back({s, shard.header.tensors[t], header[t].dtype, file.Append(header[t])});
      elements += ElementsOf(passages.back().from);
    }
    files.push_back(std::move(file));
  }
  return absl::OkStatus();
}

absl::Status BaseMerge::State::Read(const Passage& tensor, std::int64_t first, absl::Span<double> out) const {
  const std::size_t size = SizeOf(tensor.from.dtype);
  std::string bytes(out.size() * size, '\0');
  CAIRN_RETURN_IF_ERROR(base.Read(tensor.shard, tensor.from.begin + static_cast<std::uint64_t>(first) * size,
                                  bytes.size(), bytes.data()));
  ToDouble(tensor.from.dtype, bytes.data(), out.size(), out.data());
  return absl::OkStatus();
}

// OUT_OF_RANGE: the output's type does not hold a value.
absl::Status BaseMerge::State::Write(const Passage& tensor, std::int64_t first, absl::Span<const double> values) const {
  const std::size_t size = SizeOf(tensor.to);
  std::string bytes(values.size() * size, '\0');
  FromDouble(tensor.to, values.data(), values.size(), bytes.data());
  if (FirstNonFinite(tensor.to, bytes.data(), values.size()) != values.size()) {
    return absl::OutOfRangeError(
        absl::StrCat("a value of the merged tensor \"", tensor.from.name, "\" overflows ", NameOf(tensor.to)));
  }
  return files[tensor.shard].Write(tensor.at + static_cast<std::uint64_t>(first) * size, bytes);
}

absl::Status BaseMerge::State::AddModule(Passage& tensor, const CombinedModule& module, bool transposed) const {
  const std::int64_t rows = transposed ? module.spec.d_in : module.spec.d_out;
  const std::int64_t columns = transposed ? module.spec.d_out : module.spec.d_in;
  CAIRN_ASSIGN_OR_RETURN(std::vector<double> a, ReadFinite(*module.a));
  CAIRN_ASSIGN_OR_RETURN(std::vector<double> b, ReadFinite(*module.b));
  // dW = B A, and dW^T = A^T B^T.
  if (transposed) a = Transposed(a, module.rank, module.spec.d_in);
  const std::vector<double>&left = transposed ? a : b, &right = transposed ? b : a;
  const std::int64_t step = std::max<std::int64_t>(1, kBlockElements / columns);
  std::vector<double> block;
  for (std::int64_t first = 0; first < rows; first += step) {
    const std::int64_t count = std::min(step, rows - first);
    block.resize(static_cast<std::size_t>(count * columns));
    CAIRN_RETURN_IF_ERROR(Read(tensor, first * columns, absl::MakeSpan(block)));
    const auto part = absl::MakeConstSpan(left).subspan(first * module.rank, count * module.rank);
    CAIRN_RETURN_IF_ERROR(kernels::AddProduct(part, right, transposed, module.rank, columns, absl::MakeSpan(block)));
    CAIRN_RETURN_IF_ERROR(Write(tensor, first * columns, block));
  }
  return absl::OkStatus();
}

absl::Status BaseMerge::State::ReplaceOrAdd(Passage& tensor, const CombinedTensor& combined, bool adds) const {
  if (combined.values == nullptr) {
    if (combined.same.dtype == tensor.to) return files[tensor.shard].Write(tensor.at, combined.same.data);
    return absl::InvalidArgumentError(absl::StrCat("tensor \"", combined.spec.name, "\": expected ", NameOf(tensor.to),
                                                   " as in the base model, got ", NameOf(combined.same.dtype)));
  }
  if (!IsFloat(tensor.to)) {
    return absl::InvalidArgumentError(absl::StrCat("tensor \"", combined.spec.name, "\": the base model has ",
                                                   NameOf(tensor.to), ", the adapters floating-point numbers"));
  }
  std::int64_t first = 0;
  std::vector<double> own;
  return ForEachBlockDouble(*combined.values, [&](absl::Span<const double> block) -> absl::Status {
    own.assign(block.size(), 0);
    if (adds) CAIRN_RETURN_IF_ERROR(Read(tensor, first, absl::MakeSpan(own)));
    for (std::size_t i = 0; i < own.size(); ++i) own[i] += block[i];
    CAIRN_RETURN_IF_ERROR(Write(tensor, first, own));
    first += static_cast<std::int64_t>(own.size());
    return absl::OkStatus();
  });
}

absl::Status BaseMerge::State::Copy(const Passage& tensor) const {
  const std::int64_t elements = ElementsOf(tensor.from), size = static_cast<std::int64_t>(SizeOf(tensor.from.dtype));
  return ParallelFor(
      options.threads, (elements + kBlockElements - 1) / kBlockElements, [&](int, std::int64_t i) -> absl::Status {
        const std::int64_t first = i * kBlockElements, count = std::min(kBlockElements, elements - first);
        if (tensor.to != tensor.from.dtype) {
          std::vector<double> values(static_cast<std::size_t>(count));
          CAIRN_RETURN_IF_ERROR(Read(tensor, first, absl::MakeSpan(values)));
          return Write(tensor, first, values);
        }
        std::string bytes(static_cast<std::size_t>(count * size), '\0');
        CAIRN_RETURN_IF_ERROR(base.Read(tensor.shard, tensor.from.begin + first * size, bytes.size(), bytes.data()));
        return files[tensor.shard].Write(tensor.at + first * size, bytes);
      });
}

BaseMerge::BaseMerge(std::unique_ptr<State> state) : state_(std::move(state)) {}
BaseMerge::BaseMerge(BaseMerge&&) noexcept = default;
BaseMerge& BaseMerge::operator=(BaseMerge&&) noexcept = default;
BaseMerge::~BaseMerge() = default;

absl::StatusOr<BaseMerge> BaseMerge::Create(const BaseModel& base, const AdapterSpec& spec,
                                            const std::filesystem::path& directory, const MergeOptions& options) {
  CAIRN_ASSIGN_OR_RETURN(MergePlan plan, PlanMerge(base, spec, options.fan_in_fan_out));
  auto state = std::unique_ptr<State>(new State{base, options, directory, std::move(plan)});
  CAIRN_RETURN_IF_ERROR(state->Open());
  return BaseMerge(std::move(state));
}

absl::Status BaseMerge::Module(const CombinedModule& module) {
  const MergeTarget& target = state_->plan.modules.at(module.spec.name);
  if (module.rank == 0) return absl::OkStatus();
  Passage& tensor = state_->At(target);
  CAIRN_RETURN_IF_ERROR(state_->AddModule(tensor, module, target.transposed));
  state_->Done(tensor);
  return absl::OkStatus();
}

absl::Status BaseMerge::Tensor(const CombinedTensor& combined) {
  const MergeTarget& target = state_->plan.tensors.at(combined.spec.name);
  Passage& tensor = state_->At(target);
  CAIRN_RETURN_IF_ERROR(state_->ReplaceOrAdd(tensor, combined, target.adds));
  state_->Done(tensor);
  return absl::OkStatus();
}

ResultSink BaseMerge::sink() {
  return {[this](const CombinedModule& module) { return Module(module); },
          [this](const CombinedTensor& tensor) { return Tensor(tensor); }};
}

absl::StatusOr<std::uint64_t> BaseMerge::Finish() && {
  const std::unique_ptr<State> state = std::move(state_);
  std::uint64_t bytes = 0, tensor_bytes = 0;
  for (std::size_t s = 0; s < state->files.size(); ++s) {
    for (Passage& tensor : state->tensors[s]) {
      tensor_bytes += static_cast<std::uint64_t>(ElementsOf(tensor.from)) * SizeOf(tensor.to);
      if (tensor.done) continue;
      CAIRN_RETURN_IF_ERROR(state->Copy(tensor));
      state->Done(tensor);
    }
    CAIRN_ASSIGN_OR_RETURN(const std::uint64_t size, std::move(state->files[s]).Finish());
    bytes += size;
  }
  if (!state->base.index_name().empty()) {
    CAIRN_RETURN_IF_ERROR(
        WriteFileAtomically(state->directory / state->base.index_name(), IndexJson(state->base, tensor_bytes)));
  }
  return bytes;
}

}  // namespace cairn
