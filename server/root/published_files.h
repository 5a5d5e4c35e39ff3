// Where published adapters lie below the data directory, and how they get there (docs/formats/database.md).
#pragma once

#include <cstdint>
#include <filesystem>
#include <set>
#include <string>

#include "absl/status/status.h"
#include "server/root/database.h"

namespace cairn {

std::filesystem::path AdapterPath(const std::filesystem::path& data_dir, const std::string& federation,
                                  const std::string& sha256);
std::filesystem::path VersionDirectory(const std::filesystem::path& data_dir, const std::string& federation,
                                       std::uint64_t version);

// What a process that combines some of a round's modules writes before they are joined; and to remove all of these, of
// attempts that came to nothing.
std::filesystem::path ShardPath(const std::filesystem::path& data_dir, const std::string& federation,
                                const std::string& name);
void RemoveShardFiles(const std::filesystem::path& data_dir, const std::string& federation);

// Removes adapters of other digests: of attempts to publish whose round then had other updates. Not while a round is
// being published.
void RemoveOtherAdapters(const std::filesystem::path& data_dir, const std::string& federation,
                         const std::set<std::string>& digests);

// Makes published/<federation>/v<version>/ of an adapter that is at its AdapterPath.
absl::Status WriteVersionDirectory(const std::filesystem::path& data_dir, const std::string& federation,
                                   std::uint64_t version, const AdapterFile& whole);

// Points published/<federation>/latest at a version. Call it when the version is on record.
absl::Status PointLatestAt(const std::filesystem::path& data_dir, const std::string& federation, std::uint64_t version);

}  // namespace cairn
