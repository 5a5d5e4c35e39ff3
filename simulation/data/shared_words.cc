#include "simulation/data/shared_words.h"

#include <algorithm>

#include "absl/strings/ascii.h"

namespace cairn {
namespace {

// FNV-1a: a stable hash, so that a split is the same in every process.
constexpr std::uint64_t kOffset = 0xcbf29ce484222325, kPrime = 0x100000001b3;

std::vector<std::uint64_t> WordHashes(absl::string_view text) {
  std::vector<std::uint64_t> words;
  bool inside = false;
  for (const char c : text) {
    const auto byte = static_cast<unsigned char>(c);
    const bool letter = absl::ascii_isalnum(byte) || byte >= 0x80;  // Every byte of a UTF-8 letter counts as one.
    if (letter && !inside) words.push_back(kOffset);
    if (letter) words.back() = (words.back() ^ static_cast<unsigned char>(absl::ascii_tolower(byte))) * kPrime;
    inside = letter;
  }
  return words;
}

}  // namespace

std::vector<std::uint64_t> SharedWords::Runs(absl::string_view text) const {
  const std::vector<std::uint64_t> words = WordHashes(text);
  std::vector<std::uint64_t> runs;
  for (std::size_t i = 0; i + run_words_ <= words.size(); ++i) {
    std::uint64_t run = kOffset;
    for (std::size_t k = 0; k < run_words_; ++k) run = (run ^ words[i + k]) * kPrime;
    runs.push_back(run);
  }
  return runs;
}

void SharedWords::Add(absl::string_view text) {
  for (const std::uint64_t run : Runs(text)) runs_.insert(run);
}

bool SharedWords::In(absl::string_view text) const {
  const std::vector<std::uint64_t> runs = Runs(text);
  return std::any_of(runs.begin(), runs.end(), [this](std::uint64_t run) { return runs_.contains(run); });
}

}  // namespace cairn
