"""The comparisons of one case. Each yields a Row."""

from dataclasses import dataclass

from peft import PeftModel
from safetensors.torch import save_file

from cases import SVD_RANK
from clients import shares
from published import Failure, check_layers, difference, load, rounding, tensors_of
from truth import truth_of


@dataclass
class Row:
    what: str
    difference: float
    tolerance: float

    def ok(self):
        return self.difference <= self.tolerance  # NaN is not.


class CaseCheck:
    def __init__(self, case, cairn, folder, devices):
        self.case, self.cairn, self.folder, self.devices = case, cairn, folder, devices
        self.subject, self.clients = case.subject, case.clients
        self.truth = truth_of(self.subject, self.clients)
        self.exact = self.subject.logits(self.truth.model(self.subject))

    def aggregate(self, name, *arguments):
        return self.cairn.aggregate(self.clients, self.folder / name, *arguments)

    def row(self, what, model, expected, parts=None):
        parts = self.case.parts if parts is None else parts
        return Row(what, difference(self.subject.logits(model), expected), rounding(expected, parts))

    def published(self, what, truth, expected, *arguments, parts=None):
        out = self.aggregate(what.replace(" ", "-").replace(":", ""), *arguments)
        self.cairn.run("inspect", out)
        model = load(self.subject, out, self.clients)
        check_layers(model, truth.deltas)
        return self.row(what, model, expected, parts)

    def rows(self):
        yield self.moved()
        yield self.published("stack", self.truth, self.exact)
        for what in self.case.also:
            yield from getattr(self, what)()

    def moved(self):
        """A comparison that an adapter without effect would pass says nothing."""
        base = self.subject.logits(self.subject.make())
        moved, floor = difference(base, self.exact), 100 * rounding(self.exact)
        if not moved > floor:
            raise Failure(f"the adapters move the logits by {moved:.3g} only")
        return Row("(clients, against the base)", moved, float("inf"))

    def residual(self):
        yield self.published("residual", self.truth, self.exact, "--combine", "residual")

    def ffa(self):
        yield self.published("ffa", self.truth, self.exact, "--combine", "ffa")

    def cat(self):
        """PEFT's own concatenation, which is right for linear layers without rsLoRA."""
        names = [f"client_{number}" for number in range(len(self.clients))]
        model = PeftModel.from_pretrained(self.subject.make(), self.clients[0].folder, adapter_name=names[0])
        for name, client in list(zip(names, self.clients))[1:]:
            model.load_adapter(str(client.folder), name)
        model.base_model.add_weighted_adapter(names, shares(self.clients), "all", combination_type="cat")
        model.set_adapter("all")
        theirs = self.subject.logits(model)
        yield self.row("stack: PEFT's cat", load(self.subject, self.folder / "stack", self.clients), theirs)

    def merged(self):
        base, whole, sharded = self.subject.make(), self.folder / "base", self.folder / "base-sharded"
        whole.mkdir()
        save_file(base.state_dict(), whole / "model.safetensors")
        yield self.merged_into("merged", whole / "model.safetensors")
        if hasattr(base, "save_pretrained"):
            base.save_pretrained(sharded, max_shard_size="100KB")
            yield self.merged_into("merged, shards", sharded)

    def merged_into(self, what, base):
        out = self.aggregate(what.replace(", ", "-"), "--publish", "merged", "--base", base)
        found, expected = tensors_of(out), self.truth.merged()
        if set(found) != set(expected):
            raise Failure(f"{out}: tensors differ: {sorted(set(found) ^ set(expected))}")
        for name, tensor in found.items():
            allowed = 1e-6 * max(1.0, expected[name].abs().max().item())
            if not difference(tensor, expected[name]) <= allowed:
                raise Failure(f"{out}: {name} is off by {difference(tensor, expected[name]):.3g}")
        model = self.subject.make()
        model.load_state_dict(found)
        return self.row(what, model, self.exact)

    def svd(self):
        cut = self.truth.cut(SVD_RANK)
        expected = self.subject.logits(cut.model(self.subject))
        form = f"rank={SVD_RANK}"
        for device in self.devices:
            for rule in ("svd", "stack"):
                what = f"{rule} rank {SVD_RANK} {device}".replace(":", "")
                arguments = ("--combine", rule, "--publish", form, "--device", device)
                yield self.published(what, cut, expected, *arguments, parts=max(self.case.parts, 1e-4))

    def ranks(self):
        """One directory a client, with its own rank and scale: the one thing published that has another scale than 1."""
        file, recipients = self.folder / "ranks.txt", {}
        for client in self.clients:
            recipients[client.folder.name] = (client.config["r"], 3 * client.config["r"])
        lines = [f"{name} {rank} {alpha}\n" for name, (rank, alpha) in recipients.items()]
        file.write_text("".join(lines))
        out = self.aggregate("ranks", "--publish", f"ranks={file}")
        for name, (rank, _) in recipients.items():
            cut = self.truth.cut(rank)
            model = load(self.subject, out / name, self.clients)
            check_layers(model, cut.deltas, scale=3.0)
            yield self.row(f"rank {rank}, scale 3", model, self.subject.logits(cut.model(self.subject)), parts=1e-4)


def check(case, cairn, folder, devices):
    yield from CaseCheck(case, cairn, folder, devices).rows()
