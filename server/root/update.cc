#include "server/root/update.h"

#include <utility>

#include "absl/strings/str_cat.h"
#include "aggregators/registry.h"
#include "base/lost_pages.h"
#include "base/status_macros.h"
#include "server/root/gather.h"

namespace cairn {
namespace {

constexpr char kAveragesByName[] = "dense_mean";

}  // namespace

bool TakesPlainTensors(const Aggregator& combine) { return combine.name() == kAveragesByName; }

absl::StatusOr<PeftConfig> ParseUpdateConfig(absl::string_view adapter_config, const Aggregator& combine) {
  CAIRN_ASSIGN_OR_RETURN(PeftConfig config, ParsePeftConfig(adapter_config));
  if (TakesPlainTensors(combine)) config.kind = AdapterKind::kAveraged;
  if (config.kind == AdapterKind::kLora) std::string().swap(config.json);  // Written anew when it is published.
  return config;
}

absl::StatusOr<MappedAdapter> MapAdapter(const std::filesystem::path& file, absl::string_view adapter_config,
                                         const Aggregator& combine) {
  CAIRN_ASSIGN_OR_RETURN(MappedFile mapped, MappedFile::Open(file));
  CAIRN_ASSIGN_OR_RETURN(const PeftConfig config, ParseUpdateConfig(adapter_config, combine));
  CAIRN_ASSIGN_OR_RETURN(Adapter adapter, ParseAdapter(mapped.bytes(), config));
  return MappedAdapter{std::move(mapped), std::move(adapter)};
}

absl::StatusOr<Rehearsal> Rehearsal::Begin(const std::string& combine) {
  Rehearsal rehearsal;
  CAIRN_ASSIGN_OR_RETURN(rehearsal.combine_, MakeAggregator(combine));
  return rehearsal;
}

absl::Status Rehearsal::Add(const std::string& client, std::uint64_t examples, std::shared_ptr<const Adapter> shape,
                            const std::string& frozen) {
  return shapes_.Add(client, *shape, [&](const Adapter& there) {
    return combine_->AccumulateShape({client, static_cast<double>(examples), &there, frozen});
  });
}

bool Rehearsal::goes_on() const { return combine_->kept().rank || combine_->kept().a; }

absl::Status Rehearsal::GoOnFrom(std::uint64_t version, const std::filesystem::path& file, absl::string_view config) {
  const LostPagesGuard lost_pages(LostPagesGuard::Readers::kOne);
  const absl::StatusOr<MappedAdapter> published = MapAdapter(file, config, *combine_);
  if (published.ok()) combine_->GoOnFrom(absl::StrCat("version ", version), published->adapter);
  CAIRN_RETURN_IF_ERROR(lost_pages.LostHere());
  return published.status();
}

absl::StatusOr<std::shared_ptr<const Adapter>> Rehearsal::Describe(absl::string_view header, std::uint64_t bytes,
                                                                   absl::string_view adapter_config) const {
  CAIRN_ASSIGN_OR_RETURN(const PeftConfig config, ParseUpdateConfig(adapter_config, *combine_));
  CAIRN_ASSIGN_OR_RETURN(const SafetensorsHeader parsed, ReadSafetensorsHeader(header, bytes));
  CAIRN_ASSIGN_OR_RETURN(Adapter shape, DescribeAdapter(parsed, config));
  return std::make_shared<const Adapter>(std::move(shape));
}

absl::StatusOr<Rehearsal::Part> Rehearsal::Read(absl::string_view bytes, absl::string_view adapter_config) const {
  CAIRN_ASSIGN_OR_RETURN(const PeftConfig config, ParseUpdateConfig(adapter_config, *combine_));
  CAIRN_ASSIGN_OR_RETURN(const Adapter update, ParseAdapter(bytes, config));
  CAIRN_ASSIGN_OR_RETURN(auto shape, Describe(bytes, bytes.size(), adapter_config));
  std::string frozen = combine_->HasFrozenParts(*shape) ? combine_->FrozenParts(update) : "";
  return Part{std::move(shape), std::move(frozen)};
}

absl::Status Rehearsal::Restore(Store& store, const ReceiptRow& receipt) {
  // Of one file, on this thread: it is tried again and again, and must not disturb what is published meanwhile.
  const LostPagesGuard lost_pages(LostPagesGuard::Readers::kOne);
  CAIRN_ASSIGN_OR_RETURN(auto blob, store.Find(receipt.federation, NameOf(receipt)));
  const absl::StatusOr<Part> part = Read(blob->bytes(), receipt.adapter_config);
  CAIRN_RETURN_IF_ERROR(lost_pages.LostHere());  // Before what was made of zeros, for which the client would be blamed.
  CAIRN_RETURN_IF_ERROR(part.status());
  blob->DropPages();
  return Add(receipt.client, receipt.examples, part->shape, part->frozen);
}

}  // namespace cairn
