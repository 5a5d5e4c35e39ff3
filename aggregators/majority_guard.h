// Guards that know how many clients may lie and need the others to be more.
#pragma once

#include <cstddef>
#include <memory>
#include <optional>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/str_cat.h"
#include "aggregators/faulty.h"
#include "aggregators/guard.h"
#include "base/status_macros.h"

namespace cairn {

class MajorityGuard : public Guard {
 public:
  explicit MajorityGuard(std::optional<Faulty> faulty) : faulty_(faulty) {}
  bool needs_faulty() const final { return true; }
  std::optional<Faulty> faulty() const final { return faulty_; }
  absl::Status CheckClients(std::size_t columns, std::size_t faulty) const final {
    return CheckBound(absl::StrCat("guard ", name()), columns, faulty, 2 * faulty + 1, "n >= 2f + 1");
  }

 private:
  std::optional<Faulty> faulty_;
};

// T is a MajorityGuard. INVALID_ARGUMENT: f is not one.
template <typename T>
absl::StatusOr<std::unique_ptr<Guard>> MakeMajorityGuard(RuleOptions& options) {
  CAIRN_ASSIGN_OR_RETURN(const std::optional<Faulty> faulty, Faulty::TakeIfGiven(options));
  return std::make_unique<T>(faulty);
}

}  // namespace cairn
