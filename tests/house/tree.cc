#include <fstream>
#include <iterator>
#include <set>
#include <sstream>

#include "absl/strings/match.h"
#include "absl/strings/string_view.h"
#include "tests/house/house.h"

namespace cairn::house {
namespace {

namespace fs = std::filesystem;

bool IsSkipped(const fs::path& folder) {
  const std::string name = folder.filename();
  return name == "build" || name == "out" || (absl::StartsWith(name, ".") && name != ".ci");
}

bool IsRead(const fs::path& path) {
  static const std::set<std::string> kExtensions = {".cc", ".h", ".cmake", ".proto", ".md", ".txt"};
  return kExtensions.count(path.extension()) != 0;
}

std::string ReadText(const fs::path& path) {
  std::ifstream in(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(in), {}};
}

}  // namespace

Tree LoadTree(const fs::path& root) {
  Tree tree;
  for (auto it = fs::recursive_directory_iterator(root); it != fs::recursive_directory_iterator(); ++it) {
    if (it->is_directory() && IsSkipped(it->path())) {
      it.disable_recursion_pending();
    } else if (it->is_regular_file() && IsRead(it->path())) {
      tree[fs::relative(it->path(), root).generic_string()] = ReadText(it->path());
    }
  }
  return tree;
}

std::vector<Include> IncludesOf(const std::string& text) {
  std::vector<Include> includes;
  std::istringstream lines(text);
  for (std::string line; std::getline(lines, line);) {
    if (!absl::StartsWith(line, "#include ")) continue;
    const auto open = line.find_first_of("<\"");
    const auto close = open == std::string::npos ? open : line.find_first_of(">\"", open + 1);
    if (close != std::string::npos) includes.push_back({line.substr(open + 1, close - open - 1), line[open] == '<'});
  }
  return includes;
}

}  // namespace cairn::house
