#include "bench/combine_contenders.h"

#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdint>
#include <deque>

#include "absl/strings/string_view.h"
#include "adapter/directory.h"
#include "aggregators/pipeline.h"
#include "aggregators/result_writer.h"
#include "base/files.h"
#include "base/parallel.h"
#include "base/status_macros.h"

namespace cairn::bench {
namespace {

namespace fs = std::filesystem;

constexpr std::size_t kBlockElements = 1 << 17;  // As aggregators/result_writer.cc.

absl::Status WriteAt(int fd, absl::string_view data, std::uint64_t offset, const fs::path& path) {
  while (!data.empty()) {
    const ssize_t written = pwrite(fd, data.data(), data.size(), static_cast<off_t>(offset));
    if (written < 0) return ErrnoStatus(errno, "write", path);
    data.remove_prefix(static_cast<std::size_t>(written));
    offset += static_cast<std::uint64_t>(written);
  }
  return absl::OkStatus();
}

}  // namespace

absl::Status CopyBytes(const CombineJob& job) {
  const UniqueFd fd(open(job.out.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0644));
  if (!fd) return ErrnoStatus(errno, "create", job.out);
  const std::size_t block = kBlockElements * SizeOf(job.dtype);
  std::uint64_t end = 0;
  for (const fs::path& input : job.inputs) {
    CAIRN_ASSIGN_OR_RETURN(const MappedFile file, MappedFile::Open(input / kAdapterModelFile));
    const auto blocks = static_cast<std::int64_t>((file.bytes().size() + block - 1) / block);
    CAIRN_RETURN_IF_ERROR(ParallelFor(job.threads, blocks, [&](int, std::int64_t i) {
      return WriteAt(fd.get(), file.bytes().substr(i * block, block), end + i * block, job.out);
    }));
    end += file.bytes().size();
  }
  return fsync(fd.get()) == 0 ? absl::OkStatus() : ErrnoStatus(errno, "sync", job.out);
}

absl::Status CombineWithCairn(const CombineJob& job) {
  CAIRN_ASSIGN_OR_RETURN(Pipeline pipeline, Pipeline::Create({.combine = job.rule, .measure_error = false}));
  std::deque<StoredAdapter> adapters;  // Their addresses stay.
  for (const fs::path& input : job.inputs) {
    CAIRN_ASSIGN_OR_RETURN(StoredAdapter stored, OpenAdapterDirectory(input));
    adapters.push_back(std::move(stored));
    CAIRN_RETURN_IF_ERROR(pipeline.Add({input.filename(), 1, &adapters.back().adapter}));
  }
  CAIRN_ASSIGN_OR_RETURN(const PipelinePlan plan, pipeline.Plan());
  WriteOptions options{.dtype = job.dtype, .threads = job.threads};
  options.after_tensor = [&adapters] {
    for (const StoredAdapter& stored : adapters) stored.files.DropPages();
  };
  CAIRN_ASSIGN_OR_RETURN(ResultWriter writer, ResultWriter::Create(job.out, plan.spec, plan.ranks, options));
  CAIRN_RETURN_IF_ERROR(std::move(pipeline).Run(writer.sink()).status());
  return std::move(writer).Finish().status();
}

}  // namespace cairn::bench
