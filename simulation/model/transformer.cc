#include "simulation/model/transformer.h"

#include <ATen/ATen.h>

#include <cmath>
#include <limits>
#include <string>

#include "absl/strings/str_cat.h"

namespace cairn {
namespace {

struct Network {
  const Weights& weights;
  const Lora* lora;

  at::Tensor Norm(const at::Tensor& x, const std::string& name) const {
    return at::layer_norm(x, {weights.config.width}, weights.at(name + ".weight"), {});
  }

  // x W^T + scale x A^T B^T. The scale multiplies the narrow product, [.., rank].
  at::Tensor Project(const at::Tensor& x, const std::string& module) const {
    const at::Tensor y = at::linear(x, weights.at(module + ".weight"));
    if (lora == nullptr) return y;
    const Factors& factors = lora->modules.at(module);
    return y + at::linear(at::linear(x, factors.a) * factors.scale, factors.b);
  }

  // [batch, time, width] -> [batch, heads, time, width / heads]
  at::Tensor Heads(const at::Tensor& x) const {
    return x.view({x.size(0), x.size(1), weights.config.heads, -1}).transpose(1, 2);
  }

  at::Tensor Attention(const at::Tensor& x, const std::string& prefix, const at::Tensor& mask) const {
    const at::Tensor q = Heads(Project(x, prefix + "q_proj"));
    const at::Tensor k = Heads(Project(x, prefix + "k_proj"));
    const at::Tensor v = Heads(Project(x, prefix + "v_proj"));
    const double scale = 1.0 / std::sqrt(static_cast<double>(q.size(3)));
    const at::Tensor scores = at::matmul(q * scale, k.transpose(2, 3)) + mask;
    const at::Tensor mixed = at::matmul(at::softmax(scores, -1), v);
    return Project(mixed.transpose(1, 2).reshape(x.sizes()), prefix + "o_proj");
  }

  at::Tensor Mlp(const at::Tensor& x, const std::string& prefix) const {
    return Project(at::gelu(Project(x, prefix + "up_proj")), prefix + "down_proj");
  }
};

at::Tensor CausalMask(std::int64_t time) {
  return at::full({time, time}, -std::numeric_limits<float>::infinity()).triu(1);
}

}  // namespace

at::Tensor Logits(const Weights& weights, const Lora* lora, const at::Tensor& tokens) {
  const Network net{weights, lora};
  const std::int64_t time = tokens.size(1);
  const at::Tensor& embed = weights.at("embed.weight");
  const at::Tensor mask = CausalMask(time);
  at::Tensor x = at::embedding(embed, tokens) + weights.at("position.weight").narrow(0, 0, time);
  for (std::int64_t layer = 0; layer < weights.config.layers; ++layer) {
    const std::string prefix = absl::StrCat("layers.", layer, ".");
    x = x + net.Attention(net.Norm(x, prefix + "attn_norm"), prefix + "attn.", mask);
    x = x + net.Mlp(net.Norm(x, prefix + "mlp_norm"), prefix + "mlp.");
  }
  return at::linear(net.Norm(x, "final_norm"), embed);
}

at::Tensor Loss(const Weights& weights, const Lora* lora, const at::Tensor& tokens, bool flip_labels) {
  const std::int64_t time = tokens.size(1) - 1;
  const at::Tensor logits = Logits(weights, lora, tokens.narrow(1, 0, time));
  at::Tensor labels = tokens.narrow(1, 1, time).reshape({-1});
  if (flip_labels) labels = (kVocabulary - 1) - labels;
  return at::cross_entropy_loss(logits.reshape({-1, kVocabulary}), labels);
}

}  // namespace cairn
