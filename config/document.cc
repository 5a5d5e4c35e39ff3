// The only file that sees yaml-cpp, and the place where its exceptions end.
#include "config/document.h"

#include <yaml-cpp/eventhandler.h>
#include <yaml-cpp/exceptions.h>
#include <yaml-cpp/mark.h>
#include <yaml-cpp/parser.h>

#include <exception>
#include <sstream>

#include "absl/strings/str_cat.h"
#include "config/yaml.h"

namespace cairn {
namespace {

// Ends the parse from inside a callback; never leaves ParseYaml.
struct Refused : std::exception {
  Refused(const YAML::Mark& at, std::string why) : mark(at), what_text(std::move(why)) {}
  YAML::Mark mark;
  std::string what_text;
};

// Builds the tree from parser events. Events do not expand aliases, so that a small file cannot become a large tree.
class TreeBuilder final : public YAML::EventHandler {
 public:
  YamlNode Take() && { return std::move(root_); }

  void OnDocumentStart(const YAML::Mark& mark) override {
    if (++documents_ > 1) throw Refused(mark, "expected one document, here begins a second");
  }
  void OnDocumentEnd() override {}
  void OnAlias(const YAML::Mark& mark, YAML::anchor_t) override { throw Refused(mark, "aliases are not accepted"); }
  void OnNull(const YAML::Mark& mark, YAML::anchor_t anchor) override {
    Add(YamlNode::Kind::kNothing, mark, "", anchor);
  }

  void OnScalar(const YAML::Mark& mark, const std::string& tag, YAML::anchor_t anchor,
                const std::string& value) override {
    // yaml-cpp marks quoted scalars with the tag "!" and plain ones with "?".
    const bool quoted = tag == "!";
    YamlNode& node = Add(YamlNode::Kind::kScalar, mark, quoted ? "" : tag, anchor);
    node.quoted = quoted;
    node.scalar = value;
  }
  void OnSequenceStart(const YAML::Mark& mark, const std::string& tag, YAML::anchor_t anchor,
                       YAML::EmitterStyle::value) override {
    Open(YamlNode::Kind::kSequence, mark, tag, anchor);
  }
  void OnSequenceEnd() override { open_.pop_back(); }
  void OnMapStart(const YAML::Mark& mark, const std::string& tag, YAML::anchor_t anchor,
                  YAML::EmitterStyle::value) override {
    Open(YamlNode::Kind::kMapping, mark, tag, anchor);
  }
  void OnMapEnd() override { open_.pop_back(); }

 private:
  YamlNode& Add(YamlNode::Kind kind, const YAML::Mark& mark, const std::string& tag, YAML::anchor_t anchor) {
    if (anchor != YAML::NullAnchor) throw Refused(mark, "anchors are not accepted");
    if (!tag.empty() && tag != "?") throw Refused(mark, absl::StrCat("tags are not accepted, got \"", tag, "\""));
    YamlNode& node = open_.empty() ? root_ : open_.back()->items.emplace_back();
    node.kind = kind;
    node.line = mark.line + 1;
    node.column = mark.column + 1;
    return node;
  }

  void Open(YamlNode::Kind kind, const YAML::Mark& mark, const std::string& tag, YAML::anchor_t anchor) {
    if (open_.size() >= kYamlDepthMax)
      throw Refused(mark, absl::StrCat("nested deeper than ", kYamlDepthMax, " levels"));
    // Pointers into `items` stay valid: a parent gains no further child while one of its children is open.
    open_.push_back(&Add(kind, mark, tag, anchor));
  }

  int documents_ = 0;
  YamlNode root_;
  std::vector<YamlNode*> open_;
};

YamlNode ParseOrThrow(absl::string_view text) {
  std::istringstream stream{std::string(text)};
  YAML::Parser parser(stream);
  TreeBuilder builder;
  if (!parser.HandleNextDocument(builder)) return {};
  parser.HandleNextDocument(builder);  // Refuses a second one.
  return std::move(builder).Take();
}

}  // namespace

absl::Status YamlError(absl::string_view name, int line, int column, absl::string_view what) {
  return absl::InvalidArgumentError(absl::StrCat(name, ":", line, ":", column, ": ", what));
}

absl::StatusOr<YamlNode> ParseYaml(absl::string_view text, absl::string_view name) {
  if (text.size() > kYamlBytesMax) {
    return YamlError(name, 1, 1, absl::StrCat("expected at most ", kYamlBytesMax, " bytes, got ", text.size()));
  }
  try {
    return ParseOrThrow(text);
  } catch (const Refused& refused) {
    return YamlError(name, refused.mark.line + 1, refused.mark.column + 1, refused.what_text);
  } catch (const YAML::Exception& error) {
    return YamlError(name, error.mark.line + 1, error.mark.column + 1, absl::StrCat("bad YAML: ", error.msg));
  } catch (const std::exception& error) {
    return YamlError(name, 1, 1, absl::StrCat("bad YAML: ", error.what()));
  }
}

}  // namespace cairn
