// Fetches published adapters from the root into the node's cache: each once, however many clients ask meanwhile.
#pragma once

#include <filesystem>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "server/node/adapter_cache.h"
#include "server/node/raw_call.h"
#include "server/root/root.h"

namespace cairn {

class AdapterFetcher {
 public:
  AdapterFetcher(RootConnection* root, std::unique_ptr<AdapterCache> cache) : root_(root), cache_(std::move(cache)) {}

  // Blocks, except where another thread fetches the same adapter: then that one calls `done`.
  void Fetch(const v1::PullRequest& request, Root::Done<VersionFile> done);
  // Where what was fetched lies until it is removed for something else.
  std::filesystem::path PathOf(const std::string& sha256) const { return cache_->PathOf(sha256); }

 private:
  using File = absl::StatusOr<std::shared_ptr<const MappedFile>>;
  using Waiting = std::function<void(const File& file)>;

  File Receive(RawCall& call, const v1::PullHeader& header);

  RootConnection* root_;
  const std::unique_ptr<AdapterCache> cache_;
  std::mutex mutex_;
  std::map<std::string, std::vector<Waiting>> under_way_;  // By digest.
};

}  // namespace cairn
