#include "adapter/directory.h"

#include <fcntl.h>
#include <unistd.h>

#include <cerrno>
#include <utility>

#include "absl/strings/str_cat.h"
#include "adapter/safetensors_internal.h"
#include "base/digest.h"
#include "base/limits.h"
#include "base/status_macros.h"

namespace cairn {
namespace {

namespace fs = std::filesystem;

// The same error, with the file it is about in front.
absl::Status InFile(const fs::path& file, const absl::Status& status) {
  return absl::Status(status.code(), absl::StrCat(file.native(), ": ", status.message()));
}

absl::string_view BytesOf(absl::Span<const float> values) {
  return {reinterpret_cast<const char*>(values.data()), values.size() * sizeof(float)};
}

// The product is small enough: both factors are within limits once CheckShape passed.
std::size_t Elements(std::int64_t rows, std::int64_t columns) { return static_cast<std::size_t>(rows * columns); }

absl::Status CheckShape(const AdapterWriter::Shape& shape) {
  const auto valid = [](std::int64_t dim, std::int64_t max) { return dim > 0 && dim <= max; };
  if (valid(shape.d_in, limits::kModuleDimMax) && valid(shape.d_out, limits::kModuleDimMax) &&
      valid(shape.rank, limits::kRankMax)) {
    return absl::OkStatus();
  }
  return absl::InvalidArgumentError(absl::StrCat("module \"", shape.module, "\": d_in ", shape.d_in, ", d_out ",
                                                 shape.d_out, ", rank ", shape.rank, ": out of range"));
}

absl::StatusOr<std::string> PreambleOf(const std::vector<AdapterWriter::Shape>& shapes) {
  std::vector<TensorInfo> tensors;
  for (const AdapterWriter::Shape& shape : shapes) {
    CAIRN_RETURN_IF_ERROR(CheckShape(shape));
    tensors.push_back({.name = LoraAName(shape.module), .shape = {shape.rank, shape.d_in}});
    tensors.push_back({.name = LoraBName(shape.module), .shape = {shape.d_out, shape.rank}});
  }
  return SafetensorsPreamble(tensors, {{"format", "pt"}});  // Transformers refuses files that do not name a framework.
}

}  // namespace

absl::StatusOr<StoredAdapter> OpenAdapter(const fs::path& model_file, absl::string_view config_json) {
  CAIRN_ASSIGN_OR_RETURN(const PeftConfig config, ParsePeftConfig(config_json));
  StoredAdapter stored;
  CAIRN_ASSIGN_OR_RETURN(stored.file, MappedFile::Open(model_file));
  absl::StatusOr<Adapter> adapter = ParseAdapter(stored.file.bytes(), config);
  if (!adapter.ok()) return InFile(model_file, adapter.status());
  stored.adapter = *std::move(adapter);
  return stored;
}

absl::StatusOr<StoredAdapter> OpenAdapterDirectory(const fs::path& directory) {
  CAIRN_ASSIGN_OR_RETURN(const std::string config,
                         ReadFile(directory / kAdapterConfigFile, limits::kAdapterConfigBytesMax));
  return OpenAdapter(directory / kAdapterModelFile, config);
}

struct AdapterWriter::State {
  fs::path path;
  std::vector<Shape> shapes;
  UniqueFd fd;
  Sha256 sha;
  std::size_t next = 0;
  bool finished = false;

  // A file that was given up is worth nothing to anybody.
  ~State() {
    if (fd && !finished) ::unlink(path.c_str());
  }
  absl::Status Write(absl::string_view bytes) {
    sha.Update(bytes);
    return WriteAll(fd.get(), bytes, path);
  }
};

AdapterWriter::AdapterWriter(std::unique_ptr<State> state) : state_(std::move(state)) {}
AdapterWriter::AdapterWriter(AdapterWriter&&) noexcept = default;
AdapterWriter& AdapterWriter::operator=(AdapterWriter&&) noexcept = default;
AdapterWriter::~AdapterWriter() = default;

absl::StatusOr<AdapterWriter> AdapterWriter::Create(const fs::path& file, const std::vector<Shape>& shapes) {
  CAIRN_ASSIGN_OR_RETURN(const std::string preamble, PreambleOf(shapes));
  auto state = std::make_unique<State>();
  state->path = file;
  state->shapes = shapes;
  state->fd = UniqueFd(::open(file.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644));
  if (!state->fd) return ErrnoStatus(errno, "create", file);
  CAIRN_RETURN_IF_ERROR(state->Write(preamble));
  return AdapterWriter(std::move(state));
}

absl::Status AdapterWriter::Append(absl::Span<const float> a, absl::Span<const float> b) {
  if (state_->next == state_->shapes.size()) {
    return absl::InvalidArgumentError(absl::StrCat("adapter: expected ", state_->shapes.size(), " modules, got more"));
  }
  const Shape& shape = state_->shapes[state_->next];
  const std::size_t a_count = Elements(shape.rank, shape.d_in);
  const std::size_t b_count = Elements(shape.d_out, shape.rank);
  if (a.size() != a_count || b.size() != b_count) {
    return absl::InvalidArgumentError(absl::StrCat("module \"", shape.module, "\": expected ", a_count, " and ",
                                                   b_count, " values of A and B, got ", a.size(), " and ", b.size()));
  }
  CAIRN_RETURN_IF_ERROR(state_->Write(BytesOf(a)));
  CAIRN_RETURN_IF_ERROR(state_->Write(BytesOf(b)));
  ++state_->next;
  return absl::OkStatus();
}

absl::StatusOr<std::string> AdapterWriter::Finish() && {
  const std::unique_ptr<State> state = std::move(state_);
  if (state->next != state->shapes.size()) {
    return absl::FailedPreconditionError(
        absl::StrCat("adapter: expected ", state->shapes.size(), " modules, got ", state->next));
  }
  if (::fsync(state->fd.get()) != 0) return ErrnoStatus(errno, "fsync", state->path);
  CAIRN_RETURN_IF_ERROR(SyncDirectory(state->path.has_parent_path() ? state->path.parent_path() : fs::path(".")));
  state->finished = true;
  return ToHex(state->sha.Finish());
}

}  // namespace cairn
