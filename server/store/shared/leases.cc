#include "server/store/shared/leases.h"

namespace cairn {

void Leases::Add(Epoch epoch, std::uint32_t object) {
  of_process_[epoch][object] += 1;
  of_object_[object] += 1;
}

bool Leases::Remove(Epoch epoch, std::uint32_t object) {
  const auto process = of_process_.find(epoch);
  if (process == of_process_.end()) return false;
  const auto lease = process->second.find(object);
  if (lease == process->second.end()) return false;
  if (--lease->second == 0) process->second.erase(lease);
  if (process->second.empty()) of_process_.erase(process);
  Uncount(object, 1);
  return true;
}

std::vector<std::uint32_t> Leases::RemoveAll(Epoch epoch) {
  std::vector<std::uint32_t> objects;
  const auto process = of_process_.find(epoch);
  if (process == of_process_.end()) return objects;
  for (const auto& [object, leases] : process->second) {
    Uncount(object, leases);
    objects.push_back(object);
  }
  of_process_.erase(process);
  return objects;
}

void Leases::Uncount(std::uint32_t object, std::uint64_t leases) {
  const auto it = of_object_.find(object);
  it->second -= leases;
  if (it->second == 0) of_object_.erase(it);
}

std::size_t Leases::size() const {
  std::size_t leases = 0;
  for (const auto& [object, count] : of_object_) leases += count;
  return leases;
}

}  // namespace cairn
