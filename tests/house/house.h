// The rules of the house (docs/architecture.md) as functions from the text of a source tree to complaints.
#pragma once

#include <filesystem>
#include <map>
#include <string>
#include <vector>

namespace cairn::house {

// Text by path relative to the root, with forward slashes.
using Tree = std::map<std::string, std::string>;
using Complaints = std::vector<std::string>;

// Every source, CMake, proto and Markdown file below `root`, without build/, out/ and hidden folders (.ci excepted).
Tree LoadTree(const std::filesystem::path& root);

// Includes between folders, and of third-party headers that belong to one file or folder.
Complaints CheckArrows(const Tree& tree);

// .cc files that no CMake file builds, headers that nobody includes, .proto files that nobody generates from, pages in
// docs/ that nothing links to, links and mentions of files that are not there.
Complaints CheckDeadFiles(const Tree& tree);

// Headers without #pragma once, and files of more than 400 lines.
Complaints CheckShape(const Tree& tree);

// One #include of a file.
struct Include {
  std::string path;     // Between the quotes or angle brackets.
  bool angled = false;  // <...>
};
std::vector<Include> IncludesOf(const std::string& text);

}  // namespace cairn::house
