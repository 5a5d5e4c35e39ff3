#include "tests/faults/leaks.h"

#include <functional>

#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"
#include "base/files.h"
#include "base/limits.h"
#include "base/status_macros.h"
#include "server/store/shared/store_client.h"

namespace cairn::faults {
namespace {

namespace fs = std::filesystem;

// Of what ends by itself: a worker that was stopped has its lease time, one that was killed is waited for.
constexpr absl::Duration kPatience = absl::Seconds(20);
constexpr std::uint64_t kSlabMin = std::uint64_t{2} << 20;
constexpr std::size_t kOtherMappings = 8;  // The table, and copies on their way between processes.

constexpr char kSlab[] = "/memfd:";  // Slabs are anonymous files; the name is the kernel's.

// Files whose name has `text` in it.
std::size_t FilesOpenIn(pid_t pid, const std::string& text) {
  std::size_t files = 0;
  std::error_code gone;
  const fs::path fds = absl::StrCat("/proc/", pid, "/fd");
  for (fs::directory_iterator fd(fds, gone), end; !gone && fd != end; fd.increment(gone)) {
    std::error_code closed;
    files += absl::StrContains(fs::read_symlink(fd->path(), closed).string(), text) ? 1 : 0;
  }
  return files;
}

std::size_t FilesMappedIn(pid_t pid, const std::string& text) {
  const auto maps = ReadFile(absl::StrCat("/proc/", pid, "/maps"), limits::kGiB);
  std::size_t files = 0;
  for (std::size_t at = 0; maps.ok() && (at = maps->find(text, at)) != std::string::npos; ++at) ++files;
  return files;
}

absl::Status CheckNoFiles(const fs::path& directory) {
  std::error_code missing;
  for (fs::recursive_directory_iterator file(directory, missing), end; !missing && file != end;
       file.increment(missing)) {
    if (!file->is_directory()) return absl::InternalError(absl::StrCat("left over: ", file->path().string()));
  }
  return absl::OkStatus();
}

// Until `check` is OK, for as long as that may take.
absl::Status Await(Deployment& deployment, const std::function<absl::Status()>& check) {
  const absl::Time end = absl::Now() + kPatience;
  while (true) {
    CAIRN_RETURN_IF_ERROR(deployment.Tend());
    const absl::Status status = check();
    if (status.ok() || absl::Now() > end) return status;
    absl::SleepFor(absl::Milliseconds(2));
  }
}

absl::Status CheckNoObjects(const fs::path& node_dir, std::size_t parked) {
  CAIRN_ASSIGN_OR_RETURN(const ObjectCount count, CountObjects(node_dir));
  if (count.writing <= parked && count.all() == count.writing) return absl::OkStatus();
  return absl::InternalError(absl::StrCat("leaked objects: ", count.writing, " unsealed, ", count.sealed, " sealed, ",
                                          count.removed, " removed, ", count.spilled, " spilled"));
}

}  // namespace

absl::StatusOr<ObjectCount> CountObjects(const fs::path& node_dir) {
  CAIRN_ASSIGN_OR_RETURN(const auto client, StoreClient::Connect(node_dir));
  ObjectCount count;
  for (std::uint32_t i = 0; i < client->table().entries(); ++i) {
    CAIRN_ASSIGN_OR_RETURN(const ObjectEntry entry, client->table().Read(i));
    count.writing += entry.state == ObjectState::kWriting;
    count.sealed += entry.state == ObjectState::kSealed;
    count.removed += entry.state == ObjectState::kRemoved;
    count.spilled += entry.state == ObjectState::kSpilled;
  }
  return count;
}

absl::Status AwaitNoObjects(Deployment& deployment, FaultyServer& server, std::size_t parked) {
  if (server.workers() == 0) return absl::OkStatus();  // Nobody serves the table.
  return Await(deployment, [&] { return CheckNoObjects(server.node_dir(), parked); });
}

absl::Status AwaitNoUpdates(Deployment& deployment, const FaultyServer& server, const std::string& federation) {
  return Await(deployment, [&] { return CheckNoFiles(server.data_dir() / "objects" / federation); });
}

absl::Status AwaitNoSums(Deployment& deployment, FaultyServer& server) {
  return Await(deployment, [&] {
    const std::size_t mapped = FilesMappedIn(server.pid(), "/data/sums/");
    return mapped == 0 ? absl::OkStatus() : absl::InternalError(absl::StrCat(mapped, " sums are left mapped"));
  });
}

absl::Status CheckSlabs(FaultyServer& server, std::uint64_t budget) {
  const std::size_t most = budget / kSlabMin + kOtherMappings;
  std::set<pid_t> processes = server.Workers();
  processes.insert(server.pid());
  for (const pid_t pid : processes) {
    const std::size_t open = FilesOpenIn(pid, kSlab), mapped = FilesMappedIn(pid, kSlab);
    if (open <= most && mapped <= most) continue;
    return absl::InternalError(
        absl::StrCat("process ", pid, " has ", open, " slabs open and ", mapped, " mapped; the budget is of ", most));
  }
  return absl::OkStatus();
}

std::set<std::string> SharedMemoryNames() {
  std::set<std::string> names;
  std::error_code missing;
  for (fs::directory_iterator file("/dev/shm", missing), end; !missing && file != end; file.increment(missing)) {
    names.insert(file->path().filename());
  }
  return names;
}

absl::Status CheckNoProcess(const fs::path& directory) {
  for (const fs::directory_entry& entry : fs::directory_iterator("/proc")) {
    int pid = 0;
    if (!absl::SimpleAtoi(entry.path().filename().string(), &pid)) continue;
    const auto command = ReadFile(entry.path() / "cmdline", limits::kMiB);
    if (command.ok() && absl::StrContains(*command, directory.string() + "/")) {
      return absl::InternalError(absl::StrCat("process ", pid, " is left over: ", *command));
    }
  }
  return absl::OkStatus();
}

absl::Status CheckNothingLeft(const fs::path& data_dir) {
  for (const char* name : {"uploads", "objects", "spill", "sums", "shards"}) {
    CAIRN_RETURN_IF_ERROR(CheckNoFiles(data_dir / name));
  }
  std::error_code missing;
  for (const fs::directory_entry& entry : fs::recursive_directory_iterator(data_dir, missing)) {
    if (entry.is_socket()) return absl::InternalError(absl::StrCat("left over: ", entry.path().string()));
  }
  return absl::OkStatus();
}

}  // namespace cairn::faults
