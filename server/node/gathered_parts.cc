#include "server/node/gathered_parts.h"

#include <algorithm>
#include <memory>
#include <utility>

#include "absl/strings/str_cat.h"
#include "aggregators/blame.h"
#include "aggregators/registry.h"
#include "base/parallel.h"
#include "base/progress.h"
#include "base/status_macros.h"
#include "server/node/part_file.h"
#include "server/node/update_list.h"
#include "server/root/gather.h"
#include "server/root/update.h"
#include "server/store/make_directories.h"

namespace cairn {
namespace {

namespace fs = std::filesystem;

constexpr int kReadsAtOnce = 8;
constexpr std::uint64_t kLengthBytes = 8;  // Before the header of a safetensors file: how long it is.

// What does not change from update to update.
struct Round {
  const std::map<std::string, std::string>& addresses;
  const Shard& own;
  const Aggregator& combine;
  Peers& peers;
  const fs::path& directory;
};

// Perhaps: what answers at its address may be another process. The root, which knows who is who, is to find out.
absl::Status LostThere(const ReceiptRow& receipt, const absl::Status& why) {
  return absl::AbortedError(WhatIsLost(receipt.node, receipt.client, why));
}

absl::Status ReadInto(PartFile& file, const ReceiptRow& receipt, absl::Span<const ByteRange> ranges,
                      const Round& round) {
  const auto found = round.addresses.find(receipt.node);
  const std::string address = found == round.addresses.end() ? "" : found->second;
  absl::Status written;
  const absl::Status read = round.peers.Read(receipt.node, address, KeyOf(receipt), ranges,
                                             [&](std::uint64_t offset, absl::string_view bytes) {
                                               written = file.Write(offset, bytes);
                                               WorkProgress::Made();
                                               return written;
                                             });
  CAIRN_RETURN_IF_ERROR(written);  // Whose NOT_FOUND would be that of a directory here.
  return absl::IsNotFound(read) || absl::IsDataLoss(read) ? LostThere(receipt, read) : read;
}

absl::Status ReadHeader(PartFile& file, const ReceiptRow& receipt, const Round& round) {
  if (receipt.bytes < kLengthBytes) return LostThere(receipt, absl::DataLossError("it is no safetensors file"));
  CAIRN_RETURN_IF_ERROR(ReadInto(file, receipt, {{0, kLengthBytes}}, round));
  const auto header = SafetensorsHeaderBytes(file.bytes().substr(0, kLengthBytes), receipt.bytes);
  if (!header.ok()) return LostThere(receipt, header.status());
  return ReadInto(file, receipt, {{kLengthBytes, *header - kLengthBytes}}, round);
}

absl::StatusOr<std::shared_ptr<const Blob>> ReadParts(const ReceiptRow& receipt, const Round& round) {
  const fs::path path = round.directory / (NameOf(receipt) + ".part");
  CAIRN_ASSIGN_OR_RETURN(const std::shared_ptr<PartFile> file, PartFile::Create(path, receipt.bytes));
  CAIRN_RETURN_IF_ERROR(ReadHeader(*file, receipt, round));
  CAIRN_ASSIGN_OR_RETURN(const PeftConfig config, ParseUpdateConfig(receipt.adapter_config, round.combine));
  const absl::StatusOr<Adapter> adapter = ParseAdapter(file->bytes(), config);
  if (!adapter.ok()) return LostThere(receipt, adapter.status());  // It was right when it was acknowledged.
  CAIRN_RETURN_IF_ERROR(ReadInto(*file, receipt, OwnRanges(round.own, *adapter, file->bytes()), round));
  file->Close();
  file->DropPages();
  return file;
}

absl::Status FindOwn(const std::string& self, Store& store, Contribution& contribution) {
  CAIRN_RETURN_IF_ERROR(FindPayload(self, store, contribution));
  const ReceiptRow& receipt = contribution.receipt;
  const std::size_t bytes = contribution.payload->bytes().size();
  if (bytes == receipt.bytes) return absl::OkStatus();
  contribution.payload = nullptr;
  const std::string sizes = absl::StrCat(bytes, " bytes instead of ", receipt.bytes);
  return LostUpdate(self, receipt.client, absl::DataLossError(sizes));
}

std::vector<ByteRange> Joined(std::vector<ByteRange> ranges) {
  std::sort(ranges.begin(), ranges.end(), [](const auto& x, const auto& y) { return x.offset < y.offset; });
  std::vector<ByteRange> joined;
  for (const ByteRange& range : ranges) {
    if (range.bytes == 0) continue;
    if (!joined.empty() && joined.back().offset + joined.back().bytes == range.offset) {
      joined.back().bytes += range.bytes;
    } else {
      joined.push_back(range);
    }
  }
  return joined;
}

}  // namespace

std::vector<ByteRange> OwnRanges(const Shard& own, const Adapter& adapter, absl::string_view update) {
  std::vector<ByteRange> ranges;
  const auto add = [&](const TensorView& view) {
    ranges.push_back({static_cast<std::uint64_t>(view.data.data() - update.data()), view.data.size()});
  };
  const Adapter part = OwnPart(own, adapter);
  for (const LoraModule& module : part.modules) {
    add(module.a);
    add(module.b);
    if (module.core) add(*module.core);
  }
  for (const DenseTensor& tensor : part.tensors) add(tensor.view);
  return Joined(std::move(ranges));
}

absl::Status GatherParts(PublishJob& job, const std::string& self, const std::map<std::string, std::string>& addresses,
                         const Shard& own, Peers& peers, Store& store, const fs::path& directory,
                         absl::FunctionRef<bool()> wanted) {
  CAIRN_ASSIGN_OR_RETURN(const auto combine, MakeAggregator(job.method.combine));
  CAIRN_RETURN_IF_ERROR(MakeDirectories(directory));
  const Round round{addresses, own, *combine, peers, directory};
  std::vector<Contribution*> missing;
  std::vector<absl::Status> own_found;
  for (Contribution& contribution : job.contributions) {
    if (contribution.payload != nullptr) continue;
    if (contribution.receipt.node == self) {
      own_found.push_back(FindOwn(self, store, contribution));
    } else {
      missing.push_back(&contribution);
    }
  }
  CAIRN_RETURN_IF_ERROR(BlameTogether(own_found));
  return ParallelFor(kReadsAtOnce, static_cast<std::int64_t>(missing.size()), [&](int, std::int64_t i) -> absl::Status {
    Contribution& contribution = *missing[static_cast<std::size_t>(i)];
    const ReceiptRow& receipt = contribution.receipt;
    if (!wanted()) return absl::AbortedError("nobody wants it any more");
    CAIRN_ASSIGN_OR_RETURN(contribution.payload, ReadParts(receipt, round));
    return absl::OkStatus();
  });
}

}  // namespace cairn
