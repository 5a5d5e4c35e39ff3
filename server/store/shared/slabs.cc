#include "server/store/shared/slabs.h"

#include <algorithm>
#include <utility>

#include "base/status_macros.h"

namespace cairn {

absl::StatusOr<SlabMemory> MakeAgentSlab(std::uint64_t bytes) {
  SlabMemory memory;
  CAIRN_ASSIGN_OR_RETURN(const UniqueFd fd, CreateMemfd("cairn-slab", bytes));
  CAIRN_RETURN_IF_ERROR(AllocatePages(fd.get(), 0, bytes));
  CAIRN_ASSIGN_OR_RETURN(memory.mapping, Mapping::Map(fd.get(), bytes, Mapping::Access::kReadWrite));
  memory.mapping.Prefault(Mapping::Access::kReadWrite, 0, bytes);
  CAIRN_RETURN_IF_ERROR(SealAgainstNewWriters(fd.get()));
  CAIRN_ASSIGN_OR_RETURN(memory.fd, ReopenReadOnly(fd.get()));
  memory.sealed = true;
  return memory;
}

absl::StatusOr<SlabMemory> MakeWorkerSlab(std::uint64_t bytes) {
  SlabMemory memory;
  CAIRN_ASSIGN_OR_RETURN(memory.fd, CreateMemfd("cairn-slab", bytes));
  CAIRN_RETURN_IF_ERROR(SealSize(memory.fd.get()));
  return memory;
}

absl::Status SealWorkerSlab(SlabMemory& memory) {
  CAIRN_ASSIGN_OR_RETURN(UniqueFd read_only, ReopenReadOnly(memory.fd.get()));
  CAIRN_RETURN_IF_ERROR(SealAgainstNewWriters(memory.fd.get()));
  memory.fd = std::move(read_only);
  memory.sealed = true;
  return absl::OkStatus();
}

Slabs::Slabs(std::uint64_t capacity) : capacity_(capacity) {}

std::optional<SlabRef> Slabs::TakeIdle(Epoch writer, std::uint64_t bytes) {
  // The newest: its pages are the likeliest in the caches, and the oldest are those to give up.
  const auto fits = [&](std::uint32_t i) { return slabs_[i].bytes == bytes && slabs_[i].writer == writer; };
  const auto fit = std::find_if(idle_.rbegin(), idle_.rend(), fits);
  if (fit == idle_.rend()) return std::nullopt;
  const std::uint32_t index = *fit;
  idle_.erase(std::next(fit).base());
  slabs_[index].state = State::kInUse;
  return SlabRef{index, slabs_[index].incarnation};
}

std::optional<SlabRef> Slabs::Reserve(Epoch writer, std::uint64_t bytes) {
  MakeRoom(bytes);
  if (mapped_ + bytes > capacity_) return std::nullopt;
  if (free_.empty()) {
    free_.push_back(static_cast<std::uint32_t>(slabs_.size()));
    slabs_.emplace_back();
  }
  const std::uint32_t index = free_.back();
  free_.pop_back();
  Slab& slab = slabs_[index];
  slab.state = State::kReserved;
  slab.incarnation += 1;
  slab.bytes = bytes;
  slab.writer = writer;
  slab.writer_ended = false;
  mapped_ += bytes;
  return SlabRef{index, slab.incarnation};
}

void Slabs::Install(SlabRef ref, SlabMemory memory) {
  Slab& slab = slabs_[ref.index];
  slab.state = State::kInUse;
  slab.memory = std::make_unique<SlabMemory>(std::move(memory));
}

void Slabs::Cancel(SlabRef ref) { Erase(ref.index); }

void Slabs::Give(SlabRef ref) {
  Slab& slab = slabs_[ref.index];
  if (slab.writer_ended) return Retire(ref.index);
  slab.state = State::kIdle;
  idle_.push_back(ref.index);
}

void Slabs::EndWriter(Epoch writer) {
  for (Slab& slab : slabs_) slab.writer_ended = slab.writer_ended || slab.writer == writer;
  const auto ended = [this](std::uint32_t i) { return slabs_[i].writer_ended; };
  const auto first = std::stable_partition(idle_.begin(), idle_.end(), [&](std::uint32_t i) { return !ended(i); });
  const std::vector<std::uint32_t> retiring(first, idle_.end());
  idle_.erase(first, idle_.end());
  for (std::uint32_t index : retiring) Retire(index);
}

void Slabs::MakeRoom(std::uint64_t bytes) {
  // Nobody needs to be asked for what only the agent maps; a process that is asked may be stopped.
  const auto unheld = [this](std::uint32_t i) { return slabs_[i].holders.empty(); };
  std::uint64_t at_once = 0;
  for (std::uint32_t i : idle_) at_once += unheld(i) ? slabs_[i].bytes : 0;
  const bool enough = mapped_ - going_ - at_once + bytes <= capacity_;
  while (enough && mapped_ - going_ + bytes > capacity_) Evict(std::find_if(idle_.begin(), idle_.end(), unheld));
  while (mapped_ - retired_ + bytes > capacity_ && !idle_.empty()) Evict(idle_.begin());
}

void Slabs::Evict(std::deque<std::uint32_t>::iterator idle) {
  const std::uint32_t index = *idle;
  idle_.erase(idle);
  Retire(index);
}

void Slabs::Retire(std::uint32_t index) {
  Slab& slab = slabs_[index];
  slab.state = State::kRetired;
  slab.unmapping = true;
  to_unmap_.push_back({{index, slab.incarnation}, std::move(slab.memory)});
  retired_ += slab.bytes;
  if (slab.holders.empty()) going_ += slab.bytes;
  to_tell_.insert(slab.holders.begin(), slab.holders.end());
}

void Slabs::Unmapped(SlabRef ref) {
  slabs_[ref.index].unmapping = false;
  if (slabs_[ref.index].holders.empty()) Erase(ref.index);
}

void Slabs::Erase(std::uint32_t index) {
  Slab& slab = slabs_[index];
  if (slab.state == State::kRetired) {
    retired_ -= slab.bytes;
    going_ -= slab.bytes;
  }
  mapped_ -= slab.bytes;
  slab.state = State::kNone;
  free_.push_back(index);
}

std::uint64_t Slabs::idle() const {
  std::uint64_t bytes = 0;
  for (std::uint32_t index : idle_) bytes += slabs_[index].bytes;
  return bytes;
}

bool Slabs::AddHolder(SlabRef slab, Epoch epoch) { return slabs_[slab.index].holders.insert(epoch).second; }

void Slabs::DropHolder(SlabRef ref, Epoch epoch) {
  if (ref.index >= slabs_.size() || !Is(ref)) return;
  Slab& slab = slabs_[ref.index];
  if (slab.holders.erase(epoch) == 0 || slab.state != State::kRetired || !slab.holders.empty()) return;
  going_ += slab.bytes;
  if (!slab.unmapping) Erase(ref.index);
}

void Slabs::DropHolder(Epoch epoch) {
  for (std::uint32_t i = 0; i < slabs_.size(); ++i) DropHolder({i, slabs_[i].incarnation}, epoch);
}

std::optional<SlabRef> Slabs::RetiredOf(Epoch epoch) const {
  for (std::uint32_t i = 0; i < slabs_.size(); ++i) {
    const Slab& slab = slabs_[i];
    if (slab.state == State::kRetired && slab.holders.count(epoch) != 0) return SlabRef{i, slab.incarnation};
  }
  return std::nullopt;
}

}  // namespace cairn
