"""Configuration: found upwards, read whole, every mistake with its line and the nearest name."""

from __future__ import annotations

import time
from pathlib import Path

import pytest

from graphcount.config import NO_CONFIG, find_config, load_config, read_config
from graphcount.errors import ConfigError
from graphcount.gates.allow import OpsetRange

FULL = """\
[[checks]]
name = "mobile"
paths = ["models/*.onnx"]
exclude = ["models/old*.onnx"]
dims = { batch = 1 }
shapes = { x = "1x3x32x32", y = [1, 2] }
dtypes = ["float32", "int64"]
operators = ["Conv", "com.acme::Foo"]
forbidden_operators = ["Loop"]
domains = ["ai.onnx"]
opset = { min = 13, max = 21 }
severity = "medium"
baseline = "baseline.json"
ignore = [{ rule = "BUD011", where = "decoder/*", reason = "moves next year" }]
max = { parameters = "30M", nodes.Conv = 3, nbytes.float32 = "1MB" }
min = { parameters = 1 }
max_increase = { parameters = "5%", nbytes = "200 kB" }

[checks.messages]
parameters = "ask the edge team"
nodes.Conv = "no more convolutions"

[operators."com.acme::Foo"]
macs = "2 * prod(inputs[0])"

[audit]
fail_on = "medium"
select = ["EXT", "FMT001"]
ignore = [{ rule = "EXT004", reason = "the cache hard-links", models = ["cache/*"] }]
models."vendor/*".fail_on = "low"

[limits]
work = 5
"""


def problems(text: str) -> list[str]:
    with pytest.raises(ConfigError) as error:
        read_config(text, "graphcount.toml")
    return str(error.value).split("\n")


def test_sizes_and_ranges_are_read() -> None:
    text = (
        'dims = { batch = "1:8", height = 224 }\n[[checks]]\n'
        'dims = { batch = 4, sequence = "16:2048" }\nmax = { macs = "1G" }\n'
    )
    config = read_config(text, "graphcount.toml")
    assert config.dims == {"batch": (1, 8), "height": 224}
    assert config.sizes == {"height": 224}
    (check,) = config.checks
    assert (check.dims, check.ranges) == ({"batch": 4}, {"sequence": (16, 2048)})


@pytest.mark.parametrize("size", ['"8:1"', '"1:"', '"1:2:3"', '"eight"', "-1", "true"])
def test_what_is_no_size_and_no_range_is_said(size: str) -> None:
    (line,) = problems(f"[[checks]]\nmax = {{ macs = 1 }}\ndims = {{ batch = {size} }}\n")
    assert line.startswith("graphcount.toml:3: checks[0].dims.batch: ")
    (line,) = problems(f"dims = {{ batch = {size} }}\n")
    assert line.startswith("graphcount.toml:1: dims.batch: ")


def test_everything_is_read() -> None:
    config = read_config(FULL, "graphcount.toml")
    (check,) = config.checks
    assert (check.name, check.severity, check.baseline) == ("mobile", "medium", "baseline.json")
    assert check.shapes == {"x": (1, 3, 32, 32), "y": (1, 2)}
    budgets = [(b.measure.name, b.bound, b.text, b.origin.text, b.note) for b in check.budgets]
    assert budgets[:3] == [
        ("parameters", "max", "30M", "graphcount.toml:15", "ask the edge team"),
        ("nodes.Conv", "max", "3", "graphcount.toml:15", "no more convolutions"),
        ("nbytes.float32", "max", "1MB", "graphcount.toml:15", ""),
    ]
    assert [allow.key for allow in check.lists] == [
        "dtypes",
        "operators",
        "forbidden_operators",
        "domains",
    ]
    assert isinstance(check.opset, OpsetRange)
    assert (check.opset.low, check.opset.high) == (13, 21)
    assert check.ignored[0].where == "decoder/*"
    assert config.operators == {"com.acme::Foo": {"macs": "2 * prod(inputs[0])"}}
    assert config.audit is not None
    assert config.audit.ignore[0].models == ("cache/*",)
    assert config.audit.models["vendor/*"].fail_on == "low"
    assert config.limits.work == 5


def test_all_mistakes_are_said_at_once_each_with_its_line() -> None:
    text = """\
[[checks]]
name = ""
path = ["a"]
[checks.max]
paramters = 3
parameters = "many"
nbytes.flaot32 = 1

[[checks]]
paths = "a"
severity = "hihg"
dtypes = ["flaot32"]
operators = ["Covn"]
opset = {}
max = { macs = true }

[audit]
ignore = [
  { rule = "EXT002" },
  { rule = "nonsense", reason = "x" },
]
[limit]
nodes = 3
"""
    found = problems(text)
    expected = [
        "graphcount.toml:2: checks[0].name: must be a text",
        "graphcount.toml:3: checks[0].path: unknown key; did you mean paths?",
        "graphcount.toml:5: checks[0].max.paramters: 'paramters' is no measure; did you mean param",
        "graphcount.toml:6: checks[0].max.parameters: 'many' is not a count",
        "graphcount.toml:7: checks[0].max.nbytes.flaot32: 'flaot32' is no dtype; did you mean flo",
        "graphcount.toml:10: checks[1].paths: must be a list, not 'a'",
        "graphcount.toml:11: checks[1].severity: 'hihg' is none of info, low, medium, high, crit",
        "graphcount.toml:12: checks[1].dtypes[0]: 'flaot32' is no element type; did you mean flo",
        "graphcount.toml:13: checks[1].operators[0]: 'Covn' is no operator; did you mean Conv?",
        "graphcount.toml:14: checks[1].opset: needs min or max",
        "graphcount.toml:15: checks[1].max.macs: must be a whole number or a text like '30M', not",
        "graphcount.toml:19: audit.ignore[0]: needs reason",
        "graphcount.toml:20: audit.ignore[1].rule: 'nonsense' is no rule like EXT002",
        "graphcount.toml:22: limit: unknown key; did you mean limits?",
    ]
    assert len(found) == len(expected)
    for line, start in zip(found, expected, strict=True):
        assert line.startswith(start)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("[[checks]]\nname = 'a'\n", "1: checks[0]: asks for nothing"),
        (
            "[[checks]]\nmax = {nodes = 3}\nmessages = {node = 'x'}\n",
            "messages.node: no limit; did",
        ),
        ("[[checks]]\nmax = 3\n", "2: checks[0].max: must be a table, not 3"),
        ("checks = 3\n", "1: checks: must be a list"),
        ("x = [\n", "not TOML"),
        ("[operators.'a b']\nmacs = 'x'\n", "name it as"),
        ("[operators.Foo]\n", "needs macs or elementwise"),
        ("[operators.Foo]\nmcas = 'x'\n", "did you mean macs?"),
        (
            "[operators.Foo]\n\nmacs = 'prod(outputs[0]'\n",
            "3: operators.Foo.macs: formula: column 5: '(' was never closed",
        ),
        (
            "[operators.Foo]\nelementwise = '2*x'\n",
            "2: operators.Foo.elementwise: formula: column 3: ",
        ),
        ("[operators.Conv]\nmacs = '1'\n", "1: operators.Conv: its cost is known; formulas are"),
        (
            "[audit]\n[audit.models.'a/*']\nselect = ['EXT', 'EXT999']\n",
            "3: audit.models.a/*.select[1]: 'EXT999' is no rule; did you mean EXT0",
        ),
        ("[audit]\nignore = [{rule='BUD', reason='x'}]\n", "ignore[0].rule: 'BUD' is no rule"),
        ("[[checks]]\nmax = {nodes = -3}\n", "'30M', not -3"),
        ("[limits]\nwork = -1\n", "2: limits.work: must be a whole number"),
        (
            "[[checks]]\nmax = {nodes=1}\nignore = [{rule='BUD001', where='*', reason='x'}]",
            "BUD010",
        ),
        ("a = " + "[" * 5000 + "]" * 5000, "not TOML"),
    ],
)
def test_a_mistake_is_named(text: str, said: str) -> None:
    assert any(said in line for line in problems(text))


def test_a_byte_order_mark_says_nothing(tmp_path: Path) -> None:
    for text, line in (("[limits]\nwork = 3\n", 0), ("\n[limit]\n", 2)):
        (tmp_path / "marked.toml").write_text(text, encoding="utf-8-sig")
        if line:
            with pytest.raises(ConfigError, match=rf"marked\.toml:{line}: limit: unknown key"):
                load_config(str(tmp_path / "marked.toml"))
        else:
            assert load_config(str(tmp_path / "marked.toml")).limits.work == 3


def test_the_nearest_file_upwards_counts(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    deep = tmp_path / "a" / "b"
    deep.mkdir(parents=True)
    monkeypatch.chdir(deep)
    (tmp_path / "graphcount.toml").write_text("[limits]\nwork = 1\n")
    assert load_config().limits.work == 1
    (tmp_path / "a" / "pyproject.toml").write_text("[project]\nname = 'graphcount-user'\n")
    assert load_config().limits.work == 1  # it does not speak to us
    (tmp_path / "a" / "pyproject.toml").write_text("[tool.graphcount.limits]\nwork = 2\n")
    assert load_config().limits.work == 2
    (tmp_path / "a" / "graphcount.toml").write_text("[limits]\nwork = 3\n")
    assert load_config().limits.work == 3
    assert load_config(str(tmp_path / "graphcount.toml")).limits.work == 1


def test_lines_in_pyproject_are_those_of_the_file(tmp_path: Path) -> None:
    path = tmp_path / "pyproject.toml"
    path.write_text("[project]\nname = 'x'\n\n[tool.graphcount.limits]\nnodse = 2\n")
    with pytest.raises(ConfigError, match=r"pyproject\.toml:5: limits.nodse: unknown key"):
        load_config(str(path))


def test_a_pyproject_that_is_named_must_speak_to_us(tmp_path: Path) -> None:
    path = tmp_path / "pyproject.toml"
    path.write_text("[project]\nname = 'x'\n")
    with pytest.raises(ConfigError, match=r"no .tool\.graphcount."):
        load_config(str(path))


def test_a_broken_pyproject_that_mentions_us_is_not_passed_over(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "pyproject.toml").write_text("[tool.graphcount]\nchecks = [\n")
    monkeypatch.chdir(tmp_path)
    with pytest.raises(ConfigError, match="not TOML"):
        load_config()


@pytest.mark.parametrize(
    "text",
    [
        "[tool.graphcount.limits]\nwork = 2\n",
        "[ tool . 'graphcount' . limits ]\nwork = 2\n",
        "[tool]\ngraphcount.limits.work = 2\n",
        '["tool".graphcount]\nlimits = { work = 2 }\n',
        "tool.graphcount.limits.work = 2\n",
        "tool = { graphcount = { limits = { work = 2 } } }\n",
    ],
)
def test_the_table_is_found_however_it_is_written(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, text: str
) -> None:
    (tmp_path / "pyproject.toml").write_text(text)
    monkeypatch.chdir(tmp_path)
    assert load_config().limits.work == 2


def test_many_empty_lines_are_passed_over(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "pyproject.toml").write_text("\n" * 100_000, "utf-8")
    monkeypatch.chdir(tmp_path)
    started = time.process_time()
    find_config()
    assert time.process_time() - started < 2


def test_no_file_is_no_configuration(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    if find_config() is None:  # nothing in the folders above the temporary one
        assert load_config() is NO_CONFIG
