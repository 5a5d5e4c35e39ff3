// Which processes read which objects. Not a count: what a dead process held can be told, and taken back.
#pragma once

#include <cstddef>
#include <cstdint>
#include <map>
#include <vector>

#include "server/store/shared/object_table.h"

namespace cairn {

// Objects are named by their entries. Not thread-safe.
class Leases {
 public:
  void Add(Epoch epoch, std::uint32_t object);
  // False: that process has no lease of that object.
  bool Remove(Epoch epoch, std::uint32_t object);
  // Objects of which a lease of this process was taken back, once each.
  std::vector<std::uint32_t> RemoveAll(Epoch epoch);

  bool Held(std::uint32_t object) const { return of_object_.count(object) != 0; }
  bool Holds(Epoch epoch) const { return of_process_.count(epoch) != 0; }
  std::size_t size() const;

 private:
  void Uncount(std::uint32_t object, std::uint64_t leases);

  std::map<Epoch, std::map<std::uint32_t, std::uint64_t>> of_process_;  // Leases of each object; none is 0.
  std::map<std::uint32_t, std::uint64_t> of_object_;                    // Of all processes; none is 0.
};

}  // namespace cairn
