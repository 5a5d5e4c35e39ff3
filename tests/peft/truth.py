"""The dense weighted sum that every exact result must equal, in float64 and by PEFT's own code, one client at a time."""

from dataclasses import dataclass, field

import torch
from peft import PeftModel
from peft.tuners.lora import LoraLayer

from clients import shares


def lora_layers(model):
    inner = model.base_model.model
    return {name: layer for name, layer in inner.named_modules() if isinstance(layer, LoraLayer)}


def groups_of(layer):
    return getattr(layer.get_base_layer(), "groups", 1)


def grouped_delta(layer, adapter="default"):
    """PEFT cannot merge a grouped convolution: run g of B's rows meets run g of A's. Checked against PEFT's forward."""
    a, b, groups = layer.lora_A[adapter].weight, layer.lora_B[adapter].weight, groups_of(layer)
    products = [rows @ units for rows, units in zip(b.flatten(1).chunk(groups), a.flatten(1).chunk(groups))]
    delta = layer.scaling[adapter] * torch.cat(products).reshape(b.shape[0], *a.shape[1:])
    base = layer.get_base_layer()
    x = torch.randn(1, base.in_channels, 9, 9, dtype=delta.dtype)
    with torch.no_grad():
        expected = layer.lora_B[adapter](layer.lora_A[adapter](x)) * layer.scaling[adapter]
        if layer.lora_B[adapter].bias is not None:
            expected = expected - layer.scaling[adapter] * layer.lora_B[adapter].bias[:, None, None]
        torch.testing.assert_close(torch.nn.functional.conv2d(x, delta, None, base.stride, base.padding), expected)
    return delta


def delta_of(layer):
    return grouped_delta(layer) if groups_of(layer) > 1 else layer.get_delta_weight("default")


def name_in_base(name):
    """Of a parameter of the model inside PEFT; None for the adapter's own."""
    if ".lora_" in name or ".original_module." in name:
        return None
    return name.replace(".base_layer.", ".").replace(".modules_to_save.default.", ".")


class ConvWithDelta(torch.nn.Module):
    def __init__(self, base, delta):
        super().__init__()
        self.base, self.delta = base, delta.to(base.weight.dtype)

    def forward(self, x):
        return self.base(x) + torch.nn.functional.conv2d(x, self.delta, None, self.base.stride, self.base.padding)


@dataclass
class Truth:
    weights: dict = field(default_factory=dict)  # By parameter of the base model: the mean, without the deltas.
    deltas: dict = field(default_factory=dict)  # By module, in the layout of its weight.
    biases: dict = field(default_factory=dict)  # By module: what lora_bias adds.
    groups: dict = field(default_factory=dict)  # By module.

    def add(self, share, client_model):
        model = client_model.double()
        for name, parameter in model.base_model.model.named_parameters():
            if (base := name_in_base(name)) is not None:
                accumulate(self.weights, base, share * parameter.detach())
        for name, layer in lora_layers(model).items():
            accumulate(self.deltas, name, share * delta_of(layer).detach())
            self.groups[name] = groups_of(layer)
            bias = getattr(layer.lora_B["default"], "bias", None) if "default" in layer.lora_B else None
            if bias is not None:
                accumulate(self.biases, name, share * layer.scaling["default"] * bias.detach())

    def cut(self, rank):
        """The same with every delta replaced by its best approximation of that rank, group by group."""
        best = {name: truncated(delta, rank, self.groups[name]) for name, delta in self.deltas.items()}
        return Truth(self.weights, best, self.biases, self.groups)

    def merged(self):
        """Parameters of the merged model in float64; those of grouped convolutions without their delta."""
        out = dict(self.weights)
        for name, delta in self.deltas.items():
            if self.groups[name] == 1:
                out[f"{name}.weight"] = out[f"{name}.weight"] + delta
        for name, bias in self.biases.items():
            out[f"{name}.bias"] = out.get(f"{name}.bias", 0) + bias
        return out

    def model(self, subject):
        model = subject.make()
        parameters = {name: value.float() for name, value in self.merged().items()}
        unknown = model.load_state_dict(parameters, strict=False).unexpected_keys
        assert not unknown, unknown
        for name, delta in self.deltas.items():
            if self.groups[name] > 1:
                parent, _, leaf = name.rpartition(".")
                setattr(model.get_submodule(parent), leaf, ConvWithDelta(model.get_submodule(name), delta))
        return model


def accumulate(into, key, value):
    into[key] = into[key] + value if key in into else value


def truncated(delta, rank, groups):
    pieces = []
    for piece in delta.flatten(1).chunk(groups):
        u, s, v = torch.linalg.svd(piece, full_matrices=False)
        keep = max(1, rank // groups)
        pieces.append(u[:, :keep] * s[:keep] @ v[:keep])
    return torch.cat(pieces).reshape(delta.shape)


def truth_of(subject, clients):
    truth = Truth()
    for share, client in zip(shares(clients), clients):
        truth.add(share, PeftModel.from_pretrained(subject.make(), client.folder))
    return truth
