// The adapters of a round's clients while a combine rule is fed with them: all of them, or of each no more than is
// looked at again, so that memory does not grow by a header for every client.
#pragma once

#include <cstdint>
#include <map>
#include <string>

#include "absl/functional/function_ref.h"
#include "absl/status/status.h"
#include "adapter/lora.h"

namespace cairn {

class CheckedAdapters {
 public:
  enum class Keep {
    kAll,   // Whoever combines reads modules and tensors.
    kLess,  // Somebody else combines: what a rule compares further clients with, and what a result's config is made of.
  };
  explicit CheckedAdapters(Keep keep = Keep::kLess) : keep_(keep) {}

  // `check` gives it to the rule, at the place where it stays: rules keep pointers. Then what is not kept is let go of.
  // ALREADY_EXISTS: the client has one; or the error of `check`, and it is not added.
  absl::Status Add(const std::string& client, Adapter adapter, absl::FunctionRef<absl::Status(const Adapter&)> check);

  // By client: nothing may depend on the order of arrival. Of configs of other kinds than LoRA only the first has its
  // document, which may be large: the rule has compared them.
  const std::map<std::string, Adapter>& adapters() const { return adapters_; }
  // Of each module the rank that the first one to come with it had.
  const std::map<std::string, std::int64_t>& ranks() const { return ranks_; }

 private:
  bool LearnRanks(const Adapter& adapter);
  void KeepOneDocument(std::map<std::string, Adapter>::iterator newcomer);

  Keep keep_;
  std::map<std::string, Adapter> adapters_;
  std::map<std::string, std::int64_t> ranks_;
};

}  // namespace cairn
