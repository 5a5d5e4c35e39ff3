#include "tests/integration/federation_fixture.h"

#include <thread>
#include <utility>

#include "absl/strings/str_cat.h"
#include "tests/integration/remote.h"

namespace cairn::testing {

namespace reference = kernels::reference;

namespace {

double TotalExamples(const std::vector<Party>& parties) {
  double total = 0;
  for (const Party& party : parties) total += static_cast<double>(party.examples);
  return total;
}

}  // namespace

InMemoryUpdate UpdateOf(const std::vector<Party>& parties, std::size_t i, std::uint64_t round) {
  return MakeUpdate(100 * round + i, kModules, parties[i].rank, parties[i].alpha);
}

std::vector<reference::Update> References(const std::vector<Party>& parties, std::size_t module, std::uint64_t first,
                                          std::uint64_t last) {
  std::vector<reference::Update> out;
  for (std::uint64_t round = first; round <= last; ++round) {
    for (std::size_t i = 0; i < parties.size(); ++i) {
      const InMemoryUpdate update = UpdateOf(parties, i, round);
      const double weight = static_cast<double>(parties[i].examples) / TotalExamples(parties);
      out.push_back(ReferenceOf(update.adapter().modules[module], weight));
    }
  }
  return out;
}

void ExpectNear(const reference::Matrix& got, const reference::Matrix& expected) {
  EXPECT_LT(reference::MaxDifference(got, expected), 1e-5 * reference::MaxAbs(expected));
}

void FederationFixture::Serve(const std::string& federations) {
  server_ = std::make_unique<ServerProcess>(directory_.path(), "federations:\n" + federations);
  const absl::Status started = server_->Start();
  ASSERT_TRUE(started.ok()) << started;
}

void FederationFixture::JoinAll(const std::string& federation, const std::vector<Party>& parties) {
  for (const Party& party : parties) {
    auto client = Client::Join(FastOptions(server_->address(), federation, party.name), ShapeOf(kModules));
    ASSERT_TRUE(client.ok()) << client.status();
    clients_.push_back(*std::move(client));
  }
}

absl::Status FederationFixture::PushOne(Client& client, const UpdateBytes& update, std::uint64_t round,
                                        std::uint64_t examples) {
  const auto open = client.AwaitRound(absl::Seconds(20));
  if (!open.ok()) return open.status();
  if (open->number != round) return absl::InternalError(absl::StrCat("round ", open->number, " is open"));
  return client.PushBytes(*open, update.config_json, update.safetensors, examples).status();
}

void FederationFixture::RunRound(const std::vector<Party>& parties, std::uint64_t round) {
  std::vector<absl::Status> results(parties.size());
  std::vector<std::thread> threads;
  for (std::size_t i = 0; i < parties.size(); ++i) {
    threads.emplace_back([&, i] {
      results[i] = PushOne(*clients_[i], UpdateOf(parties, i, round).bytes(), round, parties[i].examples);
    });
  }
  for (std::thread& thread : threads) thread.join();
  for (const absl::Status& result : results) ASSERT_TRUE(result.ok()) << result;
}

void FederationFixture::ExpectFinished() {
  for (auto& client : clients_) {
    EXPECT_EQ(client->AwaitRound(absl::Seconds(20)).status().code(), absl::StatusCode::kOutOfRange);
  }
}

std::filesystem::path FederationFixture::Pull(std::uint64_t version, Form form) {
  const std::filesystem::path to = directory_ / "pulled";
  const auto pulled = clients_[0]->Pull(version, form, to);
  EXPECT_TRUE(pulled.ok()) << pulled.status();
  return to;
}

}  // namespace cairn::testing
