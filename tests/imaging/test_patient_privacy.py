"""A word that stands in every field of a file that may hold one is found in nothing that is said or written."""

from __future__ import annotations

import json
import logging
import subprocess
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.parquet as parquet
import pytest
from pydicom import Dataset, config, uid
from pydicom.datadict import DicomDictionary, keyword_for_tag
from radiographs import RAMP, dataset_of, framed, lossless_jpeg, saved

from makers import NORMAL, OPACITY

Run = Callable[..., tuple[int, str, str]]
WORD, ROOT, DATE, TIME = "ZEBEDEE-4711", "1.2.826.4711", "19470308", "034711"
SECRETS = [secret.lower() for secret in (WORD, "Zebedee", ROOT, DATE, "1947-03-08", TIME)]
TEXTS = {"AE", "CS", "LO", "LT", "PN", "SH", "ST", "UC", "UT"}
VALUES = {"DA": DATE, "DT": DATE, "TM": TIME, "UI": f"{ROOT}.1", **dict.fromkeys(TEXTS, WORD)}
# A number and a string of twelve characters, so that a word may be written over them.
NUMBERS = {"NumberOfFrames": "00000000001 ", "WindowCenter": "2000.0000000", "RescaleSlope": "1.0000000000"}
VALID = ("one", "two", "three")
CODES = ("Modality", "BodyPartExamined", "ViewPosition", "PhotometricInterpretation", "VOILUTFunction")


def marked(number: int, **fields: Any) -> bytes:
    """A radiograph with the word in its preamble, in each field of text, in sequences, private ones, and at its end."""
    dataset = dataset_of(np.roll(RAMP, number, 1), PatientName=None, StudyDate=None)
    for tag, (representation, _, _, retired, keyword) in DicomDictionary.items():
        told = tag >> 16 in range(0x0004, 0x0060) and tag >> 16 != 0x0028 and not retired
        if told and keyword and representation in VALUES and tag not in dataset:
            dataset.add_new(tag, representation, VALUES[representation])
    dataset.BurnedInAnnotation, dataset.PatientOrientation = None, ["L", "F"]
    del dataset.SpecificCharacterSet
    dataset.StudyInstanceUID, dataset.PatientID = f"{ROOT}.{number}", f"{WORD}-{number}"
    other = Dataset()
    other.PatientID, other.PatientName = WORD, WORD
    dataset.OtherPatientIDsSequence = [other]
    dataset.add_new(0x00091001, "LO", WORD)
    dataset.add_new(0x00090010, "LO", WORD)
    dataset.add_new(0x00111001, "UN", WORD.encode())
    dataset.add_new(0xFFFCFFFC, "OB", WORD.encode())
    for keyword, value in fields.items():
        setattr(dataset, keyword, value)
    data = bytearray(saved(dataset))
    data[:12] = WORD.encode()
    return bytes(data)


def overwritten(number: int, keyword: str) -> bytes:
    """With the word where a number belongs."""
    data = marked(number, **{keyword: NUMBERS[keyword]}, **({"WindowWidth": 1000} if keyword == "WindowCenter" else {}))
    value = NUMBERS[keyword].strip().ljust(12).encode()
    assert data.count(value) == 1
    return data.replace(value, WORD.encode())


def broken() -> dict[str, bytes]:
    frame = lossless_jpeg(RAMP, 12)
    files = {f"word in {keyword}": marked(40 + i, **{keyword: WORD}) for i, keyword in enumerate(CODES)}
    files |= {f"word for {keyword}": overwritten(50 + i, keyword) for i, keyword in enumerate(NUMBERS)}
    whole = marked(60)
    table = Dataset()
    table.LUTDescriptor, table.LUTExplanation = [4096, 0, 16], WORD
    files |= {
        "cut off": whole[:-3000],
        "cut off early": whole[:900],
        "another class": marked(61, SOPClassUID=f"{ROOT}.5"),
        "another syntax": marked(62).replace(uid.ExplicitVRLittleEndian.encode() + b"\0", b"1.2.826.4711.9999.1\0"),
        "frames": marked(63, NumberOfFrames=3),
        "bits": marked(64, BitsAllocated=32),
        "table of nothing": marked(65, VOILUTSequence=[table]),
        "burnt in": marked(66, BurnedInAnnotation="YES"),
        "garbage for a frame": framed(frame[:60] + WORD.encode() * 90 + b"\xff\xd9", uid.JPEGLosslessSV1, 48, 64),
        "no patient": marked(67, PatientID=None),
        "no DICOM": WORD.encode() * 100,
        "flat": marked(68, PixelData=WORD[:1].encode() * 6144),
    }
    return files


def valid() -> dict[str, bytes]:
    return dict(zip(VALID, (marked(1), marked(2, PatientOrientation=WORD), marked(3, ViewPosition="LL")), strict=True))


@pytest.fixture(scope="module")
def files() -> dict[str, bytes]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(config.settings, "writing_validation_mode", config.IGNORE)
        patch.setattr(config.settings, "reading_validation_mode", config.IGNORE)
        return valid() | broken()


def found_in(content: str | bytes) -> list[str]:
    text = content if isinstance(content, str) else content.decode("latin-1")
    return [secret for secret in SECRETS if secret in text.lower()]


def assert_tells_nothing(out: Path, *said: str) -> None:
    for text in said:
        assert found_in(text) == []
    paths = [path for path in out.rglob("*") if path.is_file()]
    assert {"manifest.json", "rejected.csv", "studies.parquet"} <= {path.name for path in paths}
    for path in paths:
        assert found_in(path.relative_to(out).as_posix()) == []
        assert found_in(path.read_bytes()) == []
        assert path.suffix != ".parquet" or found_in(str(parquet.read_table(path).to_pylist())) == []


def command(*arguments: str) -> tuple[int, str, str]:
    """In a process of its own, whose logging is as a user has it."""
    program = "from radscribe.cli.main import main; main()"
    done = subprocess.run([sys.executable, "-c", program, *arguments], capture_output=True, text=True, check=False)
    return done.returncode, done.stdout, done.stderr


def test_the_word_stands_everywhere(files: Mapping[str, bytes]) -> None:
    for name in ("one", "cut off", "frames"):
        assert files[name].count(WORD.encode()) > 300 and ROOT.encode() in files[name] and DATE.encode() in files[name]
    for tag in ("InstitutionName", "ReferringPhysicianName", "AccessionNumber", "OtherPatientIDs", "StudyID"):
        assert any(keyword_for_tag(key) == tag for key in DicomDictionary)


def test_prepare_dicom_tells_nothing(files: Mapping[str, bytes], tmp_path: Path) -> None:
    images = tmp_path / f"of-{WORD}"
    for name, data in files.items():
        folder = images / f"{WORD} {name}"
        folder.mkdir(parents=True)
        (folder / f"{DATE}_{WORD}.dcm").write_bytes(data)
        (folder / f"{DATE}_{WORD}.txt").write_text(f"FINDINGS: {OPACITY if name == 'two' else NORMAL}")
    out = tmp_path / "out"
    code, output, error = command("prepare", "dicom", "--images", str(images), "--out", str(out), "--size", "32")
    assert code == 0, error
    assert_tells_nothing(out, output, error)
    assert parquet.read_table(out / "studies.parquet").num_rows >= len(VALID)
    rejected = (out / "rejected.csv").read_text()
    assert len(rejected.splitlines()) > len(files) - 2 * len(VALID)  # reasons are given, without the word


def test_prepare_table_tells_nothing(files: Mapping[str, bytes], tmp_path: Path) -> None:
    rows = ["image,report,patient_id"]
    for number, data in enumerate(files.values()):
        (tmp_path / f"{number}.dcm").write_bytes(data)
        rows.append(f"{number}.dcm,{NORMAL},p{number}")
    (tmp_path / "table.csv").write_text("\n".join(rows))
    out = tmp_path / "out"
    arguments = ("--table", str(tmp_path / "table.csv"), "--images", str(tmp_path), "--out", str(out), "--size", "32")
    code, output, error = command("prepare", "table", *arguments)
    assert code == 0, error
    assert_tells_nothing(out, output, error)


def test_generate_tells_nothing(
    files: Mapping[str, bytes], checkpoint: Path, tmp_path: Path, run: Run, caplog: pytest.LogCaptureFixture
) -> None:
    names = ["one", *(name for name in files if name not in VALID)]
    for name in names:
        (tmp_path / f"{name}.dcm").write_bytes(files[name])
    out = tmp_path / "drafts.jsonl"
    with caplog.at_level(logging.DEBUG):
        code, output, error = run(
            "generate",
            *(str(tmp_path / f"{name}.dcm") for name in names),
            "--checkpoint",
            str(checkpoint),
            "--out",
            str(out),
        )
    assert code == 1
    for text in (output, error, caplog.text, out.read_text()):
        assert found_in(text) == []
    lines = [json.loads(line) for line in out.read_text().splitlines()]
    assert len(lines) == len(names) and all(line.get("refused") or line.get("report") is not None for line in lines)
    assert sum("refused" in line for line in lines) > 10
