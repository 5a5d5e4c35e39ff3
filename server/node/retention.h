// Which sealed updates a node keeps: those that the root knows a receipt of, and those that are on their way to one.
#pragma once

#include <functional>
#include <map>
#include <mutex>
#include <set>
#include <string>

#include "absl/status/statusor.h"
#include "server/root/federation.h"
#include "server/store/store.h"

namespace cairn {

class Retention {
 public:
  // Asks the root what is to be kept of a federation. Blocks.
  using Ask = std::function<absl::StatusOr<Kept>(const std::string& federation)>;

  Retention(Store* store, Ask ask) : store_(store), ask_(std::move(ask)) {}

  // Around the whole of a Contribute: meanwhile, and until a question that is under way is answered, the update is
  // kept.
  void Begin(const std::string& federation, const std::string& name);
  void End(const std::string& federation, const std::string& name);

  // Asks, and lets go of the rest. Blocks. For one thread at a time for each federation: a second call returns at once,
  // and the first asks again.
  void Tidy(const std::string& federation);

 private:
  struct Federation {
    std::multiset<std::string> under_way;
    bool asking = false, ask_again = false;
    std::set<std::string> meanwhile;  // What was under way at any time since the question.
  };
  void AskOnce(const std::string& federation);

  Store* store_;
  const Ask ask_;
  std::mutex mutex_;
  std::map<std::string, Federation> federations_;
};

}  // namespace cairn
