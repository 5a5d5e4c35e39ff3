#include "aggregators/base_names.h"

#include <algorithm>
#include <optional>
#include <utility>

#include "absl/strings/ascii.h"
#include "absl/strings/escaping.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_replace.h"
#include "absl/strings/str_split.h"
#include "absl/strings/strip.h"
#include "base/paths.h"

namespace cairn {
namespace {

using Tensors = std::vector<TensorView>;  // Ascending by name.

// From an adapter's names to the base's. Both prefixes end with a dot, or are empty; one of them is.
struct PrefixChange {
  std::string dropped, added;

  std::optional<std::string> Of(absl::string_view name) const {
    if (!absl::ConsumePrefix(&name, dropped)) return std::nullopt;
    return absl::StrCat(added, name);
  }
};

std::optional<std::size_t> PlaceOf(const Tensors& tensors, absl::string_view name) {
  const auto found = std::lower_bound(tensors.begin(), tensors.end(), name,
                                      [](const TensorView& tensor, absl::string_view n) { return tensor.name < n; });
  if (found == tensors.end() || found->name != name) return std::nullopt;
  return static_cast<std::size_t>(found - tensors.begin());
}

bool HasNumber(absl::string_view prefix) {
  const std::vector<absl::string_view> parts = absl::StrSplit(prefix, '.', absl::SkipEmpty());
  return std::any_of(parts.begin(), parts.end(), [](absl::string_view part) {
    return std::all_of(part.begin(), part.end(), [](char c) { return absl::ascii_isdigit(c); });
  });
}

// Every change under which the base has a tensor `name`. A name of a single part ("weight") would say too little.
std::vector<PrefixChange> ChangesFor(const Tensors& tensors, absl::string_view name) {
  std::vector<PrefixChange> changes;
  for (std::size_t dot = name.find('.'); dot != name.npos; dot = name.find('.', dot + 1)) {
    const absl::string_view prefix = name.substr(0, dot + 1), rest = name.substr(dot + 1);
    if (!absl::StrContains(rest, '.') || HasNumber(prefix)) break;
    if (PlaceOf(tensors, rest)) changes.push_back({std::string(prefix), ""});
  }
  if (!absl::StrContains(name, '.')) return changes;
  for (const TensorView& tensor : tensors) {
    absl::string_view prefix = tensor.name;
    if (!absl::ConsumeSuffix(&prefix, name) || !absl::EndsWith(prefix, ".") || HasNumber(prefix)) continue;
    changes.push_back({"", std::string(prefix)});
  }
  return changes;
}

// The places of wanted[0], wanted[1], ... as far as the base has them.
std::vector<std::size_t> Places(const Tensors& tensors, const PrefixChange& change,
                                const std::vector<WantedTensor>& wanted) {
  std::vector<std::size_t> places;
  for (const WantedTensor& tensor : wanted) {
    const std::optional<std::string> name = change.Of(tensor.name);
    const std::optional<std::size_t> place = name ? PlaceOf(tensors, *name) : std::nullopt;
    if (!place) break;
    places.push_back(*place);
  }
  return places;
}

std::string Quoted(absl::string_view name) { return absl::StrCat("\"", absl::CHexEscape(name), "\""); }

absl::Status Missing(const WantedTensor& tensor, const PrefixChange& change) {
  std::string tried;
  const std::optional<std::string> changed = change.Of(tensor.name);
  if (!changed) {
    return absl::InvalidArgumentError(
        absl::StrCat(tensor.owner, ": expected a name that begins with ", Quoted(change.dropped),
                     ", without which the base model has those before it, got ", Quoted(tensor.name)));
  }
  if (*changed != tensor.name) tried = absl::StrCat(", nor ", Quoted(*changed));
  return absl::InvalidArgumentError(
      absl::StrCat(tensor.owner, ": the base model has no tensor ", Quoted(tensor.name), tried));
}

}  // namespace

absl::StatusOr<TensorFiles> OpenBaseModel(const std::filesystem::path& path) {
  const std::string name = path.filename().native();
  absl::string_view stem = name;
  if (!absl::ConsumeSuffix(&stem, ".safetensors.index.json")) return TensorFiles::Open(path, kBaseModelStem);
  return TensorFiles::Open(ParentOf(path), stem);
}

absl::StatusOr<std::vector<std::size_t>> FindInBase(const TensorFiles& base, const std::vector<WantedTensor>& wanted) {
  const Tensors& tensors = base.tensors();
  PrefixChange furthest;  // The one that goes wrong last.
  std::vector<std::size_t> places = Places(tensors, furthest, wanted);
  if (places.size() == wanted.size()) return places;
  bool found = false;
  for (const PrefixChange& change : ChangesFor(tensors, wanted.front().name)) {
    std::vector<std::size_t> others = Places(tensors, change, wanted);
    if (found && others.size() == wanted.size()) {
      return absl::InvalidArgumentError(
          absl::StrCat(wanted.front().owner, ": the base model has no tensor ", Quoted(wanted.front().name),
                       ", and more than one that it could mean: ", Quoted(tensors[places.front()].name), " and ",
                       Quoted(tensors[others.front()].name)));
    }
    if (others.size() <= places.size()) continue;
    found = others.size() == wanted.size();
    places = std::move(others);
    furthest = change;
  }
  if (!found) return Missing(wanted[places.size()], furthest);
  return places;
}

BaseEffect EffectOf(absl::string_view adapter_tensor) {
  absl::ConsumePrefix(&adapter_tensor, "base_model.model.");
  BaseEffect effect;
  absl::string_view module = adapter_tensor;
  if (absl::ConsumeSuffix(&module, ".lora_B.bias")) {
    effect = {absl::StrCat(module, ".bias"), true};
  } else {
    effect = {absl::StrReplaceAll(adapter_tensor, {{".base_layer.", "."}, {".modules_to_save.", "."}}), false};
  }
  return effect;
}

}  // namespace cairn
