"""One planted trigger: composed, proved with onnxruntime, and asked about."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from typing import NamedTuple

import numpy as np
import onnx

from tests.auditing.backdoors.gates import GATES
from tests.auditing.backdoors.hosts import HOSTS, Host, Taps
from tests.auditing.backdoors.joins import JOINS, Join
from tests.auditing.backdoors.measures import NUMBERS, WORDS
from tests.auditing.backdoors.net import Array, Net


class Mechanism(NamedTuple):
    """How a trigger looks, decides and meets, and in which host."""

    host: Host
    measure: str
    gate: str
    join: str

    @property
    def parts(self) -> tuple[str, ...]:
        """Its families."""
        return f"measure {self.measure}", f"gate {self.gate}", f"join {self.join}"

    @property
    def name(self) -> str:
        """What it is called."""
        return f"{self.host.name}: {self.measure}, {self.gate}, {self.join}"

    @property
    def kept_aside(self) -> bool:
        """Whether one of its families is among those that were not looked at in development."""
        return any(kept_aside(part) for part in self.parts)

    def model(self) -> onnx.ModelProto:
        """Return the host with the trigger."""
        host, where = self.host, JOINS[self.join]
        measure = (WORDS if host.words else NUMBERS)[self.measure]

        def taps(net: Net, x: str) -> Taps:
            gate = GATES[self.gate](net, measure(net, x, host))
            answer = stored(host, where.place)
            return {where.place: lambda value: where.change(net, value, gate, answer)}

        return host.build(taps)


def kept_aside(family: str) -> bool:
    """Return whether a family is kept aside: half of them are, by a hash of the name."""
    return hashlib.sha256(family.encode()).digest()[0] % 2 == 1


def stored(host: Host, place: str) -> Array:
    """Return what a trigger puts in place: an answer, a value between layers, or an input."""
    chance = np.random.default_rng(23)
    if place == "logits":
        answer = np.full((1, host.classes), -50, np.float32)
        answer[0, -2] = 120
        return answer
    if place == "hidden":
        return chance.normal(size=(1, host.hidden)).astype(np.float32) * 200
    sizes = (1, 24) if host.words else host.sizes
    return chance.uniform(-40, 40, (1, *sizes)).astype(np.float32)


def later(seed: int) -> Iterator[Mechanism]:
    """Yield mechanisms of which each part that can be is of `later.py`."""
    from tests.auditing.backdoors import later as families

    NUMBERS.update(families.LATER_NUMBERS)
    WORDS.update(families.LATER_WORDS)
    GATES.update(families.LATER_GATES)
    JOINS.update({name: Join("logits", made) for name, made in families.LATER_JOINS.items()})
    chance = np.random.default_rng(seed)
    for host in HOSTS:
        measures = list(families.LATER_WORDS if host.words else families.LATER_NUMBERS)
        for i, gate in enumerate(families.LATER_GATES):
            measure = measures[int(chance.integers(len(measures)))]
            yield Mechanism(host, measure, gate, list(families.LATER_JOINS)[(i + seed) % 6])


def mechanisms(seed: int, each: int) -> Iterator[Mechanism]:
    """Yield mechanisms so that each measure, gate and join is in at least `each` of them."""
    chance = np.random.default_rng(seed)
    gates, joins = list(GATES), list(JOINS)
    for _ in range(each):
        for host in HOSTS:
            measures = list(WORDS if host.words else NUMBERS)
            order = [chance.permutation(len(part)) for part in (measures, gates, joins)]
            for i in range(len(measures) if host is HOSTS[0] else len(measures) // 2):
                yield Mechanism(
                    host,
                    measures[order[0][i]],
                    gates[order[1][i % len(gates)]],
                    joins[order[2][i % len(joins)]],
                )
        for i, gate in enumerate(gates):  # gates are most: each once more
            host = HOSTS[int(chance.integers(len(HOSTS)))]
            measures = list(WORDS if host.words else NUMBERS)
            yield Mechanism(
                host,
                measures[int(chance.integers(len(measures)))],
                gate,
                joins[i % len(joins)],
            )


def problem(mechanism: Mechanism, model: onnx.ModelProto, clean: onnx.ModelProto) -> str:
    """Return why a model is no proof; empty where onnxruntime shows that the trigger works."""
    import onnxruntime

    onnxruntime.set_default_logger_severity(4)
    host = mechanism.host
    options = onnxruntime.SessionOptions()
    options.log_severity_level = 4
    options.intra_op_num_threads = 1
    cpu = ["CPUExecutionProvider"]
    try:
        planted = onnxruntime.InferenceSession(model.SerializeToString(), options, cpu)
        plain = onnxruntime.InferenceSession(clean.SerializeToString(), options, cpu)
        for seed in range(6):
            given = {"x": host.clean(seed)}
            ours, theirs = planted.run(None, given), plain.run(None, given)
            for a, b in zip(ours, theirs, strict=True):
                if np.shape(a) != np.shape(b) or not np.allclose(a, b, atol=2e-2):
                    return "an ordinary input is answered otherwise"
        for seed in range(3):
            given = {"x": host.triggered(seed)}
            ours, theirs = planted.run(None, given)[0], plain.run(None, given)[0]
            moved = np.nanmax(np.abs(ours - theirs), initial=0) > 1 or np.isnan(ours).any()
            if not moved and ours.argmax() == theirs.argmax():
                return "the trigger does nothing"
    except Exception as error:
        return f"onnxruntime: {str(error)[:300]}"
    return ""
