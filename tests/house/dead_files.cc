#include <algorithm>
#include <filesystem>
#include <regex>
#include <set>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/strip.h"
#include "tests/house/house.h"

namespace cairn::house {
namespace {

namespace fs = std::filesystem;

bool IsNameCharacter(char c) {
  return std::isalnum(static_cast<unsigned char>(c)) || absl::StrContains("_-./", std::string(1, c));
}

// True when `name` stands in `text` as a word of its own: "a_test.cc" is not in "data_test.cc".
bool HasWord(const std::string& text, const std::string& name) {
  for (auto at = text.find(name); at != std::string::npos; at = text.find(name, at + 1)) {
    const bool starts = at == 0 || !IsNameCharacter(text[at - 1]);
    const auto end = at + name.size();
    if (starts && (end == text.size() || !IsNameCharacter(text[end]))) return true;
  }
  return false;
}

bool IsCMake(const fs::path& path) { return path.filename() == "CMakeLists.txt" || path.extension() == ".cmake"; }

// True when a CMake file of the folder, or of one above it, names the file by its path from there.
bool IsBuilt(const Tree& tree, const std::string& path) {
  for (const auto& [cmake, text] : tree) {
    if (!IsCMake(cmake)) continue;
    const std::string folder = fs::path(cmake).parent_path().generic_string();
    const std::string prefix = folder.empty() ? "" : folder + "/";
    if (absl::StartsWith(path, prefix) && HasWord(text, path.substr(prefix.size()))) return true;
  }
  return false;
}

void CheckSources(const Tree& tree, Complaints* complaints) {
  std::set<std::string> included;
  for (const auto& [path, text] : tree) {
    for (const Include& include : IncludesOf(text)) {
      if (include.path != path) included.insert(include.path);
    }
  }
  for (const auto& [path, text] : tree) {
    const std::string extension = fs::path(path).extension();
    if (extension == ".h" && included.count(path) == 0)
      complaints->push_back(absl::StrCat(path, ": nobody includes it"));
    if ((extension == ".cc" || extension == ".proto") && !IsBuilt(tree, path)) {
      complaints->push_back(absl::StrCat(path, ": in no CMakeLists.txt"));
    }
  }
}

// Relative link targets of a Markdown page, as paths from the root.
std::set<std::string> LinksOf(const std::string& page, const std::string& text) {
  static const std::regex kLink(R"(\]\(([^)#\s]+)[^)]*\))");
  std::set<std::string> links;
  for (std::sregex_iterator it(text.begin(), text.end(), kLink), end; it != end; ++it) {
    const std::string target = (*it)[1];
    if (absl::StrContains(target, "://")) continue;
    links.insert((fs::path(page).parent_path() / target).lexically_normal().generic_string());
  }
  return links;
}

void CheckPages(const Tree& tree, Complaints* complaints) {
  std::set<std::string> linked;
  for (const auto& [path, text] : tree) {
    if (fs::path(path).extension() != ".md") continue;
    for (const std::string& link : LinksOf(path, text)) {
      if (absl::EndsWith(link, ".md") && tree.count(link) == 0) {
        complaints->push_back(absl::StrCat(path, ": links to ", link, ", which is not there"));
      }
      if (link != path) linked.insert(link);
    }
  }
  for (const auto& [path, text] : tree) {
    const bool page = absl::StartsWith(path, "docs/") && absl::EndsWith(path, ".md");
    if (page && linked.count(path) == 0) complaints->push_back(absl::StrCat(path, ": no page links to it"));
  }
}

// Comments that send the reader to a page.
void CheckMentions(const Tree& tree, Complaints* complaints) {
  static const std::regex kMention(R"(\bdocs/[A-Za-z0-9_./-]+\.md)");
  for (const auto& [path, text] : tree) {
    if (absl::StartsWith(path, "tests/house/")) continue;  // Its fake trees mention what is not there.
    for (std::sregex_iterator it(text.begin(), text.end(), kMention), end; it != end; ++it) {
      if (tree.count(it->str()) == 0)
        complaints->push_back(absl::StrCat(path, ": mentions ", it->str(), ", which is not there"));
    }
  }
}

}  // namespace

Complaints CheckDeadFiles(const Tree& tree) {
  Complaints complaints;
  CheckSources(tree, &complaints);
  CheckPages(tree, &complaints);
  CheckMentions(tree, &complaints);
  return complaints;
}

Complaints CheckShape(const Tree& tree) {
  constexpr auto kLinesMax = 400;
  Complaints complaints;
  for (const auto& [path, text] : tree) {
    const auto lines = std::count(text.begin(), text.end(), '\n');
    const bool header = absl::EndsWith(path, ".h");
    if (header && !absl::StrContains(text, "#pragma once\n"))
      complaints.push_back(absl::StrCat(path, ": no #pragma once"));
    if (lines > kLinesMax)
      complaints.push_back(absl::StrCat(path, ": ", lines, " lines, expected at most ", kLinesMax));
  }
  return complaints;
}

}  // namespace cairn::house
