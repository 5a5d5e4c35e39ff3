#include "simulation/data/split.h"

#include <array>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/string_view.h"
#include "base/status_macros.h"
#include "simulation/data/shared_words.h"

namespace cairn {
namespace {

constexpr std::size_t kBlockBytes = 1500;
constexpr std::size_t kParagraphBytesMax = 1500;  // Text without blank lines is cut at line ends, or hard.

enum Part { kPretrain, kTrain, kHeldOut };
// Spread out, so that every part sees the beginning, the middle and the end of a document.
constexpr std::array<Part, 10> kPattern = {kTrain,    kTrain, kPretrain, kHeldOut, kTrain,
                                           kPretrain, kTrain, kPretrain, kTrain,   kHeldOut};

struct Paragraphs {
  std::string client;
  std::array<std::vector<absl::string_view>, 3> parts;
};

// Length of the paragraph at the start of `text`, with the blank line that ends it.
std::size_t ParagraphBytes(absl::string_view text) {
  const absl::string_view head = text.substr(0, kParagraphBytesMax);
  const std::size_t blank = head.find("\n\n");
  if (blank != absl::string_view::npos) return blank + 2;
  if (head.size() == text.size()) return text.size();
  const std::size_t line = head.rfind('\n');
  return line == absl::string_view::npos ? head.size() : line + 1;
}

// The pattern goes on from one document of a client to the next, so that small documents are not all of one part.
Paragraphs Divide(const ClientCorpus& corpus) {
  Paragraphs out{corpus.client, {}};
  std::size_t block = 0;
  for (const Document& document : corpus.documents) {
    absl::string_view rest = document.text;
    std::size_t filled = 0;
    while (!rest.empty()) {
      const std::size_t bytes = ParagraphBytes(rest);
      out.parts[kPattern[block % kPattern.size()]].push_back(rest.substr(0, bytes));
      rest.remove_prefix(bytes);
      filled += bytes;
      if (filled >= kBlockBytes) ++block, filled = 0;
    }
    if (filled > 0) ++block;
  }
  return out;
}

std::string Join(const std::vector<absl::string_view>& paragraphs, const SharedWords* held_out, std::size_t* dropped) {
  std::string out;
  for (absl::string_view paragraph : paragraphs) {
    if (held_out != nullptr && held_out->In(paragraph)) {
      *dropped += paragraph.size();
    } else {
      absl::StrAppend(&out, paragraph);
    }
  }
  return out;
}

absl::Status CheckSize(const ClientSplit& split, std::size_t part_bytes_min) {
  const std::pair<const char*, const std::string*> parts[] = {
      {"pre-training", &split.pretrain}, {"training", &split.train}, {"held-out", &split.held_out}};
  for (const auto& [name, text] : parts) {
    if (text->size() >= part_bytes_min) continue;
    return absl::InvalidArgumentError(absl::StrCat("client ", split.client, ": too little text: expected at least ",
                                                   part_bytes_min, " bytes for the ", name, " part, got ", text->size(),
                                                   "; give it longer documents (about 20 KB suffice)"));
  }
  return absl::OkStatus();
}

}  // namespace

absl::StatusOr<std::vector<ClientSplit>> Split(const std::vector<ClientCorpus>& corpora, std::size_t part_bytes_min) {
  std::vector<Paragraphs> divided;
  SharedWords held_out(kSharedWords);
  for (const ClientCorpus& corpus : corpora) {
    divided.push_back(Divide(corpus));
    for (absl::string_view paragraph : divided.back().parts[kHeldOut]) held_out.Add(paragraph);
  }
  std::vector<ClientSplit> out;
  for (const Paragraphs& client : divided) {
    ClientSplit split{client.client};
    split.pretrain = Join(client.parts[kPretrain], &held_out, &split.dropped_bytes);
    split.train = Join(client.parts[kTrain], &held_out, &split.dropped_bytes);
    split.held_out = Join(client.parts[kHeldOut], nullptr, nullptr);
    CAIRN_RETURN_IF_ERROR(CheckSize(split, part_bytes_min));
    out.push_back(std::move(split));
  }
  return out;
}

}  // namespace cairn
