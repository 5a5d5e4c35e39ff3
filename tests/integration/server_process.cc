#include "tests/integration/server_process.h"

#include <arpa/inet.h>
#include <gtest/gtest.h>
#include <signal.h>
#include <sys/socket.h>

#include <cstdio>
#include <cstdlib>
#include <random>
#include <utility>

#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"
#include "base/files.h"
#include "base/limits.h"
#include "base/status_macros.h"

namespace cairn::testing {
namespace {

namespace fs = std::filesystem;

constexpr absl::Duration kStartTimeout = absl::Seconds(30);  // Sanitizers are slow.
constexpr absl::Duration kStopTimeout = absl::Seconds(20);
constexpr int kFirstPort = 12'000, kLastPort = 31'999;

bool IsFree(std::uint16_t port) {
  const UniqueFd fd(socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_port = htons(port);
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  return bind(fd.get(), reinterpret_cast<sockaddr*>(&address), sizeof(address)) == 0;
}

}  // namespace

std::string BuiltProgram(const std::string& name) {
  return (fs::read_symlink("/proc/self/exe").parent_path() / name).string();
}

std::uint16_t FreePort() {
  std::random_device random;
  while (true) {
    const auto port = static_cast<std::uint16_t>(kFirstPort + random() % (kLastPort - kFirstPort + 1));
    if (IsFree(port)) return port;
  }
}

ServerProcess::ServerProcess(fs::path directory, std::string config, std::vector<std::string> command,
                             const std::string& host)
    : directory_(std::move(directory)),
      config_(std::move(config)),
      address_(absl::StrCat(host, ":", FreePort())),
      command_(std::move(command)) {
  std::error_code error;
  fs::create_directories(directory_, error);
  const std::string text = absl::StrCat(
      "listen: ", address_, "\nmetrics_listen: 127.0.0.1:0\ndata_dir: ", data_dir().string(), "\n", config_);
  if (!WriteFileAtomically(config_path(), text).ok()) std::abort();
}

ServerProcess::~ServerProcess() {
  Kill();
  if (::testing::Test::HasFailure()) std::fprintf(stderr, "--- the server's log:\n%s---\n", Log().c_str());
}

absl::Status ServerProcess::Launch() {
  std::error_code ignored;
  fs::remove(data_dir() / "endpoint", ignored);  // Of a server that was killed.
  std::vector<std::string> words;
  if (!environment_.empty()) words.push_back("/usr/bin/env");  // Which becomes the server: the process is the same.
  words.insert(words.end(), environment_.begin(), environment_.end());
  words.push_back(BuiltProgram("cairn"));
  words.insert(words.end(), command_.begin(), command_.end());
  words.insert(words.end(), {"--config", config_path().string()});
  words.insert(words.end(), arguments_.begin(), arguments_.end());
  CAIRN_ASSIGN_OR_RETURN(Child child, Child::Spawn(std::move(words), directory_ / "server.log"));
  child_.emplace(std::move(child));
  return absl::OkStatus();
}

absl::Status ServerProcess::Start() {
  CAIRN_RETURN_IF_ERROR(Launch());
  return AwaitReady();
}

absl::Status ServerProcess::AwaitReady() {
  const absl::Time end = absl::Now() + kStartTimeout;
  while (!fs::exists(data_dir() / "endpoint")) {
    if (child_->ExitCode()) {
      return absl::InternalError(absl::StrCat("the server ended with ", *child_->ExitCode(), ":\n", Log()));
    }
    if (absl::Now() > end) return absl::DeadlineExceededError(absl::StrCat("the server is not ready:\n", Log()));
    absl::SleepFor(absl::Milliseconds(2));
  }
  CAIRN_ASSIGN_OR_RETURN(std::string metrics, ReadFile(data_dir() / "metrics_endpoint", limits::kKiB));
  metrics_address_ = std::string(absl::StripAsciiWhitespace(metrics));
  return absl::OkStatus();
}

absl::StatusOr<int> ServerProcess::Terminate() {
  child_->Send(SIGTERM);
  return child_->Wait(kStopTimeout);
}

absl::Status ServerProcess::Restart() {
  Kill();
  return Start();
}

fs::path ServerProcess::latest(const std::string& federation) const {
  return data_dir() / "published" / federation / "latest";
}

std::string ServerProcess::Log() const { return ReadFile(directory_ / "server.log", limits::kGiB).value_or(""); }

}  // namespace cairn::testing
