// Rules by name. A rule registers itself at start-up with CAIRN_REGISTER_RULE in its own file; nothing includes rules/.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "aggregators/aggregator.h"

namespace cairn {

using AggregatorFactory = std::unique_ptr<Aggregator> (*)();

// Aborts when the name is taken: two rules under one name are a programming error.
bool RegisterAggregator(absl::string_view name, AggregatorFactory factory);

// NOT_FOUND, with the list of known names.
absl::StatusOr<std::unique_ptr<Aggregator>> MakeAggregator(absl::string_view name);

std::vector<std::string> AggregatorNames();  // Ascending.

#define CAIRN_REGISTER_RULE(name, type)                                                     \
  [[maybe_unused]] static const bool cairn_registered_##type = ::cairn::RegisterAggregator( \
      name, []() -> std::unique_ptr<::cairn::Aggregator> { return std::make_unique<type>(); })

}  // namespace cairn
