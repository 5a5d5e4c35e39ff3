// Downloads a published adapter: stream into a directory out of sight, again from where it broke, verified, swapped in.
#pragma once

#include <cstdint>
#include <filesystem>
#include <optional>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "client/sdk/connection.h"

namespace cairn::sdk {

// What Client::PullStart answers.
std::optional<Form> StartFormOf(const Round& round, absl::string_view merged);

absl::StatusOr<std::uint64_t> PullVersion(Connection& connection, std::uint64_t version, Form form,
                                          const std::filesystem::path& directory, const ProgressCallback& progress);

}  // namespace cairn::sdk
