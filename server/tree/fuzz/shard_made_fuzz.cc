// What another process says that it has combined, and the file of it: refused, or a version can be written from it. The
// input: two bytes with the length of a ShardMade, the ShardMade, the file.
#include <sys/mman.h>

#include <algorithm>
#include <cstdint>
#include <cstdlib>
#include <filesystem>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "adapter/safetensors.h"
#include "aggregators/result_writer.h"
#include "base/files.h"
#include "server/root/shards.h"
#include "server/tree/shard_messages.h"

namespace {

constexpr std::size_t kLengthBytes = 2;

// In memory, with a name that opens it.
class MemoryFile {
 public:
  explicit MemoryFile(absl::string_view bytes) : fd_(::memfd_create("part", MFD_CLOEXEC)) {
    if (!fd_ || !cairn::WriteAll(fd_.get(), bytes, path()).ok()) std::abort();
  }
  std::filesystem::path path() const { return absl::StrCat("/proc/self/fd/", fd_.get()); }

 private:
  cairn::UniqueFd fd_;
};

void Publish(const cairn::JoinedShards& joined) {
  const MemoryFile version("");
  auto writer = cairn::ResultWriter::Create(version.path(), joined.spec(), joined.ranks(), {});
  if (!writer.ok() || !joined.Report(writer->sink()).ok() || !std::move(*writer).Finish().ok()) return;
  const auto written = cairn::MappedFile::Open(version.path());
  if (!written.ok() || !cairn::ParseSafetensors(written->bytes()).ok()) std::abort();
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size < kLengthBytes) return 0;
  const absl::string_view rest(reinterpret_cast<const char*>(data) + kLengthBytes, size - kLengthBytes);
  const std::size_t length = std::min<std::size_t>(data[0] | data[1] << 8, rest.size());
  cairn::v1::ShardMade made;
  if (!made.ParseFromArray(rest.data(), static_cast<int>(length))) return 0;
  auto part = cairn::tree::PartOf(made, {});
  if (!part.ok()) return 0;
  const MemoryFile file(rest.substr(length));
  part->file = length == rest.size() ? "" : file.path();
  const auto joined = cairn::JoinedShards::Open({*std::move(part)});
  if (joined.ok()) Publish(*joined);
  return 0;
}
