#include "tests/faults/wrong_push.h"

#include <algorithm>
#include <cmath>
#include <fstream>
#include <limits>
#include <string>
#include <utility>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"
#include "base/digest.h"
#include "base/limits.h"
#include "tests/integration/remote.h"
#include "wire/frame.h"

namespace cairn::faults {
namespace {

namespace fs = std::filesystem;
using testing::RawPush;
using testing::UpdateBytes;

// An upload by hand.
struct Raw {
  std::unique_ptr<sdk::Connection> connection;
  UpdateBytes update;
  v1::PushHeader header;
};

Raw Begin(const Sender& sender, UpdateBytes update) {
  Raw raw{testing::Connect(sender.options), std::move(update), {}};
  raw.header = testing::HeaderFor(sender.options, sender.round, raw.update, ExamplesOf(sender.client, sender.round));
  return raw;
}

Raw Begin(const Sender& sender) { return Begin(sender, SmallUpdate(sender.federation, sender.client, sender.round)); }

// Whatever the server says, it is no receipt, unless of the real update.
absl::Status Refused(const Sender& sender, const Fault& fault, const absl::StatusOr<v1::Receipt>& answer) {
  if (!answer.ok()) return absl::OkStatus();
  const auto real = SmallUpdate(sender.federation, sender.client, sender.round);
  if (sender.sent_whole && answer->sha256() == Sha256Hex(real.safetensors)) return absl::OkStatus();
  return absl::InternalError(absl::StrCat(NameOf(fault.kind), ": it was acknowledged"));
}

absl::Status PushChanged(const Sender& sender, const Fault& fault, UpdateBytes update) {
  const Raw raw = Begin(sender, std::move(update));
  return Refused(sender, fault, testing::PushWhole(*raw.connection, raw.header, raw.update.safetensors));
}

// The last four bytes of a file are a number of its last tensor.
UpdateBytes WithLastValue(UpdateBytes update, float value) {
  update.safetensors.replace(update.safetensors.size() - sizeof(value), sizeof(value),
                             std::string(reinterpret_cast<const char*>(&value), sizeof(value)));
  return update;
}

absl::Status PushExamples(const Sender& sender, const Fault& fault, std::uint64_t examples) {
  Raw raw = Begin(sender);
  raw.header.set_examples(examples);
  return Refused(sender, fault, testing::PushWhole(*raw.connection, raw.header, raw.update.safetensors));
}

absl::string_view Front(const Raw& raw, std::uint64_t draw) {
  const absl::string_view bytes = raw.update.safetensors;
  return bytes.substr(0, 1 + draw % (bytes.size() - 1));
}

absl::Status Truncated(const Sender& sender, const Fault& fault) {
  const Raw raw = Begin(sender);
  RawPush push(*raw.connection);
  if (push.Header(raw.header) && push.Chunks(Front(raw, fault.draw)) && fault.draw % 2 == 0) {
    push.Trailer(raw.header.sha256());
  }
  return Refused(sender, fault, push.Finish());
}

// The second half first.
absl::Status Reordered(const Sender& sender, const Fault& fault) {
  const Raw raw = Begin(sender);
  const absl::string_view bytes = raw.update.safetensors;
  RawPush push(*raw.connection);
  if (push.Header(raw.header) && push.Chunks(bytes.substr(bytes.size() / 2)) &&
      push.Chunks(bytes.substr(0, bytes.size() / 2))) {
    push.Trailer(raw.header.sha256());
  }
  return Refused(sender, fault, push.Finish());
}

absl::Status Oversize(const Sender& sender, const Fault& fault) {
  const Raw raw = Begin(sender);
  RawPush push(*raw.connection);
  if (push.Header(raw.header) && push.Chunks(raw.update.safetensors + std::string(1 + fault.draw % 100'000, 'x'))) {
    push.Trailer(raw.header.sha256());
  }
  return Refused(sender, fault, push.Finish());
}

absl::Status BadChecksum(const Sender& sender, const Fault& fault) {
  const Raw raw = Begin(sender);
  const absl::string_view first = absl::string_view(raw.update.safetensors).substr(0, 1000);
  const auto crc = static_cast<std::uint32_t>(fault.draw);
  RawPush push(*raw.connection);
  if (push.Header(raw.header)) {
    push.Message(wire::EncodePrefix({wire::FrameKind::kChunk, crc, static_cast<std::uint32_t>(first.size())}) +
                 std::string(first));
  }
  return Refused(sender, fault, push.Finish());
}

absl::Status BrokenOff(const Sender& sender, const Fault& fault) {
  const Raw raw = Begin(sender);
  RawPush push(*raw.connection);
  if (push.Header(raw.header)) push.Chunks(Front(raw, fault.draw));
  return absl::OkStatus();
}

absl::Status LostAcknowledgement(const Sender& sender, const Fault& fault) {
  const Raw raw = Begin(sender);
  RawPush push(*raw.connection);
  if (push.Header(raw.header) && push.Chunks(raw.update.safetensors)) push.Trailer(raw.header.sha256());
  absl::SleepFor(absl::Milliseconds(fault.draw % 20));  // It may or may not have been taken by now.
  return absl::OkStatus();
}

// The part of this client's upload, if the server has kept one.
std::optional<fs::path> PartOf(const Sender& sender) {
  const std::string prefix =
      absl::StrCat(kSmallFederations[sender.federation].name, "~", sender.round, "~", SmallClient(sender.client), "~");
  std::error_code missing;
  for (fs::directory_iterator file(sender.data_dir / "uploads", missing), end; !missing && file != end;
       file.increment(missing)) {
    if (absl::StartsWith(file->path().filename().string(), prefix)) return file->path();
  }
  return std::nullopt;
}

// What a disk may do to a part while nobody looks. The upload goes on from it, or begins anew.
absl::Status DamagePart(const Sender& sender, const Fault& fault) {
  BrokenOff(sender, fault).IgnoreError();
  const auto part = PartOf(sender);
  std::error_code gone;
  const std::uintmax_t size = part ? fs::file_size(*part, gone) : 0;
  if (!part || gone || size == 0) return absl::OkStatus();
  const std::uintmax_t at = (fault.draw >> 20) % size;
  if (fault.kind == Kind::kTornPart) {
    fs::resize_file(*part, at, gone);
    return absl::OkStatus();
  }
  std::fstream file(*part, std::ios::in | std::ios::out | std::ios::binary);
  file.seekg(static_cast<std::streamoff>(at));
  const char flipped = static_cast<char>(file.get() ^ (1 << fault.draw % 8));
  file.seekp(static_cast<std::streamoff>(at));
  if (file) file.put(flipped);
  return absl::OkStatus();
}

}  // namespace

absl::Status DoBefore(const Sender& sender, const Fault& fault) {
  const auto update = [&] { return SmallUpdate(sender.federation, sender.client, sender.round); };
  switch (fault.kind) {
    case Kind::kBrokenOff:
      return BrokenOff(sender, fault);
    case Kind::kLostAcknowledgement:
      return LostAcknowledgement(sender, fault);
    case Kind::kTruncated:
      return Truncated(sender, fault);
    case Kind::kReordered:
      return Reordered(sender, fault);
    case Kind::kOversize:
      return Oversize(sender, fault);
    case Kind::kChecksum:
      return BadChecksum(sender, fault);
    case Kind::kNotANumber:
      return PushChanged(sender, fault, WithLastValue(update(), std::nanf("")));
    case Kind::kInfinity:
      return PushChanged(sender, fault, WithLastValue(update(), -std::numeric_limits<float>::infinity()));
    case Kind::kWrongShape:
      return PushChanged(sender, fault, UpdateOfOtherShape(sender.federation, sender.client, sender.round));
    case Kind::kNoExamples:
      return PushExamples(sender, fault, 0);
    case Kind::kTooManyExamples:
      return PushExamples(sender, fault, (std::uint64_t{1} << 53) + 1 + fault.draw % 1000);
    case Kind::kTornPart:
    case Kind::kBitFlip:
      return DamagePart(sender, fault);
    default:
      return absl::OkStatus();
  }
}

void BeSlow(const Sender& sender, const std::function<bool()>& over) {
  const Raw raw = Begin(sender);
  RawPush push(*raw.connection);
  push.Header(raw.header);
  while (!over()) absl::SleepFor(absl::Milliseconds(5));
}

}  // namespace cairn::faults
