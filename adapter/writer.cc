#include "adapter/writer.h"

#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <utility>

#include "absl/strings/str_cat.h"
#include "adapter/lora_shapes.h"
#include "adapter/safetensors_internal.h"
#include "base/digest.h"
#include "base/files.h"
#include "base/limits.h"
#include "base/status_macros.h"

namespace cairn {
namespace {

namespace fs = std::filesystem;

constexpr std::size_t kBlockElements = 64 * limits::kKiB;  // Converted at a time; the buffer stays in the cache.

absl::Status CheckModule(const AdapterPlan::Module& module) {
  const auto valid = [](std::int64_t dim, std::int64_t max) { return dim > 0 && dim <= max; };
  const Layer& layer = module.layer;
  if (valid(module.d_in, limits::kModuleDimMax) && valid(module.d_out, limits::kModuleDimMax) && module.rank >= 0 &&
      module.rank <= limits::kRankMax && valid(layer.height, limits::kModuleDimMax) &&
      valid(layer.width, limits::kModuleDimMax) && valid(layer.groups, limits::kRankMax) &&
      module.d_in % (layer.height * layer.width) == 0 && module.rank % layer.groups == 0) {
    return absl::OkStatus();
  }
  return ModuleError(module.name, absl::StrCat("d_in ", module.d_in, ", d_out ", module.d_out, ", rank ", module.rank,
                                               ", ", NameOf(layer), ": out of range"));
}

// Appends A and B of a module, unless it has rank 0.
void AddFactors(const AdapterPlan::Module& module, std::int64_t rank, DType dtype, std::vector<TensorInfo>& tensors) {
  if (rank == 0) return;
  tensors.push_back({LoraAName(module.name, module.layer), dtype, LoraAShape(module.layer, module.d_in, rank)});
  tensors.push_back({LoraBName(module.name, module.layer), dtype, LoraBShape(module.layer, module.d_out, rank)});
}

void AddTensors(const AdapterPlan& plan, std::vector<TensorInfo>& tensors) {
  for (const AdapterPlan::Tensor& tensor : plan.tensors) tensors.push_back({tensor.name, tensor.dtype, tensor.shape});
}

absl::StatusOr<std::string> PlannedPreamble(const AdapterPlan& plan) {
  if (!IsFloat(plan.dtype)) {
    return absl::InvalidArgumentError(
        absl::StrCat("factors: expected F64, F32, F16 or BF16, got ", NameOf(plan.dtype)));
  }
  std::vector<TensorInfo> tensors;
  for (const AdapterPlan::Module& module : plan.modules) {
    CAIRN_RETURN_IF_ERROR(CheckModule(module));
    AddFactors(module, module.rank, plan.dtype, tensors);
  }
  AddTensors(plan, tensors);
  return SafetensorsPreamble(tensors, plan.metadata);
}

void Convert(DType dtype, const float* in, std::size_t count, char* out) { FromFloat(dtype, in, count, out); }
void Convert(DType dtype, const double* in, std::size_t count, char* out) { FromDouble(dtype, in, count, out); }

}  // namespace

struct AdapterWriter::State {
  fs::path path;
  AdapterPlan plan;
  std::string preamble;  // As reserved: of the planned ranks.
  UniqueFd fd;
  std::size_t modules_begun = 0;
  std::vector<TensorInfo> tensors;  // Those begun, and all that come after the last module.
  std::size_t next = 0;             // The tensor that is being written.
  std::uint64_t left = 0;           // Its bytes that are missing.
  std::vector<char> buffer;
  bool finished = false;

  // A file that was given up is worth nothing to anybody.
  ~State() {
    if (fd && !finished) ::unlink(path.c_str());
  }

  absl::Status Write(absl::string_view bytes) {
    CAIRN_RETURN_IF_ERROR(WriteAll(fd.get(), bytes, path));
    left -= bytes.size();
    if (left == 0) NextTensor(next + 1);
    return absl::OkStatus();
  }

  void NextTensor(std::size_t index) {
    next = index;
    if (next < tensors.size()) left = *TensorBytes(tensors[next].dtype, tensors[next].shape, tensors[next].name);
  }

  // After the last module: the dense tensors.
  void AddRest() {
    if (modules_begun == plan.modules.size()) AddTensors(plan, tensors);
  }

  absl::Status CheckRoom(std::uint64_t bytes) const {
    if (bytes == 0) return absl::OkStatus();
    if (next == tensors.size()) {
      return modules_begun == plan.modules.size()
                 ? absl::InvalidArgumentError(absl::StrCat("adapter: expected ", tensors.size(), " tensors, got more"))
                 : ModuleError(plan.modules[modules_begun].name, "values before the module was begun");
    }
    if (bytes <= left) return absl::OkStatus();
    const std::uint64_t size = SizeOf(tensors[next].dtype);
    return TensorError(tensors[next].name,
                       absl::StrCat("expected at most ", left / size, " more values, got ", bytes / size));
  }

  absl::Status CheckFits(const TensorInfo& tensor, std::size_t count) const {
    const std::size_t bad = FirstNonFinite(tensor.dtype, buffer.data(), count);
    if (bad == count) return absl::OkStatus();
    return absl::OutOfRangeError(
        absl::StrCat("tensor \"", tensor.name, "\": a value that is not finite in ", NameOf(tensor.dtype)));
  }

  template <typename T>
  absl::Status Append(absl::Span<const T> values) {
    if (next < tensors.size() && !IsFloat(tensors[next].dtype)) {
      return TensorError(tensors[next].name, absl::StrCat("expected bytes of ", NameOf(tensors[next].dtype)));
    }
    const std::uint64_t size = next < tensors.size() ? SizeOf(tensors[next].dtype) : 1;
    CAIRN_RETURN_IF_ERROR(CheckRoom(values.size() * size));
    while (!values.empty()) {
      const TensorInfo& tensor = tensors[next];
      const absl::Span<const T> block = values.subspan(0, kBlockElements);
      buffer.resize(kBlockElements * sizeof(double));
      Convert(tensor.dtype, block.data(), block.size(), buffer.data());
      CAIRN_RETURN_IF_ERROR(CheckFits(tensor, block.size()));
      CAIRN_RETURN_IF_ERROR(Write({buffer.data(), block.size() * size}));
      values.remove_prefix(block.size());
    }
    return absl::OkStatus();
  }

  // Puts the ranks that came in place of those planned. The header cannot grow: no number in it does.
  absl::Status RewriteHeader() {
    CAIRN_ASSIGN_OR_RETURN(std::string actual, SafetensorsPreamble(tensors, plan.metadata));
    if (actual == preamble) return absl::OkStatus();
    actual.resize(preamble.size(), ' ');
    std::memcpy(actual.data(), preamble.data(), sizeof(std::uint64_t));
    if (::lseek(fd.get(), 0, SEEK_SET) != 0) return ErrnoStatus(errno, "seek", path);
    return WriteAll(fd.get(), actual, path);
  }
};

AdapterWriter::AdapterWriter(std::unique_ptr<State> state) : state_(std::move(state)) {}
AdapterWriter::AdapterWriter(AdapterWriter&&) noexcept = default;
AdapterWriter& AdapterWriter::operator=(AdapterWriter&&) noexcept = default;
AdapterWriter::~AdapterWriter() = default;

absl::StatusOr<AdapterWriter> AdapterWriter::Create(const fs::path& file, AdapterPlan plan) {
  auto state = std::make_unique<State>();
  CAIRN_ASSIGN_OR_RETURN(state->preamble, PlannedPreamble(plan));
  state->path = file;
  state->plan = std::move(plan);
  state->fd = UniqueFd(::open(file.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644));
  if (!state->fd) return ErrnoStatus(errno, "create", file);
  CAIRN_RETURN_IF_ERROR(WriteAll(state->fd.get(), state->preamble, file));
  state->AddRest();
  state->NextTensor(0);
  return AdapterWriter(std::move(state));
}

absl::Status AdapterWriter::BeginModule(std::int64_t rank) {
  State& state = *state_;
  if (state.next < state.tensors.size() && state.modules_begun > 0 && state.modules_begun < state.plan.modules.size()) {
    return absl::FailedPreconditionError(
        absl::StrCat("tensor \"", state.tensors[state.next].name, "\": values are missing"));
  }
  if (state.modules_begun == state.plan.modules.size()) {
    return absl::InvalidArgumentError(
        absl::StrCat("adapter: expected ", state.plan.modules.size(), " modules, got more"));
  }
  const AdapterPlan::Module& module = state.plan.modules[state.modules_begun];
  if (rank < 0 || rank > module.rank || rank % module.layer.groups != 0) {
    return ModuleError(module.name, absl::StrCat("rank: expected 0 to ", module.rank, " in steps of ",
                                                 module.layer.groups, ", got ", rank));
  }
  ++state.modules_begun;
  AddFactors(module, rank, state.plan.dtype, state.tensors);
  state.AddRest();
  state.NextTensor(state.next);
  return absl::OkStatus();
}

absl::Status AdapterWriter::AppendRows(absl::Span<const float> values) { return state_->Append(values); }
absl::Status AdapterWriter::AppendRows(absl::Span<const double> values) { return state_->Append(values); }

absl::Status AdapterWriter::AppendBytes(absl::string_view bytes) {
  CAIRN_RETURN_IF_ERROR(state_->CheckRoom(bytes.size()));
  return bytes.empty() ? absl::OkStatus() : state_->Write(bytes);
}

absl::StatusOr<std::string> AdapterWriter::Finish() && {
  const std::unique_ptr<State> state = std::move(state_);
  if (state->modules_begun < state->plan.modules.size()) {
    return absl::FailedPreconditionError(
        absl::StrCat("adapter: expected ", state->plan.modules.size(), " modules, got ", state->modules_begun));
  }
  if (state->next < state->tensors.size()) {
    return absl::FailedPreconditionError(
        absl::StrCat("tensor \"", state->tensors[state->next].name, "\": values are missing"));
  }
  CAIRN_RETURN_IF_ERROR(state->RewriteHeader());
  if (::fsync(state->fd.get()) != 0) return ErrnoStatus(errno, "fsync", state->path);
  CAIRN_RETURN_IF_ERROR(SyncDirectory(state->path.has_parent_path() ? state->path.parent_path() : fs::path(".")));
  std::string digest;
  if (state->plan.digest) {
    CAIRN_ASSIGN_OR_RETURN(const MappedFile file, MappedFile::Open(state->path));
    digest = Sha256Hex(file.bytes());
  }
  state->finished = true;
  return digest;
}

}  // namespace cairn
