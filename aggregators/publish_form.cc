#include "aggregators/publish_form.h"

#include <utility>
#include <vector>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "absl/strings/strip.h"
#include "base/ids.h"
#include "base/limits.h"
#include "base/status_macros.h"

namespace cairn {
namespace {

absl::Status Expected(absl::string_view what, absl::string_view got) {
  return absl::InvalidArgumentError(absl::StrCat("publish: expected ", what, ", got \"", got, "\""));
}

absl::StatusOr<RecipientRank> ParseRecipient(const std::vector<absl::string_view>& words) {
  RecipientRank recipient;
  const bool sizes = words.size() == 2 || words.size() == 3;
  if (!sizes || !absl::SimpleAtoi(words[1], &recipient.rank) || recipient.rank < 1 ||
      recipient.rank > limits::kRankMax) {
    return absl::InvalidArgumentError(
        absl::StrCat("expected `client rank [alpha]` with a rank from 1 to ", limits::kRankMax));
  }
  if (words.size() == 3 && !(absl::SimpleAtod(words[2], &recipient.alpha) && recipient.alpha > 0)) {
    return absl::InvalidArgumentError(absl::StrCat("expected an alpha above 0, got \"", words[2], "\""));
  }
  CAIRN_RETURN_IF_ERROR(CheckId("client id", std::string(words[0])));
  return recipient;
}

}  // namespace

absl::StatusOr<PublishForm> ParsePublishForm(absl::string_view text) {
  using Kind = PublishForm::Kind;
  if (text == "stack") return PublishForm{.kind = Kind::kStack};
  if (text == "merged") return PublishForm{.kind = Kind::kMerged};
  if (text == "widest") return PublishForm{.kind = Kind::kWidest};
  absl::string_view value = text;
  PublishForm form;
  if (absl::ConsumePrefix(&value, "rank=")) {
    form.kind = Kind::kRank;
    if (absl::SimpleAtoi(value, &form.rank) && form.rank >= 1 && form.rank <= limits::kRankMax) return form;
    return Expected(absl::StrCat("a rank from 1 to ", limits::kRankMax), text);
  }
  if (absl::ConsumePrefix(&value, "energy=")) {
    form.kind = Kind::kEnergy;
    if (absl::SimpleAtod(value, &form.energy) && form.energy > 0 && form.energy <= 1) return form;
    return Expected("an energy above 0 and at most 1", text);
  }
  if (absl::ConsumePrefix(&value, "ranks=") && !value.empty()) {
    return PublishForm{.kind = Kind::kRanks, .ranks_file = std::string(value)};
  }
  return Expected("stack, merged, rank=N, energy=E, ranks=FILE or widest", text);
}

std::string ToString(const PublishForm& form) {
  switch (form.kind) {
    case PublishForm::Kind::kStack:
      return "stack";
    case PublishForm::Kind::kMerged:
      return "merged";
    case PublishForm::Kind::kRank:
      return absl::StrCat("rank=", form.rank);
    case PublishForm::Kind::kEnergy:
      return absl::StrCat("energy=", form.energy);
    case PublishForm::Kind::kRanks:
      return absl::StrCat("ranks=", form.ranks_file.string());
    case PublishForm::Kind::kWidest:
      return "widest";
  }
  return "";
}

absl::StatusOr<std::map<std::string, RecipientRank>> ParseRanks(absl::string_view text) {
  std::map<std::string, RecipientRank> ranks;
  int line = 0;
  for (absl::string_view row : absl::StrSplit(text, '\n')) {
    ++line;
    row = row.substr(0, row.find('#'));
    const std::vector<absl::string_view> words = absl::StrSplit(row, absl::ByAnyChar(" \t\r"), absl::SkipEmpty());
    if (words.empty()) continue;
    const absl::StatusOr<RecipientRank> recipient = ParseRecipient(words);
    if (!recipient.ok()) {
      return absl::InvalidArgumentError(absl::StrCat("line ", line, ": ", recipient.status().message()));
    }
    if (!ranks.emplace(std::string(words[0]), *recipient).second) {
      return absl::InvalidArgumentError(absl::StrCat("line ", line, ": client ", words[0], " is there twice"));
    }
  }
  if (ranks.empty()) return absl::InvalidArgumentError("expected one `client rank [alpha]` a line, got none");
  return ranks;
}

}  // namespace cairn
