#include "aggregators/result_writer.h"

#include <algorithm>
#include <utility>

#include "absl/strings/str_cat.h"
#include "aggregators/tensor_file.h"
#include "base/parallel.h"
#include "base/status_macros.h"

namespace cairn {
namespace {

constexpr std::int64_t kBlockElements = 1 << 17;  // Half a MiB of float32: stays in the second-level cache.

// Transformers refuses files that do not name a framework.
const std::map<std::string, std::string>& Metadata() {
  static const auto& metadata = *new std::map<std::string, std::string>{{"format", "pt"}};
  return metadata;
}

TensorInfo InfoOfA(const ModuleSpec& module, std::int64_t rank, DType dtype) {
  return {.name = LoraAName(module.name, module.layer),
          .dtype = dtype,
          .shape = LoraAShape(module.layer, module.d_in, rank)};
}

TensorInfo InfoOfB(const ModuleSpec& module, std::int64_t rank, DType dtype) {
  return {.name = LoraBName(module.name, module.layer),
          .dtype = dtype,
          .shape = LoraBShape(module.layer, module.d_out, rank)};
}

// What a type's name takes more than "F64", at most ("F8_E4M3").
constexpr std::uint64_t kTypeNameSpare = 4;

// The type of tensors that are no floats is known only when they come: none is wider than F64.
std::vector<TensorInfo> LargestTensors(const AdapterSpec& spec, const std::vector<std::int64_t>& ranks, DType dtype) {
  std::vector<TensorInfo> tensors;
  for (std::size_t m = 0; m < spec.modules.size(); ++m) {
    tensors.push_back(InfoOfA(spec.modules[m], ranks[m], dtype));
    tensors.push_back(InfoOfB(spec.modules[m], ranks[m], dtype));
  }
  for (const TensorSpec& tensor : spec.tensors) {
    tensors.push_back({.name = tensor.name, .dtype = DType::kF64, .shape = tensor.shape});
  }
  return tensors;
}

// Scratch memory of one worker.
struct Scratch {
  std::vector<float> floats;
  std::vector<double> doubles;
  std::string bytes;
};

// Rows of `factor` as they stand in the file.
absl::string_view Encode(const Factor& factor, std::int64_t first, std::int64_t rows, DType dtype, Scratch& scratch) {
  const auto count = static_cast<std::size_t>(rows * factor.columns());
  if (dtype == DType::kF64) {
    scratch.doubles.resize(count);
    factor.Read(first, absl::MakeSpan(scratch.doubles));
    return {reinterpret_cast<const char*>(scratch.doubles.data()), count * sizeof(double)};
  }
  scratch.floats.resize(count);
  factor.Read(first, absl::MakeSpan(scratch.floats));
  if (dtype == DType::kF32) return {reinterpret_cast<const char*>(scratch.floats.data()), count * sizeof(float)};
  scratch.bytes.resize(count * SizeOf(dtype));
  FromFloat(dtype, scratch.floats.data(), count, scratch.bytes.data());
  return scratch.bytes;
}

// The caller adds the name (Aggregator::Report).
absl::Status CheckFits(absl::string_view bytes, DType dtype) {
  const std::size_t count = bytes.size() / SizeOf(dtype);
  if (FirstNonFinite(dtype, bytes.data(), count) == count) return absl::OkStatus();
  return absl::OutOfRangeError(absl::StrCat("a combined value overflows ", NameOf(dtype),
                                            dtype == DType::kF16 ? "; BF16 and F32 hold more" : ""));
}

}  // namespace

struct ResultWriter::State {
  TensorFile file;
  WriteOptions options;
  std::vector<Scratch> scratch;
  std::vector<std::pair<std::string, std::int64_t>> ranks;

  absl::Status Write(const TensorInfo& info, const Factor& factor);
};

absl::Status ResultWriter::State::Write(const TensorInfo& info, const Factor& factor) {
  const std::uint64_t start = file.Append(info);
  const std::uint64_t row_bytes = static_cast<std::uint64_t>(factor.columns()) * SizeOf(info.dtype);
  const std::int64_t block = std::max<std::int64_t>(1, kBlockElements / factor.columns());
  const absl::Status written =
      ParallelFor(options.threads, (factor.rows() + block - 1) / block, [&](int worker, std::int64_t i) {
        const std::int64_t first = i * block;
        const absl::string_view bytes =
            Encode(factor, first, std::min(block, factor.rows() - first), info.dtype, scratch[worker]);
        CAIRN_RETURN_IF_ERROR(CheckFits(bytes, info.dtype));
        return file.Write(start + static_cast<std::uint64_t>(first) * row_bytes, bytes);
      });
  options.after_tensor();
  return written;
}

ResultWriter::ResultWriter(std::unique_ptr<State> state) : state_(std::move(state)) {}
ResultWriter::ResultWriter(ResultWriter&&) noexcept = default;
ResultWriter& ResultWriter::operator=(ResultWriter&&) noexcept = default;
ResultWriter::~ResultWriter() = default;

absl::StatusOr<ResultWriter> ResultWriter::Create(const std::filesystem::path& file, const AdapterSpec& spec,
                                                  const std::vector<std::int64_t>& ranks, const WriteOptions& options) {
  CAIRN_ASSIGN_OR_RETURN(TensorFile tensors, TensorFile::Create(file, LargestTensors(spec, ranks, options.dtype),
                                                                Metadata(), kTypeNameSpare * spec.tensors.size()));
  auto state = std::make_unique<State>(State{std::move(tensors), options});
  state->scratch.resize(static_cast<std::size_t>(std::max(options.threads, 1)));
  return ResultWriter(std::move(state));
}

absl::Status ResultWriter::Module(const CombinedModule& module) {
  if (module.rank == 0) return absl::OkStatus();
  const DType dtype = state_->options.dtype;
  state_->ranks.emplace_back(module.spec.name, module.rank);
  CAIRN_RETURN_IF_ERROR(state_->Write(InfoOfA(module.spec, module.rank, dtype), *module.a));
  return state_->Write(InfoOfB(module.spec, module.rank, dtype), *module.b);
}

absl::Status ResultWriter::Tensor(const CombinedTensor& tensor) {
  TensorInfo info{.name = tensor.spec.name, .dtype = state_->options.dtype, .shape = tensor.spec.shape};
  if (tensor.values != nullptr) return state_->Write(info, *tensor.values);
  info.dtype = tensor.same.dtype;
  return state_->file.Write(state_->file.Append(info), tensor.same.data);
}

ResultSink ResultWriter::sink() {
  return {[this](const CombinedModule& module) { return Module(module); },
          [this](const CombinedTensor& tensor) { return Tensor(tensor); }};
}

absl::StatusOr<ResultWriter::Written> ResultWriter::Finish() && {
  const std::unique_ptr<State> state = std::move(state_);
  Written written{.ranks = std::move(state->ranks)};
  CAIRN_ASSIGN_OR_RETURN(written.bytes, std::move(state->file).Finish());
  return written;
}

}  // namespace cairn
