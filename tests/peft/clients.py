"""Adapters as PEFT makes and saves them, with random values in everything that training would change."""

from dataclasses import dataclass, field
from pathlib import Path

import torch
from peft import LoraConfig, get_peft_model
from safetensors.torch import load_file, save_file

from models import Subject


@dataclass
class Client:
    examples: int
    config: dict  # For LoraConfig.
    dtype: torch.dtype = torch.float32  # Of the file.
    shared_a: bool = False  # All such clients have the same lora_A, as if it had been frozen.
    folder: Path = field(default=Path(), init=False)


def is_a(name):
    return "lora_A" in name or "lora_embedding_A" in name


def randomise(model, seed, shared_a):
    for index, (name, parameter) in enumerate(model.named_parameters()):
        if not parameter.requires_grad:
            continue
        generator = torch.Generator().manual_seed(index if shared_a and is_a(name) else 1000 * (seed + 1) + index)
        with torch.no_grad():
            if is_a(name):
                parameter.zero_()  # PEFT's own start depends on the global generator.
            spread = 0.3 if is_a(name) else 0.1
            parameter.add_(spread * torch.randn(parameter.shape, generator=generator))


def write(subject: Subject, clients, folder: Path):
    """One directory a client; sets Client.folder."""
    for number, client in enumerate(clients):
        client.folder = folder / f"client-{number}"
        config = LoraConfig(task_type=subject.task_type, fan_in_fan_out=subject.fan_in_fan_out, **client.config)
        model = get_peft_model(subject.make(), config)
        randomise(model, number, client.shared_a)
        model.save_pretrained(client.folder)
        if client.dtype != torch.float32:
            file = client.folder / "adapter_model.safetensors"
            save_file({name: tensor.to(client.dtype) for name, tensor in load_file(file).items()}, file)


def shares(clients):
    total = sum(client.examples for client in clients)
    return [client.examples / total for client in clients]
