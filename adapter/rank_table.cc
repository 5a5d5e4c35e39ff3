#include "adapter/rank_table.h"

#include <re2/re2.h>

#include <algorithm>
#include <cmath>
#include <map>
#include <optional>

#include "absl/strings/ascii.h"
#include "absl/strings/escaping.h"
#include "absl/strings/str_cat.h"
#include "base/limits.h"
#include "base/status_macros.h"

namespace cairn {
namespace {

constexpr absl::string_view kMetacharacters = "\\^$.|?*+()[]{}";
constexpr char kAnyCharacter = '\0';
constexpr std::int64_t kRegexMemoryBytes = 256 * limits::kKiB;

absl::Status PatternError(absl::string_view key, absl::string_view message) {
  return absl::InvalidArgumentError(
      absl::StrCat(kAdapterConfigFile, ": pattern \"", absl::CHexEscape(key.substr(0, 128)), "\": ", message));
}

// The path that `key` spells out, or nothing when it needs a regular expression.
std::optional<std::string> AsPath(absl::string_view key) {
  std::string path;
  for (std::size_t i = 0; i < key.size(); ++i) {
    const char c = key[i];
    if (c == '\\' && i + 1 < key.size() && absl::ascii_ispunct(key[i + 1])) {
      path += key[++i];
    } else if (c == '.') {
      path += kAnyCharacter;
    } else if (absl::ascii_isprint(c) && kMetacharacters.find(c) == kMetacharacters.npos) {
      path += c;
    } else {
      return std::nullopt;
    }
  }
  return path;
}

bool SamePath(absl::string_view path, absl::string_view text) {
  return std::equal(path.begin(), path.end(), text.begin(), text.end(),
                    [](char want, char got) { return want == got || want == kAnyCharacter; });
}

template <typename T>
absl::StatusOr<std::vector<std::pair<PatternKey, T>>> CompileAll(const std::vector<std::pair<std::string, T>>& patterns,
                                                                 std::size_t& regexes) {
  std::vector<std::pair<PatternKey, T>> compiled;
  compiled.reserve(patterns.size());
  for (const auto& [key, value] : patterns) {
    CAIRN_ASSIGN_OR_RETURN(PatternKey pattern, PatternKey::Compile(key));
    if (pattern.is_regex() && ++regexes > limits::kPatternRegexesMax) {
      return PatternError(key, absl::StrCat("expected at most ", limits::kPatternRegexesMax, " regular expressions"));
    }
    compiled.emplace_back(std::move(pattern), value);
  }
  return compiled;
}

template <typename T>
T FirstMatch(const std::vector<std::pair<PatternKey, T>>& patterns, absl::string_view module, T otherwise) {
  for (const auto& [pattern, value] : patterns) {
    if (pattern.Matches(module)) return value;
  }
  return otherwise;
}

}  // namespace

absl::StatusOr<PatternKey> PatternKey::Compile(absl::string_view key) {
  if (key.size() > limits::kPatternBytesMax) {
    return PatternError(key, absl::StrCat("expected at most ", limits::kPatternBytesMax, " bytes, got ", key.size()));
  }
  PatternKey pattern;
  pattern.anchored_ = !key.empty() && key.front() == '^';
  if (std::optional<std::string> path = AsPath(key.substr(pattern.anchored_ ? 1 : 0))) {
    pattern.path_ = *std::move(path);
    return pattern;
  }
  RE2::Options options;
  options.set_log_errors(false);
  options.set_max_mem(kRegexMemoryBytes);
  const re2::StringPiece piece(key.data(), key.size());
  if (const RE2 alone(piece, options); !alone.ok()) return PatternError(key, alone.error());
  auto regex = std::make_shared<const RE2>(absl::StrCat("(?:.*\\.)?(?:", key, ")"), options);
  if (!regex->ok()) return PatternError(key, regex->error());
  if (regex->ProgramSize() > limits::kPatternProgramMax) return PatternError(key, "too complex");
  pattern.regex_ = std::move(regex);
  return pattern;
}

bool PatternKey::Matches(absl::string_view module) const {
  if (regex_ != nullptr) return RE2::FullMatch(re2::StringPiece(module.data(), module.size()), *regex_);
  if (module.size() == path_.size()) return SamePath(path_, module);
  if (anchored_ || module.size() < path_.size()) return false;
  const std::size_t begin = module.size() - path_.size();
  return module[begin - 1] == '.' && SamePath(path_, module.substr(begin));
}

std::string ExactPattern(absl::string_view module) {
  std::string pattern = "^";
  for (char c : module) {
    if (kMetacharacters.find(c) != kMetacharacters.npos) pattern += '\\';
    pattern += c;
  }
  return pattern;
}

absl::StatusOr<RankTable> RankTable::Compile(const PeftConfig& config) {
  if (config.rank <= 0) {
    return absl::InvalidArgumentError(
        absl::StrCat(kAdapterConfigFile, ": r: expected a positive integer, got ", config.rank));
  }
  RankTable table;
  table.rank_ = config.rank;
  table.alpha_ = config.alpha;
  table.rslora_ = config.rslora;
  std::size_t regexes = 0;
  CAIRN_ASSIGN_OR_RETURN(table.ranks_, CompileAll(config.rank_pattern, regexes));
  CAIRN_ASSIGN_OR_RETURN(table.alphas_, CompileAll(config.alpha_pattern, regexes));
  for (const auto& [key, rank] : config.rank_pattern) {
    if (rank <= 0) return PatternError(key, absl::StrCat("expected a positive rank, got ", rank));
  }
  return table;
}

RankAndScale RankTable::Of(absl::string_view module) const {
  const std::int64_t rank = FirstMatch(ranks_, module, rank_);
  const double alpha = FirstMatch(alphas_, module, alpha_);
  const auto divisor = static_cast<double>(rank);
  return {rank, alpha / (rslora_ ? std::sqrt(divisor) : divisor)};
}

absl::StatusOr<RankAndScale> RankAndScaleOf(const PeftConfig& config, absl::string_view module) {
  CAIRN_ASSIGN_OR_RETURN(const RankTable table, RankTable::Compile(config));
  return table.Of(module);
}

PeftConfig UnitScaleConfig(const PeftConfig& like,
                           const std::vector<std::pair<std::string, std::int64_t>>& module_ranks) {
  std::map<std::int64_t, std::size_t> modules_of_rank;
  for (const auto& [module, rank] : module_ranks) {
    if (rank > 0) ++modules_of_rank[rank];
  }
  const auto commonest = std::max_element(modules_of_rank.begin(), modules_of_rank.end(),
                                          [](const auto& x, const auto& y) { return x.second < y.second; });
  PeftConfig config{.base_model = like.base_model,
                    .task_type = like.task_type,
                    .rank = commonest == modules_of_rank.end() ? 1 : commonest->first,
                    .fan_in_fan_out = like.fan_in_fan_out,
                    .bias = like.bias,
                    .lora_bias = like.lora_bias,
                    .modules_to_save = like.modules_to_save};
  config.alpha = static_cast<double>(config.rank);
  for (const auto& [module, rank] : module_ranks) {
    if (rank == 0) continue;
    config.target_modules.push_back(module);
    if (rank == config.rank) continue;
    config.rank_pattern.emplace_back(ExactPattern(module), rank);
    config.alpha_pattern.emplace_back(ExactPattern(module), static_cast<double>(rank));
  }
  return config;
}

}  // namespace cairn
