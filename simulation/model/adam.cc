#include "simulation/model/adam.h"

#include <ATen/ATen.h>

#include <cmath>
#include <utility>

namespace cairn {
namespace {
constexpr double kBeta1 = 0.9, kBeta2 = 0.99, kEpsilon = 1e-8;
}  // namespace

Adam::Adam(std::vector<at::Tensor> parameters) : parameters_(std::move(parameters)) {
  for (const at::Tensor& parameter : parameters_) {
    mean_.push_back(at::zeros_like(parameter));
    square_.push_back(at::zeros_like(parameter));
  }
}

void Adam::Step(double learning_rate) {
  const at::NoGradGuard no_grad;
  beta1_power_ *= kBeta1;
  beta2_power_ *= kBeta2;
  const double correction = std::sqrt(1 - beta2_power_) / (1 - beta1_power_);
  for (std::size_t i = 0; i < parameters_.size(); ++i) {
    at::Tensor& gradient = parameters_[i].mutable_grad();
    if (!gradient.defined()) continue;
    mean_[i].mul_(kBeta1).add_(gradient, 1 - kBeta1);
    square_[i].mul_(kBeta2).addcmul_(gradient, gradient, 1 - kBeta2);
    parameters_[i].addcdiv_(mean_[i], square_[i].sqrt().add_(kEpsilon), -learning_rate * correction);
    gradient.reset();
  }
}

}  // namespace cairn
