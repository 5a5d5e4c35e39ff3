// Adam (Kingma and Ba, arXiv 1412.6980) without weight decay.
#pragma once

#include <ATen/core/Tensor.h>

#include <vector>

namespace cairn {

class Adam {
 public:
  // `parameters` are leaves that require gradients. Throws c10::Error.
  explicit Adam(std::vector<at::Tensor> parameters);
  // Moves the parameters against their gradients, which it then clears.
  void Step(double learning_rate);

 private:
  std::vector<at::Tensor> parameters_, mean_, square_;
  double beta1_power_ = 1, beta2_power_ = 1;
};

}  // namespace cairn
