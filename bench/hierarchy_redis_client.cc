#include "bench/hierarchy_redis_client.h"

#include <sys/socket.h>
#include <sys/un.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <utility>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "base/status_macros.h"
#include "bench/hierarchy_sockets.h"

namespace cairn::bench {
namespace {

constexpr std::size_t kLineBytesMax = 64;  // More is not read at a time: what follows may be a value.
constexpr std::size_t kSmallBytesMax = 4096;

absl::Status Unexpected(absl::string_view what) {
  return absl::UnavailableError(absl::StrCat("redis said \"", what, "\""));
}

absl::Status ExpectOk(const absl::StatusOr<std::string>& line, char kind) {
  CAIRN_RETURN_IF_ERROR(line.status());
  return !line->empty() && (*line)[0] == kind ? absl::OkStatus() : Unexpected(*line);
}

}  // namespace

absl::StatusOr<RedisClient> RedisClient::Connect(const std::filesystem::path& socket_path) {
  sockaddr_un address{.sun_family = AF_UNIX};
  const std::string path = socket_path;
  if (path.size() >= sizeof address.sun_path) return absl::InvalidArgumentError(absl::StrCat(path, " is too long"));
  std::memcpy(address.sun_path, path.data(), path.size());
  UniqueFd fd(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
  if (!fd || connect(fd.get(), reinterpret_cast<sockaddr*>(&address), sizeof address) != 0) {
    return ErrnoStatus(errno, "connect to", path);
  }
  return RedisClient(std::move(fd));
}

absl::Status RedisClient::Set(absl::string_view key, absl::string_view value) {
  CAIRN_RETURN_IF_ERROR(
      SendAll(fd_.get(), absl::StrCat("*3\r\n$3\r\nSET\r\n$", key.size(), "\r\n", key, "\r\n$", value.size(), "\r\n")));
  CAIRN_RETURN_IF_ERROR(SendAll(fd_.get(), value));
  CAIRN_RETURN_IF_ERROR(SendAll(fd_.get(), "\r\n"));
  return ExpectOk(Line(), '+');
}

absl::Status RedisClient::Get(absl::string_view key, absl::Span<char> value) {
  CAIRN_RETURN_IF_ERROR(Command({"GET", key}));
  CAIRN_ASSIGN_OR_RETURN(const std::size_t length, Length('$'));
  if (length != value.size()) return Unexpected(absl::StrCat("$", length));
  CAIRN_RETURN_IF_ERROR(ReadInto(value));
  return Line().status();
}

absl::Status RedisClient::Unlink(absl::string_view key) {
  CAIRN_RETURN_IF_ERROR(Command({"UNLINK", key}));
  return ExpectOk(Line(), ':');
}

absl::Status RedisClient::Append(absl::string_view stream, absl::string_view value) {
  CAIRN_RETURN_IF_ERROR(Command({"XADD", stream, "*", "key", value}));
  return Bulk().status();
}

absl::StatusOr<std::string> RedisClient::Next(absl::string_view stream, std::string& id) {
  CAIRN_RETURN_IF_ERROR(Command({"XREAD", "COUNT", "1", "BLOCK", "0", "STREAMS", stream, id}));
  // [[stream, [[id, [field, value]]]]]
  CAIRN_RETURN_IF_ERROR(Length('*').status());
  CAIRN_RETURN_IF_ERROR(Length('*').status());
  CAIRN_RETURN_IF_ERROR(Bulk().status());
  CAIRN_RETURN_IF_ERROR(Length('*').status());
  CAIRN_RETURN_IF_ERROR(Length('*').status());
  CAIRN_ASSIGN_OR_RETURN(id, Bulk());
  CAIRN_RETURN_IF_ERROR(Length('*').status());
  CAIRN_RETURN_IF_ERROR(Bulk().status());
  return Bulk();
}

absl::Status RedisClient::Command(absl::Span<const absl::string_view> words) {
  std::string text = absl::StrCat("*", words.size(), "\r\n");
  for (const absl::string_view word : words) absl::StrAppend(&text, "$", word.size(), "\r\n", word, "\r\n");
  return SendAll(fd_.get(), text);
}

absl::Status RedisClient::Fill() {
  char buffer[kLineBytesMax];
  const ssize_t count = recv(fd_.get(), buffer, sizeof buffer, 0);
  if (count <= 0) return Unexpected("");
  read_.append(buffer, static_cast<std::size_t>(count));
  return absl::OkStatus();
}

absl::StatusOr<std::string> RedisClient::Line() {
  while (read_.find("\r\n") == std::string::npos) CAIRN_RETURN_IF_ERROR(Fill());
  const std::size_t end = read_.find("\r\n");
  std::string line = read_.substr(0, end);
  read_.erase(0, end + 2);
  return line;
}

absl::StatusOr<std::size_t> RedisClient::Length(char kind) {
  CAIRN_ASSIGN_OR_RETURN(const std::string line, Line());
  std::size_t length = 0;
  if (line.empty() || line[0] != kind || !absl::SimpleAtoi(line.substr(1), &length)) return Unexpected(line);
  return length;
}

absl::StatusOr<std::string> RedisClient::Bulk() {
  CAIRN_ASSIGN_OR_RETURN(const std::size_t length, Length('$'));
  if (length > kSmallBytesMax) return Unexpected("more than a name");
  std::string text(length, '\0');
  CAIRN_RETURN_IF_ERROR(ReadInto(absl::MakeSpan(text)));
  CAIRN_RETURN_IF_ERROR(Line().status());
  return text;
}

absl::Status RedisClient::ReadInto(absl::Span<char> out) {
  const std::size_t there = std::min(read_.size(), out.size());
  std::memcpy(out.data(), read_.data(), there);
  read_.erase(0, there);
  return ReceiveAll(fd_.get(), out.subspan(there));
}

}  // namespace cairn::bench
