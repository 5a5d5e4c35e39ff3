// Divides each client's documents into three disjoint parts: one pre-trains the base, one trains the client's adapter,
// one is held out for measuring.
#pragma once

#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "simulation/data/corpus.h"

namespace cairn {

struct ClientSplit {
  std::string client;
  std::string pretrain, train, held_out;
  std::size_t dropped_bytes = 0;  // Of pretrain and train, because they repeat held-out text.
};

// Documents are cut into blocks of about 1.5 KB of whole paragraphs. Of every ten blocks, three are for pre-training,
// five for training and two are held out. Editions of one text repeat each other, so paragraphs of the first two parts
// that share a run of kSharedWords words with any client's held-out part are dropped. INVALID_ARGUMENT when a part of a
// client has fewer than `part_bytes_min` bytes left.
absl::StatusOr<std::vector<ClientSplit>> Split(const std::vector<ClientCorpus>& corpora, std::size_t part_bytes_min);

inline constexpr std::size_t kSharedWords = 13;  // As GPT-3's contamination check (arXiv 2005.14165, appendix C).

}  // namespace cairn
