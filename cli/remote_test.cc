#include "cli/remote.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace cairn {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;
using ::testing::Not;

std::string Explained(const absl::Status& status) {
  Remote remote;
  remote.options.server = "127.0.0.2:7070";
  const absl::Status explained = ExplainRemote(remote, status);
  EXPECT_EQ(explained.code(), status.code());
  return std::string(explained.message());
}

TEST(RemoteTest, WhoIsAwayIsSaid) {
  EXPECT_THAT(Explained(absl::UnavailableError("Connection refused")),
              HasSubstr("Is a server listening on 127.0.0.2:7070?"));
  EXPECT_THAT(
      Explained(absl::UnavailableError("the root at 127.0.0.1:7072: Socket closed")),
      AllOf(HasSubstr("the gateway at 127.0.0.2:7070 answers, but its root does not: the root at 127.0.0.1:7072"),
            Not(HasSubstr("Is a server listening"))));
  EXPECT_EQ(Explained(absl::NotFoundError("no federation")), "no federation");
}

TEST(RemoteTest, AnAddressWithoutAPortIsRefused) {
  Remote remote;
  remote.options.server = "127.0.0.1";
  EXPECT_THAT(Connect(remote).status().message(), AllOf(HasSubstr("--server"), HasSubstr("host:port")));
  remote.options.server = "127.0.0.1:7070";
  EXPECT_TRUE(Connect(remote).ok());
}

}  // namespace
}  // namespace cairn
