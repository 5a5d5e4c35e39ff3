"""Small random models that PEFT adapts: the same weights each time, float32."""

from dataclasses import dataclass
from typing import Callable

import torch
import transformers

VOCABULARY = 64


class Vision(torch.nn.Module):
    """Layers that language models lack: an embedding, convolutions, one of them grouped."""

    def __init__(self):
        super().__init__()
        self.embed = torch.nn.Embedding(VOCABULARY, 64)
        self.conv = torch.nn.Conv2d(4, 8, (3, 2), padding=1)
        self.grouped = torch.nn.Conv2d(8, 12, 3, padding=1, stride=2, groups=4)
        self.pointwise = torch.nn.Conv2d(12, 6, 1)
        self.head = torch.nn.Linear(6, 5)

    def forward(self, ids):
        image = self.embed(ids).view(ids.shape[0], 4, 4, -1)
        image = torch.tanh(self.grouped(torch.tanh(self.conv(image))))
        return self.head(torch.tanh(self.pointwise(image)).mean((2, 3)))


@dataclass
class Subject:
    name: str
    build: Callable[[], torch.nn.Module]
    task_type: str | None  # For LoraConfig.
    fan_in_fan_out: bool = False

    def make(self):
        torch.manual_seed(7)
        return self.build().eval()

    def logits(self, model):
        ids = torch.randint(VOCABULARY, (3, 12), generator=torch.Generator().manual_seed(1))
        with torch.no_grad():
            out = model(ids)
        return getattr(out, "logits", out)


def llama():
    return transformers.LlamaForCausalLM(
        transformers.LlamaConfig(
            vocab_size=VOCABULARY,
            hidden_size=64,
            intermediate_size=96,
            num_hidden_layers=12,
            num_attention_heads=4,
            num_key_value_heads=2,
            attention_bias=True,
            mlp_bias=True,
            tie_word_embeddings=False,
        )
    )


def gpt2():
    # Untied: a change of a tied embedding would change the head as well, in the merged model only.
    return transformers.GPT2LMHeadModel(
        transformers.GPT2Config(
            vocab_size=VOCABULARY, n_positions=32, n_embd=64, n_layer=4, n_head=4, tie_word_embeddings=False
        )
    )


LLAMA = Subject("llama, 12 layers", llama, "CAUSAL_LM")
GPT2 = Subject("gpt2, Conv1D", gpt2, "CAUSAL_LM", fan_in_fan_out=True)
VISION = Subject("conv and embedding", Vision, None)
