// As much of Redis' protocol (RESP 2) as moving large values takes, without a copy of them. For one thread.
#pragma once

#include <filesystem>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/types/span.h"
#include "base/files.h"

namespace cairn::bench {

// UNAVAILABLE: the server has gone, or says something else than it should.
class RedisClient {
 public:
  // To the server's Unix socket.
  static absl::StatusOr<RedisClient> Connect(const std::filesystem::path& socket);

  absl::Status Set(absl::string_view key, absl::string_view value);
  // A value that is as long as `value`.
  absl::Status Get(absl::string_view key, absl::Span<char> value);
  absl::Status Unlink(absl::string_view key);
  // An entry {key: `value`} at the end of a stream.
  absl::Status Append(absl::string_view stream, absl::string_view value);
  // The value of the first entry after `id`, which becomes its id. Waits for one.
  absl::StatusOr<std::string> Next(absl::string_view stream, std::string& id);

  int fd() const { return fd_.get(); }

 private:
  explicit RedisClient(UniqueFd fd) : fd_(std::move(fd)) {}
  absl::Status Command(absl::Span<const absl::string_view> words);
  absl::StatusOr<std::string> Line();
  absl::Status Fill();
  absl::StatusOr<std::size_t> Length(char kind);
  absl::StatusOr<std::string> Bulk();
  absl::Status ReadInto(absl::Span<char> out);

  UniqueFd fd_;
  std::string read_;  // What came and has not been looked at; never much, so that values are not copied.
};

}  // namespace cairn::bench
