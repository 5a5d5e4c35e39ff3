#include "tests/integration/nodes_fixture.h"

#include <thread>
#include <utility>
#include <vector>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"
#include "adapter/directory.h"
#include "base/files.h"
#include "base/limits.h"
#include "tests/integration/remote.h"
#include "tests/integration/worker_pids.h"

namespace cairn::testing {

namespace fs = std::filesystem;

void NodesFixture::StartNodes(const std::string& federation, const std::string& n1, const std::string& n2) {
  federation_ = federation;
  const std::string node_listen = absl::StrCat("127.0.0.1:", FreePort());
  root_ = std::make_unique<ServerProcess>(directory_ / "root",
                                          absl::StrCat("node_listen: ", node_listen, "\nfederations:\n", federation),
                                          std::vector<std::string>{"serve", "--role", "root"});
  n1_ = Gateway("n1", "127.0.0.1", node_listen, n1);
  n2_ = Gateway("n2", "127.0.0.2", node_listen, n2);
  for (ServerProcess* process : {root_.get(), n1_.get(), n2_.get()}) {
    const absl::Status started = process->Start();
    ASSERT_TRUE(started.ok()) << started;
  }
}

void NodesFixture::ServeNodes(const std::string& federation, const std::string& n1, const std::string& n2) {
  ASSERT_NO_FATAL_FAILURE(StartNodes(federation, n1, n2));
  for (std::size_t i = 0; i < parties_->size(); ++i) {
    ASSERT_TRUE(Join((*parties_)[i].name, i % 2 == 1 ? *n2_ : *n1_).ok());
  }
}

std::unique_ptr<ServerProcess> NodesFixture::Gateway(const std::string& name, const std::string& host,
                                                     const std::string& root, const std::string& more) {
  const std::string config = absl::StrCat("root: ", root, "\nnode: ", name, "\n", more);
  return std::make_unique<ServerProcess>(directory_ / name, config, std::vector<std::string>{"gateway"}, host);
}

absl::Status NodesFixture::Join(const std::string& name, const ServerProcess& gateway, const std::string& zone) {
  ClientOptions options = FastOptions(gateway.address(), "f", name);
  options.zone = zone;
  options.follow_placement = !zone.empty();
  auto client = Client::Join(options, ShapeOf(kModules));
  if (client.ok()) of_[name] = *std::move(client);
  return client.status();
}

absl::Status NodesFixture::Push(const std::string& name, std::uint64_t round) {
  for (std::size_t i = 0; i < parties_->size(); ++i) {
    if ((*parties_)[i].name != name) continue;
    return PushOne(*of_[name], UpdateOf(*parties_, i, round).bytes(), round, (*parties_)[i].examples);
  }
  return absl::NotFoundError(name);
}

absl::StatusOr<v1::RoundInfo> NodesFixture::Await(const std::function<bool(const v1::RoundInfo&)>& done) {
  return AwaitStatus(n1_->address(), "f", done);
}

void NodesFixture::AwaitAttended(const ServerProcess& gateway) {
  EXPECT_TRUE(Eventually([&] {
    return absl::StrContains(HttpGet(gateway.metrics_address(), "/readyz").value_or(""), "200");
  })) << gateway.Log();
}

void NodesFixture::AwaitRootAtNodes() {
  EXPECT_TRUE(Eventually([this] { return Await([](const v1::RoundInfo&) { return true; }).ok(); }));
}

std::string NodesFixture::AwaitReadiness(const ServerProcess& gateway, const std::string& text) {
  const absl::Time end = absl::Now() + absl::Seconds(20);
  while (true) {
    const std::string answer = HttpGet(gateway.metrics_address(), "/readyz").value_or("");
    if (absl::StrContains(answer, text) || absl::Now() > end) return answer;
    absl::SleepFor(absl::Milliseconds(5));
  }
}

absl::StatusOr<v1::RoundInfo> NodesFixture::AwaitVersion(std::uint64_t version) {
  return Await([version](const v1::RoundInfo& info) { return info.version() >= version; });
}

std::string NodesFixture::BytesOfOneServer(std::uint64_t rounds) {
  server_ = std::make_unique<ServerProcess>(directory_ / "single", "federations:\n" + federation_);
  EXPECT_TRUE(server_->Start().ok());
  JoinAll("f", *parties_);
  for (std::uint64_t round = 1; round <= rounds; ++round) RunRound(*parties_, round);
  EXPECT_TRUE(
      AwaitStatus(server_->address(), "f", [&](const v1::RoundInfo& info) { return info.version() >= rounds; }).ok());
  return BytesOf(server_->latest("f"));
}

std::string NodesFixture::BytesOf(const fs::path& directory) {
  const auto bytes = ReadFile(directory / kAdapterModelFile, limits::kGiB);
  EXPECT_TRUE(bytes.ok()) << bytes.status();
  return bytes.value_or("");
}

std::ptrdiff_t NodesFixture::Objects(const ServerProcess& process) {
  std::error_code error;
  return std::distance(fs::directory_iterator(process.data_dir() / "objects" / "f", error), {});
}

void NodesFixture::AwaitNoObjects(const ServerProcess& process) {
  while (Objects(process) != 0) std::this_thread::yield();  // The test's time-out bounds it.
}

double NodesFixture::Brought(const std::string& kind) const {
  return MetricValue(root_->metrics_address(),
                     absl::StrCat("cairn_node_bytes_total{federation=\"f\",kind=\"", kind, "\"}"));
}

}  // namespace cairn::testing
