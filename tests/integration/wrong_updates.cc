#include "tests/integration/wrong_updates.h"

#include <cmath>
#include <limits>
#include <utility>

#include "absl/strings/str_replace.h"
#include "adapter/safetensors.h"
#include "base/digest.h"
#include "wire/frame.h"

namespace cairn::testing {
namespace {

using Code = absl::StatusCode;

// In B of the last module, which is the end of the file, or in A of the first.
UpdateBytes WithValue(float value, bool last) {
  return MakeUpdateBytes(1, kCaseModules, kRank, 2 * kRank, DType::kF32,
                         [=](const ModuleSpec& module, std::vector<float>& a, std::vector<float>& b) {
                           if (last && module.name == "block.up") b.back() = value;
                           if (!last && module.name == "block.down") a.front() = value;
                         });
}

UpdateBytes StateDict() {
  const std::vector<float> weights(64 * 64, 0.5f);
  const absl::string_view bytes(reinterpret_cast<const char*>(weights.data()), weights.size() * sizeof(float));
  UpdateBytes update = GoodUpdate(1);
  update.safetensors = *SerializeSafetensors({{"model.block.down.weight", DType::kF32, {64, 64}, bytes}});
  return update;
}

Attempt Sending(UpdateBytes update) { return {.update = std::move(update)}; }
Attempt WithHeader(std::function<void(v1::PushHeader&)> edit) { return {.edit_header = std::move(edit)}; }
Attempt Following(std::function<void(RawPush&, const v1::PushHeader&, const UpdateBytes&)> send) {
  return {.send = std::move(send)};
}

}  // namespace

UpdateBytes GoodUpdate(std::uint64_t seed) {
  return MakeUpdateBytes(seed, kCaseModules, kRank, 2 * kRank, DType::kF32);
}

UpdateBytes WithModules(const std::vector<ModuleSpec>& modules) {
  return MakeUpdateBytes(1, modules, kRank, 2 * kRank, DType::kF32);
}

UpdateBytes WithConfig(const std::string& from, const std::string& to) {
  UpdateBytes update = GoodUpdate(1);
  update.config_json = absl::StrReplaceAll(update.config_json, {{from, to}});
  return update;
}

std::string BrokenChunk(absl::string_view payload) {
  return wire::EncodePrefix({wire::FrameKind::kChunk, 12345, static_cast<std::uint32_t>(payload.size())}) +
         std::string(payload);
}

std::vector<Wrong> WrongAdapters() {
  return {
      {"ShapeOfA",
       [] {
         return Sending(WithModules({{"block.down", 4096, 3000}, kCaseModules[1]}));
       },
       Code::kInvalidArgument,
       "shape",
       {"block.down", "lora_A", "5000", "4096"}},
      {"ShapeOfB",
       [] {
         return Sending(WithModules({kCaseModules[0], {"block.up", 5000, 2999}}));
       },
       Code::kInvalidArgument,
       "shape",
       {"block.up", "lora_B", "3000", "2999"}},
      {"RankUnlikeItsConfig",
       [] { return Sending(WithConfig("\"r\": 18", "\"r\": 9")); },
       Code::kInvalidArgument,
       "shape",
       {"block.down", "lora_A", "expected [9, 5000]", "got [18, 5000]"}},
      {"UnknownModule",
       [] {
         return Sending(WithModules({kCaseModules[0], kCaseModules[1], {"block.zig", 8, 8}}));
       },
       Code::kInvalidArgument,
       "shape",
       {"block.zig"}},
      {"StateDict",
       [] { return Sending(StateDict()); },
       Code::kInvalidArgument,
       "shape",
       {"full state dict", "model.block.down.weight"}},
      {"NaN",
       [] { return Sending(WithValue(std::nanf(""), false)); },
       Code::kInvalidArgument,
       "non_finite",
       {"block.down.lora_A", "element 0", "expected finite"}},
      {"NaNAtTheEnd",
       [] { return Sending(WithValue(std::nanf(""), true)); },
       Code::kInvalidArgument,
       "non_finite",
       {"block.up.lora_B", "element 53999"}},
      {"InfinityAtTheEnd",
       [] { return Sending(WithValue(-std::numeric_limits<float>::infinity(), true)); },
       Code::kInvalidArgument,
       "non_finite",
       {"block.up.lora_B", "element 53999"}},
      {"ConfigIsNoJson",
       [] { return Sending(WithConfig("{\n", "{,\n")); },
       Code::kInvalidArgument,
       "format",
       {"adapter_config.json"}},
      {"DoRA",
       [] { return Sending(WithConfig("\"use_dora\": false", "\"use_dora\": true")); },
       Code::kInvalidArgument,
       "shape",
       {"combine stack", "use_dora", "dense_mean"}},
      {"LoHa",
       [] { return Sending(WithConfig("\"LORA\"", "\"LOHA\"")); },
       Code::kInvalidArgument,
       "shape",
       {"combine stack", "LOHA", "dense_mean"}},
      {"IA3",
       [] { return Sending(WithConfig("\"LORA\"", "\"IA3\"")); },
       Code::kInvalidArgument,
       "shape",
       {"combine stack", "IA3", "dense_mean"}},
      {"NotSafetensors",
       [] {
         UpdateBytes update = GoodUpdate(1);
         update.safetensors.assign(2000, 'x');
         return Sending(update);
       },
       Code::kInvalidArgument,
       "format",
       {"safetensors"}},
  };
}

std::vector<Wrong> WrongHeaders() {
  // A wrong header is counted before its federation is looked up: under none.
  return {
      {"ZeroWeight",
       [] { return WithHeader([](v1::PushHeader& h) { h.set_examples(0); }); },
       Code::kInvalidArgument,
       "weight",
       {"examples 0", "at least 1"},
       ""},
      // A sender that takes the field for a signed one writes -1 as ten bytes, all bits set.
      {"NegativeWeight",
       [] { return WithHeader([](v1::PushHeader& h) { h.set_examples(~0ULL); }); },
       Code::kInvalidArgument,
       "weight",
       {"18446744073709551615", "at most 9007199254740992"},
       ""},
      {"HugeWeight",
       [] { return WithHeader([](v1::PushHeader& h) { h.set_examples((1ULL << 53) + 1); }); },
       Code::kInvalidArgument,
       "weight",
       {"9007199254740993", "at most 9007199254740992"},
       ""},
      {"BeyondUploadMax",
       [] { return WithHeader([](v1::PushHeader& h) { h.set_payload_bytes(kUploadMax + 1); }); },
       Code::kInvalidArgument,
       "oversize",
       {"4194305", "4194304"},
       ""},
      {"RoundZero",
       [] { return WithHeader([](v1::PushHeader& h) { h.set_round(0); }); },
       Code::kInvalidArgument,
       "header",
       {"round 0"},
       ""},
      {"DigestIsNoDigest",
       [] { return WithHeader([](v1::PushHeader& h) { h.set_sha256("abc"); }); },
       Code::kInvalidArgument,
       "header",
       {"sha256"},
       ""},
      {"UnknownFederation",
       [] { return WithHeader([](v1::PushHeader& h) { h.set_federation("nope"); }); },
       Code::kNotFound,
       "unknown",
       {"\"nope\"", "\"f\""},
       ""},
      {"UnknownClient",
       [] { return WithHeader([](v1::PushHeader& h) { h.set_client("bad-stranger"); }); },
       Code::kNotFound,
       "unknown",
       {"bad-stranger", "Join"},
       ""},
      {"PastRound",
       [] { return WithHeader([](v1::PushHeader& h) { h.set_round(1); }); },
       Code::kFailedPrecondition,
       "closed",
       {"round 1 is closed", "at round 2"}},
      {"FutureRound",
       [] { return WithHeader([](v1::PushHeader& h) { h.set_round(7); }); },
       Code::kFailedPrecondition,
       "closed",
       {"round 7", "at round 2"}},
      {"OffsetThatIsNotHere",
       [] { return WithHeader([](v1::PushHeader& h) { h.set_offset(1000); }); },
       Code::kAborted,
       "resume",
       {"1000", "ResumePoint"}},
  };
}

std::vector<Wrong> WrongStreams() {
  return {
      {"Truncated",
       [] {
         return Following([](RawPush& push, const v1::PushHeader&, const UpdateBytes& update) {
           push.Chunks(absl::string_view(update.safetensors).substr(0, limits::kChunkBytes + 5));
         });
       },
       Code::kDataLoss,
       "truncated",
       {"1048581"}},
      {"TrailerTooEarly",
       [] {
         return Following([](RawPush& push, const v1::PushHeader& header, const UpdateBytes& update) {
           push.Chunks(absl::string_view(update.safetensors).substr(0, 100));
           push.Trailer(header.sha256());
         });
       },
       Code::kDataLoss,
       "truncated",
       {"100"}},
      {"MoreThanAnnounced",
       [] {
         return Following([](RawPush& push, const v1::PushHeader& header, const UpdateBytes& update) {
           push.Chunks(update.safetensors + "x");
           push.Trailer(header.sha256());
         });
       },
       Code::kInvalidArgument,
       "oversize",
       {"announced"}},
      {"ChunkChecksum",
       [] {
         return Following([](RawPush& push, const v1::PushHeader&, const UpdateBytes& update) {
           push.Message(BrokenChunk(absl::string_view(update.safetensors).substr(0, 1000)));
         });
       },
       Code::kDataLoss,
       "checksum",
       {"crc32c", "3039"}},
      {"DigestOfTheTrailer",
       [] {
         return Following([](RawPush& push, const v1::PushHeader&, const UpdateBytes& update) {
           push.Chunks(update.safetensors);
           push.Trailer(std::string(64, '0'));
         });
       },
       Code::kDataLoss,
       "digest",
       {Sha256Hex(GoodUpdate(1).safetensors), std::string(64, '0')}},
      {"GarbageFrame",
       [] {
         return Following(
             [](RawPush& push, const v1::PushHeader&, const UpdateBytes&) { push.Message("this is no frame at all"); });
       },
       Code::kInvalidArgument,
       "format",
       {"magic"}},
      {"ShortFrame",
       [] { return Following([](RawPush& push, const v1::PushHeader&, const UpdateBytes&) { push.Message("CRNF"); }); },
       Code::kInvalidArgument,
       "format",
       {"16"}},
      {"SecondHeader",
       [] {
         return Following([](RawPush& push, const v1::PushHeader& header, const UpdateBytes&) { push.Header(header); });
       },
       Code::kInvalidArgument,
       "format",
       {"second header"}},
  };
}

}  // namespace cairn::testing
