// Combine rules by name. A rule registers itself at start-up with CAIRN_REGISTER_COMBINE in its own file; nothing
// includes combine/.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "aggregators/aggregator.h"
#include "aggregators/named.h"
#include "aggregators/rule_options.h"

namespace cairn {

using AggregatorFactory = absl::StatusOr<std::unique_ptr<Aggregator>> (*)(RuleOptions& options);

// Aborts when the name is taken: two rules under one name are a programming error.
bool RegisterAggregator(absl::string_view name, AggregatorFactory factory);

// From "NAME[:key=value,...]". NOT_FOUND, with the list of known names. INVALID_ARGUMENT: options.
absl::StatusOr<std::unique_ptr<Aggregator>> MakeAggregator(absl::string_view spec);

std::vector<std::string> AggregatorNames();  // Ascending.

// `type` has a static Make(RuleOptions&) -> absl::StatusOr<std::unique_ptr<Aggregator>>; or, without options, is made
// by its default constructor.
#define CAIRN_REGISTER_COMBINE(name, type)                     \
  [[maybe_unused]] static const bool cairn_registered_##type = \
      ::cairn::RegisterAggregator(name, ::cairn::internal::Make<::cairn::Aggregator, type>)

}  // namespace cairn
