"""What is compared: for each model, clients that make a result hard to get right."""

from dataclasses import dataclass

import torch

from clients import Client
from models import GPT2, LLAMA, VISION, Subject

BF16 = torch.bfloat16
SVD_RANK = 8  # Divisible by the groups of the grouped convolution.


@dataclass
class Case:
    subject: Subject
    name: str
    clients: list
    also: tuple = ()  # Methods of checks.CaseCheck, beyond the stack.
    parts: float = 2e-5  # Tolerance, in units of the largest logit.


def lora(r, alpha, *targets, **more):
    return dict(r=r, lora_alpha=alpha, target_modules=list(targets), **more)


def llama_cases():
    attention = ("q_proj", "v_proj")
    uneven = [
        Client(1200, lora(2, 4, *attention)),
        Client(300, lora(5, 5, *attention)),
        Client(80, lora(8, 16, *attention)),
    ]
    # Keys in the order in which PEFT writes them, which is sorted. The first that matches decides, also where a later
    # one is closer: in the second client no layer has rank 9 or alpha 90.
    patterns = [
        Client(7, lora(8, 16, "q_proj", "k_proj", "down_proj", use_rslora=True), dtype=BF16),
        Client(
            5,
            lora(
                4,
                8,
                *attention,
                "lm_head",
                rank_pattern={
                    r"^model\.layers\.3\.self_attn\.q_proj": 7,
                    r"layers\.1\d\.self_attn\.(q|v)_proj": 2,
                    r"self_attn.q_proj": 3,
                    r"self_attn\.q_proj": 9,
                },
                alpha_pattern={r"layers\.(0|1|2|3|4)\..*": 11, r"layers\.4\.self_attn\.v_proj": 90},
            ),
        ),
        Client(
            3,
            dict(
                r=6,
                lora_alpha=3,
                target_modules=r"model\.layers\.\d*[02468]\.(self_attn\.o_proj|mlp\.up_proj)",
                use_rslora=True,
                rank_pattern={r"o_proj": 1},
            ),
        ),
    ]
    equal = [Client(n, lora(4, 8, *attention)) for n in (10, 20, 30)]
    frozen = [Client(n, lora(4, 8, *attention), shared_a=True) for n in (1, 2, 4)]
    saved = ["embed_tokens", "lm_head", "input_layernorm"]
    return [
        Case(LLAMA, "one client", [Client(3, lora(8, 16, *attention, use_rslora=True))]),
        Case(LLAMA, "uneven ranks", uneven, also=("cat", "merged", "svd", "ranks")),
        Case(LLAMA, "rsLoRA, patterns, other targets", patterns, also=("merged", "svd")),
        Case(LLAMA, "equal ranks", equal, also=("cat", "residual")),
        Case(LLAMA, "the same A", frozen, also=("ffa",)),
        Case(LLAMA, "bf16 in and out", [Client(1, lora(4, 8, *attention), dtype=BF16) for _ in range(3)], parts=2e-2),
        Case(LLAMA, "bias=all", [Client(n, lora(r, 8, *attention, bias="all")) for n, r in ((2, 3), (1, 6))]),
        Case(LLAMA, "bias=lora_only", [Client(n, lora(r, 8, "q_proj", bias="lora_only")) for n, r in ((2, 3), (1, 6))]),
        Case(
            LLAMA,
            "lora_bias",
            [Client(n, lora(r, 8, *attention, lora_bias=True)) for n, r in ((2, 3), (1, 6))],
        ),
        Case(
            LLAMA,
            "modules_to_save",
            [Client(n, lora(r, 8, *attention, modules_to_save=saved)) for n, r in ((2, 3), (1, 6))],
            also=("merged",),
        ),
        Case(
            LLAMA,
            "embedding and head adapted",
            [Client(n, lora(r, 8, "embed_tokens", "lm_head", "gate_proj")) for n, r in ((2, 3), (1, 6))],
            also=("merged", "svd"),
        ),
    ]


def gpt2_cases():
    uneven = [
        Client(1200, lora(2, 4, "c_attn", "c_proj")),
        Client(300, lora(5, 16, "c_attn")),
        Client(80, lora(8, 8, "c_attn", "c_fc"), dtype=BF16),
    ]
    mixed = [
        Client(2, lora(4, 8, "attn.c_proj", "wte", use_rslora=True, rank_pattern={"wte": 2})),
        Client(1, lora(7, 7, "c_attn", "mlp.c_proj", alpha_pattern={r"h\.[12]\.mlp\.c_proj": 21, "mlp.c_proj": 3})),
    ]
    both = [Client(n, lora(r, 8, "c_attn", bias="all", modules_to_save=["lm_head"])) for n, r in ((2, 3), (1, 6))]
    return [
        Case(GPT2, "uneven ranks", uneven, also=("cat", "merged", "svd")),
        Case(GPT2, "rsLoRA, patterns, embedding", mixed, also=("merged", "svd", "ranks")),
        Case(GPT2, "bias=all, modules_to_save", both, also=("merged",)),
    ]


def vision_cases():
    everything = ("embed", "conv", "grouped", "pointwise", "head")
    uneven = [
        Client(3, lora(4, 8, *everything)),
        Client(2, lora(12, 6, *everything, use_rslora=True, rank_pattern={"conv": 5, "embed|head": 3})),
        Client(1, lora(8, 8, "grouped", "pointwise"), dtype=BF16),
    ]
    mergeable = [Client(n, lora(r, 8, "embed", "conv", "pointwise", "head")) for n, r in ((3, 2), (1, 5))]
    saved = dict(bias="all", modules_to_save=["head"])
    bias = [Client(n, lora(r, 8, "conv", "grouped", "pointwise", **saved)) for n, r in ((3, 4), (1, 8))]
    mergeable_bias = [Client(n, lora(r, 8, "conv", "pointwise", **saved)) for n, r in ((3, 4), (1, 8))]
    return [
        Case(VISION, "uneven ranks, grouped", uneven, also=("svd",)),
        Case(VISION, "not grouped", mergeable, also=("merged", "svd")),
        Case(VISION, "bias=all, modules_to_save, grouped", bias),
        Case(VISION, "bias=all, modules_to_save", mergeable_bias, also=("merged",)),
        Case(
            VISION,
            "lora_bias",
            [Client(n, lora(r, 8, "conv", "grouped", "head", lora_bias=True)) for n, r in ((3, 4), (1, 8))],
        ),
    ]


def all_cases():
    return llama_cases() + gpt2_cases() + vision_cases()
