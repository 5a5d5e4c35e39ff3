#include "aggregators/partial/index.h"

#include "absl/strings/escaping.h"
#include "absl/strings/str_cat.h"
#include "aggregators/partial/bytes.h"
#include "aggregators/partial/index_fields.h"
#include "base/digest.h"

namespace cairn::internal {
namespace {

constexpr absl::string_view kMagic = "CRNP";
constexpr std::uint32_t kVersion = 1;
constexpr std::size_t kHeaderBytes = 24;

absl::Status NoIndex(absl::string_view why) {
  return absl::InvalidArgumentError(absl::StrCat("no index of a partial sum: ", why));
}

// The payload, if the header is right.
absl::StatusOr<absl::string_view> PayloadOf(absl::string_view bytes) {
  ByteReader header(bytes.substr(0, kHeaderBytes));
  const absl::string_view magic = header.Raw(kMagic.size());
  const auto version = header.Number<std::uint32_t>();
  const auto size = header.Number<std::uint64_t>();
  const auto crc = header.Number<std::uint32_t>(), zero = header.Number<std::uint32_t>();
  if (header.failed() || magic != kMagic) return NoIndex("it does not begin with CRNP");
  if (version != kVersion) {
    return absl::UnimplementedError(
        absl::StrCat("an index of a partial sum of version ", version, "; this program knows version ", kVersion));
  }
  const absl::string_view payload = bytes.substr(kHeaderBytes);
  if (payload.size() != size || zero != 0) {
    return NoIndex(absl::StrCat("expected ", size, " bytes behind the header, got ", payload.size()));
  }
  if (Crc32c(payload.data(), payload.size()) != crc) return NoIndex("its checksum is wrong");
  return payload;
}

}  // namespace

std::string SerializeIndex(const PartialState& state, int planes) {
  const std::string payload = SerializeFields(state, planes);
  ByteWriter bytes;
  bytes.Raw(kMagic);
  bytes.Number(kVersion);
  bytes.Number(static_cast<std::uint64_t>(payload.size()));
  bytes.Number(Crc32c(payload.data(), payload.size()));
  bytes.Number(std::uint32_t{0});
  bytes.Raw(payload);
  return std::move(bytes).Take();
}

absl::StatusOr<ParsedIndex> ParseIndex(absl::string_view bytes) {
  const absl::StatusOr<absl::string_view> payload = PayloadOf(bytes);
  if (!payload.ok()) return payload.status();
  absl::StatusOr<ParsedIndex> parsed = ParseFields(*payload);
  if (!parsed.ok()) return NoIndex(parsed.status().message());
  return parsed;
}

}  // namespace cairn::internal
