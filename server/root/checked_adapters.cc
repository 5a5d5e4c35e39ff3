#include "server/root/checked_adapters.h"

#include <iterator>
#include <utility>

#include "absl/strings/str_cat.h"

namespace cairn {
namespace {

// With its memory: assigning {} to a vector keeps what it has reserved.
template <typename T>
void LetGo(T& object) {
  T().swap(object);
}

// ResultConfig and rules read the rest.
void Reduce(PeftConfig& config) {
  LetGo(config.kind_reason);
  LetGo(config.target_modules);
  LetGo(config.rank_pattern);
  LetGo(config.alpha_pattern);
}

}  // namespace

absl::Status CheckedAdapters::Add(const std::string& client, Adapter adapter,
                                  absl::FunctionRef<absl::Status(const Adapter&)> check) {
  const auto [newcomer, is_new] = adapters_.try_emplace(client, std::move(adapter));
  if (!is_new) return absl::AlreadyExistsError(absl::StrCat("client ", client, ": already contributed to this round"));
  Adapter& added = newcomer->second;
  if (absl::Status checked = check(added); !checked.ok()) {
    adapters_.erase(newcomer);
    return checked;
  }
  const bool has_new_modules = LearnRanks(added);
  KeepOneDocument(newcomer);
  if (keep_ == Keep::kAll) return absl::OkStatus();
  // Rules compare modules with the first client that has them, of tensors they remember what they need.
  if (!has_new_modules) LetGo(added.modules);
  LetGo(added.tensors);
  Reduce(added.config);
  return absl::OkStatus();
}

// Whether nobody had some of its modules before.
bool CheckedAdapters::LearnRanks(const Adapter& adapter) {
  const std::size_t known = ranks_.size();
  for (const LoraModule& module : adapter.modules) ranks_.try_emplace(module.name, module.rank);
  return ranks_.size() > known;
}

void CheckedAdapters::KeepOneDocument(std::map<std::string, Adapter>::iterator newcomer) {
  const auto later = newcomer == adapters_.begin() ? std::next(newcomer) : newcomer;
  if (later != adapters_.end()) LetGo(later->second.config.json);
}

}  // namespace cairn
