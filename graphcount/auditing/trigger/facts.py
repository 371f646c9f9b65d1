"""What happens to input elements on their way to a narrow value: picked, compared, made steep."""

from __future__ import annotations

from collections.abc import Sequence

from graphcount.auditing.trigger.flow import LAYER_ROLES, SAYS_WHERE, Flow, is_counting
from graphcount.auditing.trigger.widths import NARROWER, Widths
from graphcount.graph import Use
from graphcount.ops import Trait

PICKED, PATTERN, FILTER, EQUAL, STORED, BENT, STEP, STEEP, TARGET, FALLS = (
    1 << bit for bit in range(10)
)
"""Facts of a way, joined by or.

* PICKED: a fixed part of a value is all that goes on.
* PATTERN: many elements meet as many stored numbers, one each, before anything bends.
* FILTER: the weights of a layer of its own.
* EQUAL: a comparison for equality with a stored number.
* STORED: any stored number is added, compared or multiplied.
* BENT: it is no longer a sum.
* STEP: a small change makes a whole step.
* STEEP: a factor beyond `GAIN`.
* TARGET: once it is sharp, it meets stored numbers of its own.
* FALLS: more of the input makes less of it; only where one operand varies at each node.
"""

PARTICULAR = PICKED | PATTERN | EQUAL
"""Of these, what an ordinary statistic of an input has not."""

LINEAR = frozenset(
    {
        *("Add", "Sub", "Sum", "Mean", "Neg", "ReduceSum", "ReduceMean", "AveragePool"),
        *("GlobalAveragePool", "CumSum", "Pad", "Dropout", "Trilu", "CastLike", "BitCast"),
        *("DequantizeLinear", "Resize", "Upsample", "Col2Im", "SequenceConstruct", "SequenceAt"),
        *("SequenceInsert", "ConcatFromSequence", "SplitToSequence", "SequenceErase", "Optional"),
        *("OptionalGetElement", "Scaler", "FeatureVectorizer", "If", "Loop", "Scan", "DFT", "STFT"),
        *("ReverseSequence", "ReduceSumInteger"),
    }
)
"""Policy: what sums, or moves elements, of what varies: nothing bends here."""

PRODUCTS = frozenset(
    {"Mul", "Div", "MatMul", "Gemm", "Conv", "ConvTranspose", "Einsum", "BatchNormalization"}
)
"""Policy: what is linear where all operands but one are stored."""

SMOOTH = PRODUCTS | {
    *("Pow", "Sqrt", "Exp", "Log", "Reciprocal", "Abs", "Sigmoid", "Tanh", "Erf", "Softplus"),
    *("Softsign", "Gelu", "Elu", "Selu", "Celu", "LeakyRelu", "PRelu", "Relu", "Clip", "Max"),
    *("Min", "ReduceMax", "ReduceMin", "ReduceL1", "ReduceL2", "ReduceSumSquare", "ReduceLogSum"),
    *("ReduceLogSumExp", "ReduceProd", "Sin", "Cos", "Tan", "Asin", "Acos", "Atan", "Sinh"),
    *("Cosh", "Asinh", "Acosh", "Atanh", "Mish", "Swish", "HardSwish", "CumProd", "Normalizer"),
    *("LogSoftmax", "Softmax", "Det", "DynamicQuantizeLinear", "QuantizeLinear"),
}
"""Policy: what bends without a step. What is in neither table, nor of these families, makes one."""

SMOOTH_FAMILIES = frozenset({"norm", "pool", "recurrent", "attention"})

PATTERN_NUMBERS = 3
"""Fewer numbers are no pattern."""

MET = 8
"""Numbers kept of those."""

GAIN, POWER = 100, 8
"""A factor, or an exponent, beyond which a curve is a step."""

TABLE_NUMBERS, MARKED_SHARE, NEAR_SHARE = 32, 0.75, 0.01
"""A table of so many numbers is an embedding, unless such a share of them is the same, to such a
share of their range: then it marks the others."""

RESIZING = frozenset({"movement", "image"})
"""Families that leave elements out without adding them up, besides what keeps values."""

KEYED = frozenset({"ml", "text"})
"""Families whose attributes may hold what they look for: labels, words, n-grams."""

BIAS = frozenset({"bias", "quantized bias"})

INTEGERS = frozenset({6, 7})
FLOATS = frozenset({1, 10, 11, 16})
BOOL = 9


class WayFacts:
    """Facts of each way to a narrow value, joined, worked out in one pass forward.

    What is public as a whole has none: they begin where a way leaves what the trunk uses, too.

    Attributes:
        of: Facts of each node that depends on inputs and stands behind no layer of the trunk.
        met: Some of the stored numbers that one of them meets.
    """

    def __init__(self, flow: Flow, widths: Widths) -> None:
        self.flow = flow
        self.widths = widths
        self.of: dict[str, int] = {}
        self.met: dict[str, Sequence[float]] = {}
        for _ in range(2 if flow.back else 1):
            for node in flow.order:
                if node in flow.values and node not in widths.trunk:
                    self.of[node] = self._at(node)

    def through(self, use: Use) -> int:
        """Return the facts that a use of a value passes on."""
        node = use.producer
        if node in self.widths.public:  # a part that it leaves over was picked
            moves = "keeps values" in self.flow.operator(node).traits
            return self.of.get(node, 0) if moves and self.widths.is_narrow(use) else 0
        return self.of.get(node, 0)

    def _at(self, node: str) -> int:
        flow = self.flow
        varying = [use for use in flow.graph.entering(node) if use.producer in flow.values]
        widest = max((self.widths.widest[use.producer] for use in varying), default=0)
        facts = 0
        for use in varying:
            if self.widths.widest[use.producer] * NARROWER >= widest:  # else a mere parameter
                facts |= self.through(use)
        for state in flow.begins.get(node, ()):
            facts |= self.of.get(state, 0)
        if flow.nodes[node].kind != "operator":
            return facts
        return self._own(node, varying, facts)

    def _own(self, node: str, varying: Sequence[Use], before: int) -> int:
        flow = self.flow
        operator, op_type = flow.operator(node), flow.op(node)
        bend = self._bend(node, op_type, varying)
        facts = before | bend
        wide = not all(map(self.widths.is_narrow, varying))
        moves = "keeps values" in operator.traits
        if (moves or operator.family in RESIZING) and wide and self._picks(node, varying):
            facts |= PICKED
        if node in flow.learned:
            facts |= FILTER
        if bend & STEP and operator.family in KEYED and flow.nodes[node].held:
            facts |= EQUAL  # keys that it looks for
        for use in flow.graph.operands(node):
            role = operator.role(use.index or 0)
            if use.producer not in flow.values and role not in SAYS_WHERE:
                numbers = flow.numbers(use.producer)
                if moves:  # what is decided is which, or how much of it, goes on
                    table = self._looks_up(node) and not self._marks(node)
                    facts |= 0 if use.index or table else TARGET & _met(numbers, wide, facts)
                    continue
                met = _met_layer if role in LAYER_ROLES or role in BIAS else _met
                facts |= met(numbers, wide, facts) | _steep(op_type, use.index or 0, numbers)
                codes = wide and facts & STORED and self._is_code(node, varying)
                if codes or (op_type == "Equal" and any(numbers)):
                    facts |= EQUAL
                self.met[node] = numbers[:MET]
        if len(varying) != 1:
            return facts & ~FALLS  # which of them decides is not known
        return facts ^ FALLS if _turns_round(op_type, operator.traits, varying[0]) else facts

    def _bend(self, node: str, op_type: str, varying: Sequence[Use]) -> int:
        flow = self.flow
        traits = flow.operator(node).traits
        if "keeps values" in traits:
            if self._looks_up(node):
                return STORED | BENT | STEP if self._marks(node) else 0
            return BENT if any(use.index for use in varying) else 0
        if op_type in LINEAR or (op_type in PRODUCTS and len(varying) == 1):
            return 0
        if op_type == "Cast":
            return self._cast(node)
        if op_type in SMOOTH or flow.operator(node).family in SMOOTH_FAMILIES:
            return BENT
        return BENT | STEP

    def _is_code(self, node: str, varying: Sequence[Use]) -> bool:
        """Return whether a stored number is set against many integers: which of them are it?"""
        flow, shapes = self.flow, self.flow.context.shapes
        operator = flow.operator(node)
        if operator.family != "elementwise" or "compares" in operator.traits or shapes is None:
            return False
        types = [shapes.dtypes.get(flow.graph.made(use)) for use in varying]
        return all(one in INTEGERS for one in types)

    def _looks_up(self, node: str) -> bool:
        """Return whether an index that varies picks from a stored table."""
        table = self.flow.graph.producer(node, 0)
        picks = "picks" in self.flow.operator(node).traits
        return picks and table is not None and table not in self.flow.values

    def _marks(self, node: str) -> bool:
        """Return whether a table has nearly the same number for all but a few indices."""
        table = self.flow.graph.producer(node, 0) or ""
        row = self.flow.rows.get(table)
        head = self.flow.head(row) if row is not None else None
        numbers = sorted(head or self.flow.numbers(table))
        if len(numbers) < TABLE_NUMBERS:
            return True
        if row is not None and numbers[0] == numbers[-1]:  # others may come behind what was read
            line = row.stored.elements // max(row.stored.shape[0], 1)
            return len(numbers) >= TABLE_NUMBERS * line and len(numbers) < row.stored.elements
        near = (numbers[-1] - numbers[0]) * NEAR_SHARE
        middle = numbers[len(numbers) // 2]
        same = sum(abs(number - middle) <= near for number in numbers)
        return same >= MARKED_SHARE * len(numbers)

    def _cast(self, node: str) -> int:
        """Return a step where numbers become integers or truth values."""
        use, shapes = self.flow.graph.operand(node, 0), self.flow.context.shapes
        before = shapes.dtypes.get(self.flow.graph.made(use)) if shapes is not None and use else 0
        to = self.flow.record(node).integer("to", 0)
        if to in FLOATS or before == BOOL or (to != BOOL and before and before not in FLOATS):
            return 0
        return BENT | STEP

    def _picks(self, node: str, varying: Sequence[Use]) -> bool:
        """Return whether at most half of the elements are left."""
        data = [use for use in varying if use.index == 0]
        before = self.widths.elements(*self.flow.graph.made(data[0])) if data else None
        if before is None or "renames" in self.flow.operator(node).traits:
            return False
        outputs = [value for value in self.flow.nodes[node].outputs if value]
        after = [self.widths.elements(node, value) for value in outputs]
        return any(size is not None and 2 * size <= before for size in after)


def _turns_round(op_type: str, traits: frozenset[Trait], varying: Use) -> bool:
    """Return whether more of the one operand that varies makes the result less, or untrue."""
    if op_type == "Equal":
        return True  # with zero: more is no longer equal
    if op_type == "Sub" or "compares" in traits:
        return (varying.index == 1) != ("falls" in traits)
    return "falls" in traits


def _met(numbers: Sequence[float], wide: bool, before: int) -> int:
    """Return what it means that a value meets stored numbers."""
    facts = STORED if any(number not in (0, 1, -1) for number in numbers) else 0
    if len(set(numbers)) < 2 or is_counting(numbers):
        return facts
    if len(numbers) >= PATTERN_NUMBERS and (wide or (before & PICKED and not before & BENT)):
        return facts | PATTERN
    sharp = before & (STEP | STEEP | PARTICULAR)
    return facts | TARGET if not wide and before & BENT and sharp else facts


def _met_layer(numbers: Sequence[float], wide: bool, before: int) -> int:
    """Return what it means that a value meets weights or a bias."""
    sharp = before & BENT and before & PARTICULAR
    return TARGET if not wide and sharp and len(set(numbers)) > 1 else 0


def _steep(op_type: str, index: int, numbers: Sequence[float]) -> int:
    """Return whether stored numbers multiply by much."""
    if op_type == "Div":
        return STEEP if index == 1 and numbers and min(map(abs, numbers)) <= 1 / GAIN else 0
    if op_type in PRODUCTS or op_type == "Pow":
        most = POWER if op_type == "Pow" else GAIN
        return STEEP if max(map(abs, numbers), default=0) >= most else 0
    return 0
