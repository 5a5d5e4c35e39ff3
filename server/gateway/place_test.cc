// What a client may say when it asks where its update should go.
#include <grpcpp/grpcpp.h>
#include <gtest/gtest.h>

#include <cstdint>
#include <limits>
#include <memory>
#include <string>

#include "proto/cairn/v1/federation.grpc.pb.h"
#include "server/gateway/gateway.h"
#include "server/root/testing.h"

namespace cairn {
namespace {

constexpr std::uint64_t kUploadMax = 1 << 20;

TEST(PlaceTest, TakesNoSizeThatNoUpdateHas) {
  testing::TestCoordinator root({testing::FederationFor("fed", "stack", 2, 2)});
  ASSERT_TRUE(root.Start().ok());
  ASSERT_TRUE(root.Join("a").ok());
  auto gateway =
      Gateway::Start({"127.0.0.1:0", {}, 64 << 20, kUploadMax}, root.operator->(), &root.store(), &root.metrics);
  ASSERT_TRUE(gateway.ok()) << gateway.status();
  const auto stub =
      v1::Federation::NewStub(grpc::CreateChannel((*gateway)->address(), grpc::InsecureChannelCredentials()));
  const auto place = [&](std::uint64_t bytes) {
    v1::PlaceRequest request;
    request.set_federation("fed");
    request.set_client("a");
    request.set_payload_bytes(bytes);
    grpc::ClientContext context;
    v1::PlaceReply reply;
    return stub->Place(&context, request, &reply);
  };
  EXPECT_TRUE(place(kUploadMax).ok());
  for (const std::uint64_t bytes : {kUploadMax + 1, std::numeric_limits<std::uint64_t>::max()}) {
    const grpc::Status refused = place(bytes);
    EXPECT_EQ(refused.error_code(), grpc::StatusCode::INVALID_ARGUMENT) << refused.error_message();
    EXPECT_NE(refused.error_message().find("accepts at most 1048576"), std::string::npos) << refused.error_message();
  }
}

}  // namespace
}  // namespace cairn
