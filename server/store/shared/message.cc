#include "server/store/shared/message.h"

#include <algorithm>
#include <cstring>
#include <type_traits>

#include "absl/strings/str_cat.h"
#include "base/status_macros.h"

namespace cairn {
namespace {

template <typename Message>
absl::StatusOr<Message> Parse(absl::string_view packet, absl::string_view what) {
  static_assert(std::is_trivially_copyable_v<Message>);
  if (packet.size() != sizeof(Message)) {
    return absl::InvalidArgumentError(
        absl::StrCat(what, ": expected ", sizeof(Message), " bytes, got ", packet.size()));
  }
  Message message;
  std::memcpy(&message, packet.data(), sizeof(message));
  if (message.magic != kMessageMagic) {
    return absl::InvalidArgumentError(
        absl::StrCat(what, ": expected magic ", absl::Hex(kMessageMagic), ", got ", absl::Hex(message.magic)));
  }
  if (message.version == kMessageVersion) return message;
  return absl::FailedPreconditionError(
      absl::StrCat(what, ": expected version ", kMessageVersion, ", got ", message.version));
}

bool IsOp(Op op) { return op >= Op::kHello && op <= Op::kLeave; }

absl::Status UnknownOp(absl::string_view what, Op op) {
  return absl::InvalidArgumentError(
      absl::StrCat(what, ": operation ", static_cast<std::uint16_t>(op), " is not known"));
}

}  // namespace

absl::Status Reply::status() const {
  if (code == 0) return absl::OkStatus();
  return absl::Status(static_cast<absl::StatusCode>(code), absl::string_view(text.data(), text_bytes));
}

void Reply::set_status(const absl::Status& status) {
  code = static_cast<std::int32_t>(status.code());
  text_bytes = static_cast<std::uint32_t>(std::min(status.message().size(), text.size()));
  std::copy_n(status.message().data(), text_bytes, text.data());
}

absl::StatusOr<Request> ParseRequest(absl::string_view packet) {
  CAIRN_ASSIGN_OR_RETURN(const Request request, Parse<Request>(packet, "request"));
  if (!IsOp(request.op) || request.op == Op::kRetired) return UnknownOp("request", request.op);
  return request;
}

absl::StatusOr<Reply> ParseReply(absl::string_view packet) {
  CAIRN_ASSIGN_OR_RETURN(const Reply reply, Parse<Reply>(packet, "reply"));
  if (!IsOp(reply.op)) return UnknownOp("reply", reply.op);
  if (reply.text_bytes > reply.text.size()) {
    return absl::InvalidArgumentError(
        absl::StrCat("reply: expected at most ", reply.text.size(), " bytes of text, got ", reply.text_bytes));
  }
  return reply;
}

}  // namespace cairn
