// Hears what the program logs, for tests.
#pragma once

#include <spdlog/details/null_mutex.h>
#include <spdlog/sinks/base_sink.h>
#include <spdlog/spdlog.h>

#include <functional>
#include <memory>
#include <utility>

#include "absl/strings/string_view.h"

namespace cairn::testing {

// As long as it lives, instead of what listened before. `hear` runs on the threads that log, several at a time.
class LogListener {
 public:
  using Hear = std::function<void(absl::string_view message)>;

  explicit LogListener(Hear hear) : before_(spdlog::default_logger()) {
    spdlog::set_default_logger(std::make_shared<spdlog::logger>("test", std::make_shared<Sink>(std::move(hear))));
  }
  ~LogListener() { spdlog::set_default_logger(before_); }
  LogListener(const LogListener&) = delete;
  LogListener& operator=(const LogListener&) = delete;

 private:
  class Sink final : public spdlog::sinks::base_sink<spdlog::details::null_mutex> {
   public:
    explicit Sink(Hear hear) : hear_(std::move(hear)) {}

   private:
    void sink_it_(const spdlog::details::log_msg& message) override {
      hear_({message.payload.data(), message.payload.size()});
    }
    void flush_() override {}

    const Hear hear_;
  };

  const std::shared_ptr<spdlog::logger> before_;
};

}  // namespace cairn::testing
