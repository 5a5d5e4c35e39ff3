// Who may read updates at a node, and where.
#include "server/node/peers.h"

#include <gtest/gtest.h>

#include <memory>
#include <string>

#include "absl/strings/strip.h"
#include "base/digest.h"
#include "base/files.h"
#include "base/limits.h"
#include "server/node/peer_testing.h"
#include "tests/integration/certificates.h"
#include "tests/integration/nodes_fixture.h"

namespace cairn::testing {
namespace {

// The whole update, or an error.
absl::StatusOr<std::string> ReadAll(Peers& peers, const std::string& node, const std::string& address,
                                    const UploadKey& key) {
  std::string bytes;
  const absl::Status read =
      peers.Read(node, address, key, {{0, key.bytes}}, [&](std::uint64_t, absl::string_view part) {
        bytes.append(part.data(), part.size());
        return absl::OkStatus();
      });
  if (!read.ok()) return read;
  return bytes;
}

class PeersTest : public NodesFixture {};

TEST_F(PeersTest, AGatewayServesWhatLiesThereAndTheRootToo) {
  ServeNodes("  - {name: f, combine: stack, rounds: 1, clients: {min: 3}}\n", "peer_listen: 127.0.0.1:0\n");
  ASSERT_TRUE(Push("ada").ok());
  const auto endpoint = [](const ServerProcess& process, const std::string& name) {
    return std::string(absl::StripSuffix(ReadFile(process.data_dir() / name, limits::kKiB).value_or("none"), "\n"));
  };
  const std::string bytes = UpdateOf(kMixed, 0, 1).bytes().safetensors;
  const UploadKey key{"f", 1, "ada", Sha256Hex(bytes), bytes.size()};
  RootConnection root(endpoint(*root_, "node_endpoint"), grpc::InsecureChannelCredentials());
  Peers peers("n2", grpc::InsecureChannelCredentials(), &root);
  const std::string address = endpoint(*n1_, "peer_endpoint");
  EXPECT_NE(address, n1_->address());
  const auto read = ReadAll(peers, "n1", address, key);
  ASSERT_TRUE(read.ok()) << read.status();
  EXPECT_TRUE(*read == bytes);
  EXPECT_EQ(ReadAll(peers, "", "", key).status().code(), absl::StatusCode::kNotFound);
  EXPECT_EQ(ReadAll(peers, "n1", n1_->address(), key).status().code(), absl::StatusCode::kUnimplemented)
      << "clients are not served it";
  EXPECT_EQ(endpoint(*n2_, "peer_endpoint"), "") << "not asked for";
}

// A node, and another one that reads.
class PeerTlsTest : public ::testing::Test {
 protected:
  absl::Status Read(const Authority& ca, const Identity& identity, const std::string& self, const std::string& node) {
    Peers peers(self, *MakeRootCredentials({ca.certificate(), identity.certificate, identity.key}), nullptr);
    return ReadAll(peers, node, peer_->address(), key_).status();
  }
  void Serve(const Identity& identity) {
    peer_ = std::make_unique<TestPeer>(TlsFiles{identity.certificate, identity.key, nodes_.certificate()});
    key_ = peer_->Seal("a", "0123456789");
  }

  const TestDirectory directory_;
  const Authority nodes_{directory_.path(), "nodes"}, others_{directory_.path(), "others"};
  std::unique_ptr<TestPeer> peer_;
  UploadKey key_;
};

TEST_F(PeerTlsTest, NodesAreWhomTheirCertificatesName) {
  const Identity n1 = nodes_.Issue("n1");
  for (const std::string alternative : {"", "DNS:n2"}) {
    Serve(nodes_.Issue("n2", alternative));
    EXPECT_EQ(Read(nodes_, n1, "n1", "n2"), absl::OkStatus()) << alternative;
    EXPECT_EQ(Read(nodes_, n1, "n3", "n2").code(), absl::StatusCode::kPermissionDenied);
    EXPECT_EQ(Read(nodes_, n1, "n1", "n3").code(), absl::StatusCode::kUnavailable);
  }
}

TEST_F(PeerTlsTest, StrangersAreNotLetIn) {
  Serve(nodes_.Issue("n2"));
  const Identity stranger = others_.Issue("n1");
  EXPECT_EQ(Read(nodes_, stranger, "n1", "n2").code(), absl::StatusCode::kUnavailable);
  EXPECT_EQ(Read(others_, nodes_.Issue("n1"), "n1", "n2").code(), absl::StatusCode::kUnavailable);
  Peers plain("n1", grpc::InsecureChannelCredentials(), nullptr);
  EXPECT_EQ(ReadAll(plain, "n2", peer_->address(), key_).status().code(), absl::StatusCode::kUnavailable);
}

}  // namespace
}  // namespace cairn::testing
