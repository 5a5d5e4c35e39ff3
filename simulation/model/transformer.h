// A decoder-only transformer over bytes: pre-norm, learned positions, output tied to the embedding.
#pragma once

#include <ATen/core/Tensor.h>

#include "simulation/model/lora.h"
#include "simulation/model/weights.h"

namespace cairn {

// Logits [batch, time, 256] of `tokens` [batch, time], int64, time <= context. `lora` may be null. Throws c10::Error.
at::Tensor Logits(const Weights& weights, const Lora* lora, const at::Tensor& tokens);

// Mean cross-entropy in nats per byte of predicting tokens[:, 1:] from tokens[:, :-1]; [batch, time + 1]. A scalar.
// `flip_labels`: of predicting 255 - b where the next byte is b.
at::Tensor Loss(const Weights& weights, const Lora* lora, const at::Tensor& tokens, bool flip_labels = false);

}  // namespace cairn
