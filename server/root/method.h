// How the updates of a round become a version: the federation's choices, in the order in which they act.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "aggregators/publish_form.h"

namespace cairn {

struct Method {
  std::vector<std::string> guards;        // "NAME[:key=value,...]" each; aggregators/guard.h.
  std::string rule = "examples";          // How much each client counts; aggregators/rule.h.
  std::string combine = "stack";          // How factors merge; aggregators/registry.h.
  std::vector<std::string> rule_modules;  // What guards and rule look at; PipelineOptions::rule_modules. Empty: all.
  bool relative_to_published = false;     // They see updates measured from what clients went on from.
  std::optional<PublishForm> publish;     // What is made of the result before it is published; unset: the rule's own.
};

}  // namespace cairn
