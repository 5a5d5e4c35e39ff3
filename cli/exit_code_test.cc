#include "cli/exit_code.h"

#include <gtest/gtest.h>

#include "cli/exhaustion.h"

namespace cairn {
namespace {

TEST(ExitCode, TellsInputsFromFiles) {
  EXPECT_EQ(ExitCodeOf(absl::OkStatus()), 0);
  EXPECT_EQ(ExitCodeOf(absl::InvalidArgumentError("shape")), kExitRefused);
  EXPECT_EQ(ExitCodeOf(absl::FailedPreconditionError("base model")), kExitRefused);
  EXPECT_EQ(ExitCodeOf(absl::OutOfRangeError("overflow")), kExitRefused);
  EXPECT_EQ(ExitCodeOf(absl::InternalError("a decomposition does not converge")), kExitRefused);
  EXPECT_EQ(ExitCodeOf(absl::NotFoundError("input")), kExitFiles);
  EXPECT_EQ(ExitCodeOf(absl::AlreadyExistsError("output")), kExitFiles);
  EXPECT_EQ(ExitCodeOf(absl::ResourceExhaustedError("disk")), kExitFiles);
  EXPECT_EQ(ExitCodeOf(absl::UnknownError("input/output error")), kExitFiles);
}

TEST(CatchExhaustion, MakesErrorsOfExceptions) {
  EXPECT_EQ(CatchExhaustion([]() -> absl::Status { throw std::bad_alloc(); }),
            absl::ResourceExhaustedError("out of memory"));
  const auto no_thread = []() -> absl::Status {
    throw std::system_error(std::make_error_code(std::errc::resource_unavailable_try_again), "thread");
  };
  EXPECT_EQ(CatchExhaustion(no_thread).code(), absl::StatusCode::kResourceExhausted);
  EXPECT_EQ(CatchExhaustion([] { return absl::OkStatus(); }), absl::OkStatus());
}

}  // namespace
}  // namespace cairn
