// A text that does not change and that copies share: where there are thousands of owners of a few texts.
#pragma once

#include <memory>
#include <set>
#include <string>
#include <utility>

#include "absl/strings/string_view.h"

namespace cairn {

class SharedText {
 public:
  SharedText() : SharedText(std::string()) {}
  SharedText(std::string text)  // NOLINT(google-explicit-constructor): it is used as a text.
      : text_(std::make_shared<const std::string>(std::move(text))) {}
  SharedText(const char* text) : SharedText(std::string(text)) {}  // NOLINT(google-explicit-constructor)

  // No moves: one that was moved from would have none.
  SharedText(const SharedText&) = default;
  SharedText& operator=(const SharedText&) = default;

  const std::string& text() const { return *text_; }
  operator const std::string&() const { return *text_; }  // NOLINT(google-explicit-constructor)
  operator absl::string_view() const { return *text_; }   // NOLINT(google-explicit-constructor)

  friend bool operator==(const SharedText& x, const SharedText& y) { return x.text() == y.text(); }

 private:
  std::shared_ptr<const std::string> text_;  // Never null.
};

// Has each text once.
class SharedTexts {
 public:
  // The one that is there, or this one from now on.
  SharedText Of(const SharedText& text) { return *texts_.insert(text).first; }

 private:
  struct Less {
    bool operator()(const SharedText& x, const SharedText& y) const { return x.text() < y.text(); }
  };
  std::set<SharedText, Less> texts_;
};

}  // namespace cairn
