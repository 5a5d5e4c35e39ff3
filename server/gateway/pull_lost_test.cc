// A published file that becomes shorter while it is sent.
#include <grpcpp/generic/generic_stub.h>
#include <grpcpp/grpcpp.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <memory>

#include "base/lost_pages.h"
#include "proto/cairn/v1/federation.pb.h"
#include "server/gateway/gateway.h"
#include "server/root/testing.h"
#include "wire/frame.h"

namespace cairn {
namespace {

using testing::FederationFor;
using testing::TestCoordinator;
using testing::Update;

// A Pull stream, message by message.
class RawPull {
 public:
  explicit RawPull(const std::string& address)
      : stub_(grpc::CreateChannel(address, grpc::InsecureChannelCredentials())),
        stream_(stub_.PrepareCall(&context_, "/cairn.v1.Federation/Pull", &queue_)) {
    v1::PullRequest request;
    request.set_federation("fed");
    const grpc::Slice bytes(request.SerializeAsString());
    stream_->StartCall(nullptr);
    Next();
    stream_->WriteLast(grpc::ByteBuffer(&bytes, 1), grpc::WriteOptions(), nullptr);
    Next();
  }
  ~RawPull() {
    queue_.Shutdown();
    while (Next()) continue;
  }
  // How many came after those that were read before.
  int ReadToEnd() {
    int messages = 0;
    while (Read()) ++messages;
    return messages;
  }
  bool Read() {
    grpc::ByteBuffer message;
    stream_->Read(&message, nullptr);
    return Next();
  }
  grpc::Status Finish() {
    grpc::Status status;
    stream_->Finish(&status, nullptr);
    Next();
    return status;
  }

 private:
  bool Next() {
    void* tag;
    bool ok;
    return queue_.Next(&tag, &ok) && ok;
  }

  grpc::CompletionQueue queue_;
  grpc::ClientContext context_;
  grpc::GenericStub stub_;
  std::unique_ptr<grpc::GenericClientAsyncReaderWriter> stream_;
};

TEST(PullLostTest, AFileThatIsCutShortEndsItsStreamOnly) {
  TestCoordinator server{{FederationFor("fed", "stack", 1, 1)}};
  ASSERT_TRUE(server.Start().ok());
  ASSERT_TRUE(server.Join("a").ok());
  ASSERT_TRUE(server.Push("a", 1, Update(1, 384, {{"layers.0.q", 8192, 8192}})).ok());
  server.AwaitVersion(1);
  auto gateway =
      Gateway::Start({"127.0.0.1:0", {}, 64 << 20, 1 << 20}, server.operator->(), &server.store(), &server.metrics);
  ASSERT_TRUE(gateway.ok()) << gateway.status();
  const auto version = server.FindVersion(1, false);
  const std::uint64_t whole = std::filesystem::file_size(version->path);
  ASSERT_GT(whole, 24u << 20);  // The end is far from what is sent before it is read: up to some 4 MiB.

  RawPull pull((*gateway)->address());
  ASSERT_TRUE(pull.Read()) << pull.Finish().error_message();  // The header: the server has the file.
  const LostPagesGuard publication;
  std::filesystem::resize_file(version->path, 20 << 20);
  EXPECT_EQ(pull.ReadToEnd(), 20);
  const grpc::Status ended = pull.Finish();
  EXPECT_EQ(ended.error_code(), grpc::StatusCode::DATA_LOSS) << ended.error_message();

  RawPull again((*gateway)->address());
  EXPECT_EQ(again.ReadToEnd(), 1 + 20 + 1);  // Who pulls compares the digest.
  EXPECT_TRUE(again.Finish().ok());
  EXPECT_EQ(publication.Lost(), absl::OkStatus()) << "a pull has failed a publication";
}

}  // namespace
}  // namespace cairn
