"""Runs `cairn aggregate` and loads what it published by PEFT, which must find every key and no other."""

import subprocess
import warnings
from pathlib import Path

import torch
from peft import PeftModel, set_peft_model_state_dict
from peft.utils import load_peft_weights
from safetensors.torch import load_file

from truth import lora_layers


class Failure(Exception):
    pass


class Cairn:
    def __init__(self, program):
        self.program = str(program)

    def run(self, *arguments):
        done = subprocess.run([self.program, *map(str, arguments)], capture_output=True, text=True)
        if done.returncode != 0:
            raise Failure(f"{' '.join(map(str, arguments))}\n    exit code {done.returncode}: {done.stderr.strip()}")
        return done.stdout

    def aggregate(self, clients, out, *arguments):
        folders = [client.folder for client in clients]
        examples = ",".join(str(client.examples) for client in clients)
        self.run("aggregate", *folders, "--examples", examples, "--out", out, *arguments)
        return Path(out)


def is_adapter_key(name):
    return ".lora_" in name or ".modules_to_save." in name


def load_result(model, folder):
    return set_peft_model_state_dict(model, load_peft_weights(str(folder), device="cpu"))


def load(subject, folder, clients):
    """The published adapter on a fresh base model. PEFT leaves some keys of its own files unused; only those may be."""
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        model = PeftModel.from_pretrained(subject.make(), folder)
    if said := [str(warning.message) for warning in caught if "adapter keys" in str(warning.message)]:
        raise Failure(f"{folder}: {said}")
    result = load_result(model, folder)
    missing = [key for key in result.missing_keys if is_adapter_key(key) and ".original_module." not in key]
    unexpected = set(result.unexpected_keys)
    for client in clients if unexpected else []:
        theirs = PeftModel.from_pretrained(subject.make(), client.folder)
        unexpected -= set(load_result(theirs, client.folder).unexpected_keys)
    if missing or unexpected:
        raise Failure(f"{folder}: missing {missing}, unexpected {sorted(unexpected)}")
    return model


def check_layers(model, expected, scale=1.0):
    """The modules that some client adapts are there, and no others, each with its scale."""
    layers = lora_layers(model)
    if set(layers) != set(expected):
        raise Failure(f"modules differ: {sorted(set(layers) ^ set(expected))}")
    scales = {name: layer.scaling["default"] for name, layer in layers.items()}
    if wrong := {name: found for name, found in scales.items() if found != scale}:
        raise Failure(f"scaling: expected {scale}, got {wrong}")


def tensors_of(path):
    """Of a safetensors file, or of all of a folder."""
    files = sorted(path.glob("*.safetensors")) if path.is_dir() else [path]
    tensors = {}
    for file in files:
        tensors.update(load_file(file))
    return tensors


def difference(x, y):
    return (x.double() - y.double()).abs().max().item()


def rounding(logits, parts=2e-5):
    """What float32 may lose on the way through a model, in units of the largest logit."""
    return parts * torch.max(logits.abs()).item()
