#include "server/config_error.h"

#include "absl/strings/cord.h"
#include "absl/strings/str_cat.h"

namespace cairn::options {
namespace {

constexpr char kKeyPayload[] = "cairn/configuration-key";

std::string Prefix(absl::string_view key) { return absl::StrCat("configuration: ", key, ": "); }

// "federations[0].clients" of "federations[0].clients.min"; "" of "listen".
absl::string_view Around(absl::string_view key) {
  const std::size_t end = key.find_last_of(".[");
  return end == absl::string_view::npos ? "" : key.substr(0, end);
}

}  // namespace

absl::Status Wrong(absl::string_view key, absl::string_view what) {
  absl::Status status = absl::InvalidArgumentError(absl::StrCat(Prefix(key), what));
  status.SetPayload(kKeyPayload, absl::Cord(key));
  return status;
}

absl::Status AtPlace(const absl::Status& status, const YamlPlaces& places) {
  const auto payload = status.GetPayload(kKeyPayload);
  if (!payload) return status;
  const std::string key(*payload);
  const absl::string_view what = status.message().substr(Prefix(key).size());
  for (absl::string_view at = key; !at.empty(); at = Around(at)) {
    const auto place = places.of.find(std::string(at));
    if (place == places.of.end()) continue;
    return absl::InvalidArgumentError(
        absl::StrCat(places.file, ":", place->second.line, ":", place->second.column, ": key \"", key, "\": ", what));
  }
  return status;
}

}  // namespace cairn::options
