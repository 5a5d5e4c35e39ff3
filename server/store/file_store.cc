// Updates as files. Layout below the directory:
//   uploads/<federation>~<round>~<client>~<sha256>.part   being received; its size is how far it got
//   objects/<federation>/<client>~<sha256>.safetensors    sealed
#include <fcntl.h>
#include <stdio.h>
#include <sys/uio.h>
#include <unistd.h>

#include <algorithm>
#include <mutex>
#include <set>
#include <utility>
#include <vector>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "base/failpoint.h"
#include "base/files.h"
#include "base/limits.h"
#include "base/status_macros.h"
#include "server/store/make_directories.h"
#include "server/store/store.h"

namespace cairn {
namespace {

namespace fs = std::filesystem;

constexpr std::uint64_t kWriteBackBytes =
    8 * limits::kMiB;  // Started in the background, so that the final sync is short.
constexpr std::size_t kReadBackBytes = 1 * limits::kMiB;

// '~' cannot occur in names, so a prefix cannot match another client's file.
std::string PartPrefix(const UploadKey& key) {
  return absl::StrCat(key.federation, "~", key.round, "~", key.client, "~");
}
std::string PartName(const UploadKey& key) { return absl::StrCat(PartPrefix(key), key.sha256, ".part"); }

std::uint64_t SizeOrZero(const fs::path& path) {
  std::error_code error;
  const std::uintmax_t size = fs::file_size(path, error);
  return error ? 0 : size;
}

class FileStore;

class FileUpload final : public Upload {
 public:
  FileUpload(FileStore* store, UploadKey key, fs::path path, UniqueFd fd, std::uint64_t received)
      : store_(store), key_(std::move(key)), path_(std::move(path)), fd_(std::move(fd)), received_(received) {}
  ~FileUpload() override;

  std::uint64_t received() const override { return received_; }
  absl::Status Append(absl::Span<const absl::string_view> slices) override;
  absl::Status ReadBack(const std::function<void(absl::string_view)>& consume) const override;

  const UploadKey& key() const { return key_; }
  const fs::path& path() const { return path_; }
  absl::Status Sync() { return fdatasync(fd_.get()) == 0 ? absl::OkStatus() : ErrnoStatus(errno, "sync", path_); }

 private:
  absl::Status WriteAll(std::vector<iovec> parts);

  FileStore* store_;
  UploadKey key_;
  fs::path path_;
  UniqueFd fd_;
  std::uint64_t received_;
  std::uint64_t written_back_ = 0;
};

class FileBlob final : public Blob {
 public:
  FileBlob(const fs::path& path, MappedFile file) : path_(path.native()), file_(std::move(file)) {}
  absl::string_view bytes() const override { return file_.bytes(); }
  void DropPages() const override { file_.DropPages(); }
  std::optional<fs::path> path() const override { return path_; }

 private:
  const std::string path_;  // A path keeps each of its parts as well; there may be thousands of these.
  MappedFile file_;
};

class FileStore final : public Store {
 public:
  FileStore(fs::path directory, std::uint64_t budget) : directory_(std::move(directory)), budget_(budget) {}

  std::uint64_t Reservation(std::uint64_t) const override { return kFileUploadReservation; }
  const ByteBudget& budget() const override { return budget_; }

  std::uint64_t ResumePoint(const UploadKey& key) const override {
    if (key.sha256.empty()) return 0;
    return std::min(SizeOrZero(Uploads() / PartName(key)), key.bytes);
  }

  Ticket Begin(const UploadKey& key, WorkerPool* workers, Begun begun) override {
    if (kFileUploadReservation > budget_.capacity()) {
      workers->Run([this, begun = std::move(begun)] {
        begun(absl::ResourceExhaustedError(absl::StrCat("an upload takes ", kFileUploadReservation,
                                                        " bytes of memory; the budget is ", budget_.capacity())));
      });
      return 0;
    }
    return budget_.Acquire(kFileUploadReservation, [this, key, workers, begun = std::move(begun)] {
      workers->Run([this, key, begun] { begun(BeginWithRoom(key)); });
    });
  }

  bool Cancel(Ticket ticket) override { return budget_.Cancel(ticket); }

  absl::Status Seal(std::unique_ptr<Upload> upload, const std::string& sha256) override {
    auto& file = static_cast<FileUpload&>(*upload);
    CAIRN_RETURN_IF_ERROR(CAIRN_FAILPOINT("store.before_seal"));
    if (absl::Status synced = file.Sync(); !synced.ok()) {
      // The kernel has marked the pages clean: another sync would succeed without having written them.
      unlink(file.path().c_str());
      return synced;
    }
    const fs::path target = Object(file.key().federation, UpdateName(file.key().client, sha256));
    CAIRN_RETURN_IF_ERROR(MakeDirectories(target.parent_path()));
    CAIRN_FAILPOINT("store.after_sync").IgnoreError();
    // The first seal stands: its bytes may have been acknowledged.
    if (renameat2(AT_FDCWD, file.path().c_str(), AT_FDCWD, target.c_str(), RENAME_NOREPLACE) != 0) {
      if (errno != EEXIST) return ErrnoStatus(errno, "rename", file.path());
      unlink(file.path().c_str());
    }
    CAIRN_FAILPOINT("store.after_rename").IgnoreError();
    return SyncDirectory(target.parent_path());
  }

  void Discard(std::unique_ptr<Upload> upload) override { unlink(static_cast<FileUpload&>(*upload).path().c_str()); }

  absl::StatusOr<std::shared_ptr<const Blob>> Find(const std::string& federation, const std::string& name) override {
    fs::path path = Object(federation, name);
    CAIRN_ASSIGN_OR_RETURN(MappedFile file, MappedFile::Open(path));
    return std::make_shared<FileBlob>(path, std::move(file));
  }

  void Remove(const std::string& federation, const std::string& name) override {
    unlink(Object(federation, name).c_str());
  }

  absl::Status Retain(const std::string& federation, std::uint64_t round,
                      absl::Span<const std::string> names) override {
    // A stream that outlives its round keeps its part until it is told that the round is closed.
    const std::string current = absl::StrCat(federation, "~", round, "~");
    RemoveParts(absl::StrCat(federation, "~"), [&](const std::string& name) {
      return absl::StartsWith(name, current) ||
             std::any_of(active_.begin(), active_.end(),
                         [&](const std::string& prefix) { return absl::StartsWith(name, prefix); });
    });
    CAIRN_ASSIGN_OR_RETURN(const std::vector<fs::path> objects, ListDirectory(directory_ / "objects" / federation));
    for (const fs::path& object : objects) {
      if (std::find(names.begin(), names.end(), object.stem().native()) != names.end()) continue;
      if (unlink(object.c_str()) != 0) return ErrnoStatus(errno, "remove", object);
    }
    return absl::OkStatus();
  }

  void Ended(const UploadKey& key) {
    {
      std::lock_guard lock(mutex_);
      active_.erase(PartPrefix(key));
    }
    budget_.Release(kFileUploadReservation);
  }

 private:
  fs::path Uploads() const { return directory_ / "uploads"; }
  fs::path Object(const std::string& federation, const std::string& name) const {
    return directory_ / "objects" / federation / (name + ".safetensors");
  }

  absl::StatusOr<std::unique_ptr<Upload>> BeginWithRoom(const UploadKey& key) {
    auto upload = DoBegin(key);
    if (!upload.ok()) budget_.Release(kFileUploadReservation);
    return upload;
  }

  absl::StatusOr<std::unique_ptr<Upload>> DoBegin(const UploadKey& key) {
    {
      std::lock_guard lock(mutex_);
      if (!active_.insert(PartPrefix(key)).second) {
        return absl::AbortedError(absl::StrCat("another stream of client \"", key.client, "\" is uploading an update"));
      }
    }
    auto upload = OpenPart(key, Uploads() / PartName(key));
    if (!upload.ok()) {
      std::lock_guard lock(mutex_);
      active_.erase(PartPrefix(key));
    }
    return upload;
  }

  absl::StatusOr<std::unique_ptr<Upload>> OpenPart(const UploadKey& key, const fs::path& path) {
    RemoveParts(PartPrefix(key), [&](const std::string& name) { return name == path.filename(); });
    const bool resume = !key.sha256.empty() && SizeOrZero(path) <= key.bytes;
    const auto open_part = [&] {
      return UniqueFd(open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC | (resume ? 0 : O_TRUNC), 0600));
    };
    UniqueFd fd = open_part();
    if (!fd && errno == ENOENT) {  // Somebody has removed the directory.
      CAIRN_RETURN_IF_ERROR(MakeDirectories(path.parent_path()));
      fd = open_part();
    }
    if (!fd) return ErrnoStatus(errno, "open", path);
    // Find out now, not after gigabytes, that the disk is full. Not every file system can; then writing will tell.
    if (fallocate(fd.get(), FALLOC_FL_KEEP_SIZE, 0, key.bytes) != 0 && errno == ENOSPC) {
      const absl::Status full = ErrnoStatus(errno, "reserve space for", path);
      // What could be reserved is given back: others share the disk.
      if (ftruncate(fd.get(), static_cast<off_t>(SizeOrZero(path))) != 0) unlink(path.c_str());
      return full;
    }
    const std::uint64_t received = SizeOrZero(path);
    return std::make_unique<FileUpload>(this, key, path, std::move(fd), received);
  }

  // Removes parts by name, but for those that `keep` names; it is asked with mutex_ held. Those that cannot be listed
  // now are removed another time.
  void RemoveParts(const std::string& prefix, const std::function<bool(const std::string&)>& keep) {
    std::lock_guard lock(mutex_);
    const auto parts = ListDirectory(Uploads());
    if (!parts.ok()) return;
    for (const fs::path& part : *parts) {
      const std::string name = part.filename();
      if (absl::StartsWith(name, prefix) && !keep(name)) unlink(part.c_str());
    }
  }

  const fs::path directory_;
  ByteBudget budget_;
  std::mutex mutex_;
  std::set<std::string> active_;  // PartPrefix of every Upload there is.
};

FileUpload::~FileUpload() { store_->Ended(key_); }

absl::Status FileUpload::Append(absl::Span<const absl::string_view> slices) {
  std::uint64_t bytes = 0;
  std::vector<iovec> parts;
  for (absl::string_view slice : slices) {
    if (slice.empty()) continue;
    parts.push_back({const_cast<char*>(slice.data()), slice.size()});
    bytes += slice.size();
  }
  if (received_ + bytes > key_.bytes) {
    return absl::OutOfRangeError(absl::StrCat("upload holds more than the ", key_.bytes, " bytes announced"));
  }
  CAIRN_RETURN_IF_ERROR(WriteAll(std::move(parts)));
  if (received_ - written_back_ >= kWriteBackBytes) {
    sync_file_range(fd_.get(), written_back_, received_ - written_back_, SYNC_FILE_RANGE_WRITE);
    written_back_ = received_;
  }
  return absl::OkStatus();
}

absl::Status FileUpload::WriteAll(std::vector<iovec> parts) {
  CAIRN_RETURN_IF_ERROR(CAIRN_FAILPOINT("store.append"));
  std::size_t at = 0;
  while (at < parts.size()) {
    const int count = static_cast<int>(std::min<std::size_t>(parts.size() - at, IOV_MAX));
    const ssize_t wrote = pwritev(fd_.get(), &parts[at], count, static_cast<off_t>(received_));
    if (wrote < 0 && errno == EINTR) continue;
    if (wrote < 0) return ErrnoStatus(errno, "write", path_);
    received_ += wrote;
    // Skip what was written; a short write ends inside a part.
    std::size_t left = wrote;
    while (at < parts.size() && left >= parts[at].iov_len) left -= parts[at++].iov_len;
    if (left > 0) {
      parts[at].iov_base = static_cast<char*>(parts[at].iov_base) + left;
      parts[at].iov_len -= left;
    }
  }
  return absl::OkStatus();
}

absl::Status FileUpload::ReadBack(const std::function<void(absl::string_view)>& consume) const {
  std::string buffer(std::min<std::uint64_t>(kReadBackBytes, received_), '\0');  // Of nearly every upload: nothing.
  for (std::uint64_t at = 0; at < received_;) {
    const ssize_t got = pread(fd_.get(), buffer.data(), std::min<std::uint64_t>(buffer.size(), received_ - at), at);
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) return ErrnoStatus(errno, "read", path_);
    if (got == 0) return absl::DataLossError(absl::StrCat(path_.string(), " is shorter than it was"));
    consume(absl::string_view(buffer.data(), got));
    at += got;
  }
  return absl::OkStatus();
}

}  // namespace

std::string UpdateName(absl::string_view client, absl::string_view sha256) { return absl::StrCat(client, "~", sha256); }

absl::StatusOr<std::unique_ptr<Store>> OpenFileStore(const fs::path& directory, std::uint64_t budget) {
  CAIRN_RETURN_IF_ERROR(MakeDirectories(directory / "uploads"));
  CAIRN_RETURN_IF_ERROR(MakeDirectories(directory / "objects"));
  CAIRN_RETURN_IF_ERROR(SyncDirectory(directory));
  return std::make_unique<FileStore>(directory, budget);
}

}  // namespace cairn
