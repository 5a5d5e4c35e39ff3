// What each client of a federation sent in earlier rounds, summed, for rules that hold clients against their own past
// (Rule::Needs::history): history/<federation>/CLIENT@VERSION.safetensors, the sum up to that version's round, and
// CLIENT@VERSION.json, its adapter_config.json.
//
// A publication of version v starts from the newest sums before v and writes those of v beside them; what is older than
// either goes when v + 1 is begun. So a publication that is done again, even of a version that is on record, finds what
// the first attempt found, and writes the same bytes.
#pragma once

#include <cstdint>
#include <filesystem>
#include <functional>
#include <map>
#include <string>
#include <utility>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/types/span.h"
#include "aggregators/aggregator.h"
#include "server/root/update.h"

namespace cairn {

class Histories {
 public:
  // Of a publication of `version` that combines with `combine`, which must outlive this. REQUIRES: the version before
  // is on record. What an earlier attempt at the version left is removed, and what newer sums replace.
  static absl::StatusOr<Histories> Open(const std::filesystem::path& data_dir, const std::string& federation,
                                        std::uint64_t version, const Aggregator* combine);

  // What the client sent before, mapped. Null: nothing. The file's errors, with its path.
  absl::StatusOr<const Adapter*> Load(const std::string& client);

  // What is added to a client's sum: an update, its adapter_config.json, what it is measured from (null: zero), and
  // which modules of it are kept (HistoryWith).
  struct Addition {
    const Adapter* update = nullptr;
    absl::string_view config;
    const Adapter* reference = nullptr;
    absl::Span<const std::string> names;
    std::function<void()> after_tensor = [] {};  // Mapped inputs may leave memory.
  };
  // Writes the client's sum up to this version. One whose values are not finite changes nothing. RESOURCE_EXHAUSTED:
  // disk full.
  absl::Status Add(const std::string& client, const Addition& addition);
  // Makes what was added durable.
  absl::Status Sync() const;
  // Of what was loaded.
  void DropPages() const;

 private:
  Histories(std::filesystem::path directory, std::uint64_t version, const Aggregator* combine)
      : directory_(std::move(directory)), version_(version), combine_(combine) {}

  absl::Status Write(const std::string& client, const Addition& addition);

  std::filesystem::path directory_;
  std::uint64_t version_;
  const Aggregator* combine_;
  std::map<std::string, std::uint64_t> newest_;  // By client, the version of its newest sum before version_.
  std::map<std::string, MappedAdapter> loaded_;
};

// For a round whose rule keeps none: a later one must not go on from sums that lack it.
absl::Status RemoveHistories(const std::filesystem::path& data_dir, const std::string& federation);

}  // namespace cairn
