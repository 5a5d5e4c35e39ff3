// Checks an update while its bytes pass by, so that a wrong one is refused after its header and not after gigabytes,
// and its values are looked at while they are in the cache.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "adapter/lora.h"
#include "adapter/peft_config.h"
#include "adapter/safetensors.h"

namespace cairn {

class UploadCheck {
 public:
  // What else has something to say about the adapter that the header declares; its values are not there.
  using ShapeCheck = std::function<absl::Status(const Adapter& shape)>;

  // `spec` may be null: then any modules and tensors are accepted. `more` may be null.
  UploadCheck(PeftConfig config, std::shared_ptr<const AdapterSpec> spec, std::uint64_t file_bytes,
              ShapeCheck more = nullptr);

  // The next bytes of the safetensors file. INVALID_ARGUMENT, with module and tensor, as soon as something is wrong.
  absl::Status Feed(absl::string_view bytes);

  // What the header declares. FAILED_PRECONDITION before the whole file was fed.
  absl::StatusOr<std::shared_ptr<const Adapter>> Finish();

  // Of the error that Feed returned: "format", "shape", "non_finite". For metrics.
  absl::string_view reason() const { return reason_; }

 private:
  absl::Status FeedHeader(absl::string_view& bytes);
  absl::Status ParseHeader();
  absl::Status FeedTensors(absl::string_view bytes);
  absl::Status CheckElements(const TensorInfo& tensor, absl::string_view bytes);
  int ExponentOf(absl::string_view tensor) const;
  absl::Status Refuse(absl::string_view reason, absl::Status status);

  const PeftConfig config_;
  const std::shared_ptr<const AdapterSpec> spec_;
  const std::uint64_t file_bytes_;
  const ShapeCheck more_;
  std::uint64_t position_ = 0;      // In the file.
  std::string prefix_;              // The header so far.
  std::uint64_t prefix_bytes_ = 8;  // How much of it is needed before the next step.
  bool parsed_ = false;
  SafetensorsHeader header_;
  std::shared_ptr<const Adapter> shape_;
  std::map<std::string, int, std::less<>> exponents_;  // Of the bound on the values of factors, by tensor.
  std::size_t tensor_ = 0;                             // The one that contains position_.
  std::string split_;                                  // The first bytes of an element that ends in the next piece.
  absl::string_view reason_;
};

}  // namespace cairn
