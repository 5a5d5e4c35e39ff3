// Text for an experiment: per client a list of documents, read from files.
#pragma once

#include <filesystem>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"

namespace cairn {

struct Document {
  std::string name;
  std::string text;  // Bytes; any encoding without NUL.
};

struct ClientCorpus {
  std::string client;
  std::vector<Document> documents;
  std::size_t bytes() const;
};

// The named files of `directory`. NOT_FOUND: no such file. INVALID_ARGUMENT: empty, or not text.
absl::StatusOr<ClientCorpus> ReadDocuments(const std::string& client, const std::filesystem::path& directory,
                                           const std::vector<std::string>& names);

// One client per sub-folder of `directory`, ascending by name; every regular file in it that is text, binary ones left
// out. NOT_FOUND: no such directory. INVALID_ARGUMENT: fewer than two sub-folders, a sub-folder without text, or whose
// name cannot be a client id. RESOURCE_EXHAUSTED: more text than kCorpusBytesMax.
absl::StatusOr<std::vector<ClientCorpus>> ReadFolders(const std::filesystem::path& directory);

inline constexpr std::size_t kCorpusBytesMax = std::size_t{256} << 20;  // Of all documents of one client.

}  // namespace cairn
