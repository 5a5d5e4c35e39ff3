// Factories by name, which register themselves before main runs and are only read afterwards.
#pragma once

#include <cstdio>
#include <cstdlib>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "aggregators/rule_options.h"
#include "base/status_macros.h"

namespace cairn::internal {

// A factory for `type`: its static Make(RuleOptions&), or its default constructor where it has none.
template <typename Base, typename T>
absl::StatusOr<std::unique_ptr<Base>> Make(RuleOptions& options) {
  if constexpr (requires { T::Make(options); }) {
    return T::Make(options);
  } else {
    return std::make_unique<T>();
  }
}

template <typename Factory>
class Named {
 public:
  // `what` is what the names are of, for messages.
  explicit Named(std::string what) : what_(std::move(what)) {}

  // Two of one name are a programming error.
  bool Add(absl::string_view name, Factory factory) {
    if (!factories_.emplace(std::string(name), factory).second) {
      std::fprintf(stderr, "%s \"%s\" is there twice\n", what_.c_str(), std::string(name).c_str());
      std::abort();
    }
    return true;
  }

  // From "NAME[:key=value,...]".
  template <typename T>
  absl::StatusOr<std::unique_ptr<T>> Make(absl::string_view spec) const {
    CAIRN_ASSIGN_OR_RETURN(RuleOptions options, RuleOptions::Parse(spec));
    const auto found = factories_.find(options.name());
    if (found == factories_.end()) {
      return absl::NotFoundError(
          absl::StrCat("no ", what_, " is called \"", options.name(), "\"; there are: ", absl::StrJoin(Names(), ", ")));
    }
    CAIRN_ASSIGN_OR_RETURN(std::unique_ptr<T> made, found->second(options));
    CAIRN_RETURN_IF_ERROR(options.Finish());
    return made;
  }

  std::vector<std::string> Names() const {
    std::vector<std::string> names;
    for (const auto& [name, factory] : factories_) names.push_back(name);
    return names;
  }

 private:
  std::string what_;
  std::map<std::string, Factory, std::less<>> factories_;
};

}  // namespace cairn::internal
