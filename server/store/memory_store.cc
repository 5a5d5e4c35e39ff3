// Updates in memory, under a hard budget. What no longer fits is spilled to files without syncing them.
#include <unistd.h>

#include <algorithm>
#include <condition_variable>
#include <cstring>
#include <deque>
#include <fstream>
#include <map>
#include <mutex>
#include <thread>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "base/files.h"
#include "base/limits.h"
#include "base/status_macros.h"
#include "server/store/slab.h"
#include "server/store/store.h"

namespace cairn {
namespace {

namespace fs = std::filesystem;

// Linux caches what one write brings in pieces of up to 2 MiB, and touching a byte of a mapping maps its whole piece:
// over many spilled updates of which a round reads one module at a time, that is more memory than the modules.
constexpr std::size_t kSpillWriteBytes = 64 * limits::kKiB;

// One update's memory, from the first byte to the last reader. Gives the reservation back when nobody holds it any
// more.
class Held final : public Blob {
 public:
  Held(ByteBudget& budget, Slab slab, std::uint64_t size) : budget_(budget), slab_(std::move(slab)), size_(size) {}
  ~Held() override {
    const std::uint64_t bytes = slab_.capacity();
    slab_.Reset();
    budget_.Release(bytes);
  }
  absl::string_view bytes() const override { return {slab_.data(), size_}; }
  char* data() { return slab_.data(); }

 private:
  ByteBudget& budget_;
  Slab slab_;
  std::uint64_t size_;
};

class SpilledBlob final : public Blob {
 public:
  explicit SpilledBlob(MappedFile file) : file_(std::move(file)) {}
  absl::string_view bytes() const override { return file_.bytes(); }
  void DropPages() const override { file_.DropPages(); }

 private:
  MappedFile file_;
};

std::string ClientKey(const UploadKey& key) { return absl::StrCat(key.federation, "~", key.round, "~", key.client); }

class MemoryStore;

class MemoryUpload final : public Upload {
 public:
  MemoryUpload(MemoryStore* store, UploadKey key, std::shared_ptr<Held> held, std::uint64_t received)
      : store_(store), key_(std::move(key)), held_(std::move(held)), received_(received) {}
  ~MemoryUpload() override;

  std::uint64_t received() const override { return received_; }

  absl::Status Append(absl::Span<const absl::string_view> slices) override {
    for (absl::string_view slice : slices) {
      if (slice.size() > key_.bytes - received_) {
        return absl::OutOfRangeError(absl::StrCat("upload holds more than the ", key_.bytes, " bytes announced"));
      }
      std::memcpy(held_->data() + received_, slice.data(), slice.size());
      received_ += slice.size();
    }
    return absl::OkStatus();
  }

  absl::Status ReadBack(const std::function<void(absl::string_view)>& consume) const override {
    consume(held_->bytes().substr(0, received_));
    return absl::OkStatus();
  }

  const UploadKey& key() const { return key_; }
  std::shared_ptr<Held> TakeHeld() { return std::move(held_); }

 private:
  MemoryStore* store_;
  UploadKey key_;
  std::shared_ptr<Held> held_;  // Null once sealed or discarded.
  std::uint64_t received_;
};

class MemoryStore final : public Store {
 public:
  MemoryStore(fs::path directory, std::uint64_t budget)
      : Store(budget), directory_(std::move(directory)), pool_(budget) {
    budget_.OnPressure([this] {
      std::lock_guard lock(mutex_);  // Not between the spiller's look at the budget and its sleep.
      wake_.notify_one();
    });
    spiller_ = std::thread([this] { SpillLoop(); });
  }

  ~MemoryStore() override {
    {
      std::lock_guard lock(mutex_);
      stopping_ = true;
    }
    wake_.notify_one();
    spiller_.join();
  }

  std::uint64_t Reservation(std::uint64_t bytes) const override { return SlabPool::RoundUp(bytes); }

  std::uint64_t ResumePoint(const UploadKey& key) const override {
    std::lock_guard lock(mutex_);
    auto it = parts_.find(ClientKey(key));
    return it != parts_.end() && Resumes(it->second, key) ? it->second.received : 0;
  }

  absl::StatusOr<std::unique_ptr<Upload>> Begin(const UploadKey& key) override {
    // Giving memory back may run whoever waits for it, who may call this store: never with the lock held.
    std::shared_ptr<Held> dropped;
    bool reservation_used = false;
    absl::StatusOr<std::unique_ptr<Upload>> upload;
    {
      std::lock_guard lock(mutex_);
      upload = Start(key, dropped, reservation_used);
    }
    if (!reservation_used) budget_.Release(Reservation(key.bytes));
    return upload;
  }

  absl::Status Seal(std::unique_ptr<Upload> upload, const std::string& sha256) override {
    auto& memory = static_cast<MemoryUpload&>(*upload);
    std::shared_ptr<const Blob> held = memory.TakeHeld();  // Destroyed after the lock is released.
    {
      std::lock_guard lock(mutex_);
      const std::pair<std::string, std::string> name(memory.key().federation, UpdateName(memory.key().client, sha256));
      // The first seal stands: its bytes may have been acknowledged.
      if (sealed_.try_emplace(name, held).second) in_memory_.push_back(name);
    }
    held.reset();
    wake_.notify_one();  // Somebody may be waiting for room.
    return absl::OkStatus();
  }

  void Discard(std::unique_ptr<Upload> upload) override { static_cast<MemoryUpload&>(*upload).TakeHeld(); }

  absl::StatusOr<std::shared_ptr<const Blob>> Find(const std::string& federation, const std::string& name) override {
    std::lock_guard lock(mutex_);
    auto it = sealed_.find({federation, name});
    if (it == sealed_.end()) return absl::NotFoundError(absl::StrCat("no update ", name, " of ", federation));
    return it->second;
  }

  void Remove(const std::string& federation, const std::string& name) override {
    std::shared_ptr<const Blob> dropped;  // Destroyed after the lock is released.
    std::lock_guard lock(mutex_);
    auto it = sealed_.find({federation, name});
    if (it == sealed_.end()) return;
    unlink(SpillPath(federation, name).c_str());
    dropped = std::move(it->second);
    sealed_.erase(it);
    ForgetDropped();
  }

  absl::Status Retain(const std::string& federation, std::uint64_t round,
                      absl::Span<const std::string> names) override {
    std::vector<std::shared_ptr<const void>> dropped;  // Destroyed after the lock is released.
    std::lock_guard lock(mutex_);
    for (auto it = sealed_.begin(); it != sealed_.end();) {
      const auto& [owner, name] = it->first;
      const bool keep = owner != federation || std::find(names.begin(), names.end(), name) != names.end();
      if (!keep) {
        unlink(SpillPath(owner, name).c_str());
        dropped.push_back(std::move(it->second));
      }
      it = keep ? std::next(it) : sealed_.erase(it);
    }
    ForgetDropped();
    for (auto it = parts_.begin(); it != parts_.end();) {
      const Part& part = it->second;
      const bool keep = part.active || part.key.federation != federation || part.key.round == round;
      if (!keep) dropped.push_back(std::move(it->second.held));
      it = keep ? std::next(it) : parts_.erase(it);
    }
    return absl::OkStatus();
  }

  void Ended(const UploadKey& key, std::shared_ptr<Held> held, std::uint64_t received) {
    {
      std::lock_guard lock(mutex_);
      auto it = parts_.find(ClientKey(key));
      if (it == parts_.end()) return;
      if (held != nullptr && !key.sha256.empty()) {
        it->second.active = false;
        it->second.received = received;
        it->second.held = std::move(held);
      } else {
        parts_.erase(it);
      }
    }
    wake_.notify_one();
  }

 private:
  // An upload in progress (held by its MemoryUpload), or broken off and kept for resuming.
  struct Part {
    UploadKey key;
    bool active = false;
    std::uint64_t received = 0;
    std::shared_ptr<Held> held;
  };

  static bool Resumes(const Part& part, const UploadKey& key) {
    return !part.active && !key.sha256.empty() && part.key.sha256 == key.sha256 && part.key.bytes == key.bytes;
  }

  // REQUIRES: mutex_ held.
  absl::StatusOr<std::unique_ptr<Upload>> Start(const UploadKey& key, std::shared_ptr<Held>& dropped,
                                                bool& reservation_used) {
    Part& part = parts_[ClientKey(key)];
    if (part.active) {
      return absl::AbortedError(absl::StrCat("another stream of client \"", key.client, "\" is uploading an update"));
    }
    if (Resumes(part, key)) {
      part.active = true;
      return std::make_unique<MemoryUpload>(this, key, std::move(part.held), part.received);
    }
    dropped = std::move(part.held);
    absl::StatusOr<Slab> slab = pool_.Take(key.bytes);
    if (!slab.ok()) {
      parts_.erase(ClientKey(key));
      return slab.status();
    }
    part = Part{key, true};
    reservation_used = true;
    return std::make_unique<MemoryUpload>(this, key, std::make_shared<Held>(budget_, *std::move(slab), key.bytes), 0);
  }

  // REQUIRES: mutex_ held. Keeps in_memory_ a part of sealed_.
  void ForgetDropped() {
    std::erase_if(in_memory_, [this](const auto& name) { return sealed_.count(name) == 0; });
  }

  fs::path SpillPath(const std::string& federation, const std::string& name) const {
    return directory_ / absl::StrCat(federation, "~", name);
  }

  void SpillLoop() {
    std::unique_lock lock(mutex_);
    while (!stopping_) {
      if (budget_.waiting() == 0 || !MakeRoom(lock)) wake_.wait(lock);
    }
  }

  // Frees something: first a broken-off part, then the oldest sealed update. False when there is nothing.
  bool MakeRoom(std::unique_lock<std::mutex>& lock) {
    auto idle = std::find_if(parts_.begin(), parts_.end(), [](const auto& entry) { return !entry.second.active; });
    if (idle != parts_.end()) {
      Part part = std::move(idle->second);
      parts_.erase(idle);
      lock.unlock();
      part.held.reset();
      lock.lock();
      return true;
    }
    if (in_memory_.empty()) return false;
    const auto name = in_memory_.front();
    in_memory_.pop_front();
    auto it = sealed_.find(name);
    if (it == sealed_.end()) return true;
    Spill(lock, name, it->second);
    return true;
  }

  void Spill(std::unique_lock<std::mutex>& lock, const std::pair<std::string, std::string>& name,
             std::shared_ptr<const Blob> blob) {
    lock.unlock();
    auto spilled = WriteSpill(SpillPath(name.first, name.second), blob->bytes());
    lock.lock();
    auto it = sealed_.find(name);
    if (it == sealed_.end() || it->second != blob) {
      unlink(SpillPath(name.first, name.second).c_str());
    } else if (spilled.ok()) {
      it->second = *std::move(spilled);
    } else {
      return;  // Disk full: it stays in memory, and the queue waits until the round ends.
    }
    lock.unlock();
    blob.reset();
    lock.lock();
  }

  static absl::StatusOr<std::shared_ptr<const Blob>> WriteSpill(const fs::path& path, absl::string_view bytes) {
    unlink(path.c_str());  // A file that somebody still maps must not be truncated.
    std::ofstream out(path, std::ios::binary | std::ios::trunc);
    for (; !bytes.empty(); bytes.remove_prefix(std::min(bytes.size(), kSpillWriteBytes))) {
      out.write(bytes.data(), static_cast<std::streamsize>(std::min(bytes.size(), kSpillWriteBytes)));
    }
    out.close();
    if (!out) {
      unlink(path.c_str());
      return absl::ResourceExhaustedError(absl::StrCat("cannot spill to ", path.string()));
    }
    CAIRN_ASSIGN_OR_RETURN(MappedFile file, MappedFile::Open(path));
    return std::make_shared<SpilledBlob>(std::move(file));
  }

  const fs::path directory_;
  SlabPool pool_;
  mutable std::mutex mutex_;
  std::condition_variable wake_;
  bool stopping_ = false;
  std::map<std::string, Part> parts_;                                                  // By ClientKey.
  std::map<std::pair<std::string, std::string>, std::shared_ptr<const Blob>> sealed_;  // By federation and name.
  std::deque<std::pair<std::string, std::string>> in_memory_;                          // Sealed, oldest first.
  std::thread spiller_;
};

MemoryUpload::~MemoryUpload() { store_->Ended(key_, std::move(held_), received_); }

}  // namespace

absl::StatusOr<std::unique_ptr<Store>> OpenMemoryStore(const fs::path& directory, std::uint64_t budget) {
  std::error_code error;
  fs::remove_all(directory, error);
  fs::create_directories(directory, error);
  if (error) return ErrnoStatus(error.value(), "create directory", directory);
  return std::make_unique<MemoryStore>(directory, budget);
}

}  // namespace cairn
