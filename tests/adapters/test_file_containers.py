"""Every container gives the same records, in bounded memory, with their places."""

import bz2
import csv
import gzip
import io
import json
import lzma
import sys
import tracemalloc
from collections.abc import Mapping, Sequence
from pathlib import Path

import lz4.frame
import pytest
import zstandard
from hypothesis import given
from hypothesis import strategies as st

from judgestream.adapters.files import STDIN, expanded, read_records
from judgestream.core.errors import ConfigurationError
from judgestream.core.formats.fields import InvalidRecord

ROWS: list[dict[str, object]] = [
    {"question": "你好 👩‍🔬?", "answer": 'a "b"; c,\td'},
    {"question": "2 + 2?", "answer": "4\n\nor so"},
]
LINES = "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in ROWS)
ARRAY = json.dumps(ROWS, indent=2, ensure_ascii=False)


def read(folder: Path, raw: str | bytes, name: str = "rows") -> list[Mapping[str, object]]:
    path = folder / name
    path.write_bytes(raw.encode() if isinstance(raw, str) else raw)
    return [values for _, values in read_records(path)]


def table(rows: Sequence[Mapping[str, object]], delimiter: str, end: str = "\n") -> str:
    out = io.StringIO(newline="")
    writer = csv.writer(out, delimiter=delimiter, lineterminator=end)
    writer.writerow(rows[0])
    writer.writerows(row.values() for row in rows)
    return out.getvalue()


@pytest.mark.parametrize(
    "pack",
    [gzip.compress, bz2.compress, lzma.compress, zstandard.compress, lz4.frame.compress],
    ids=["gzip", "bzip2", "xz", "zstd", "lz4"],
)
def test_every_compression_is_read_and_a_truncated_file_is_reported(
    tmp_path: Path, pack: object
) -> None:
    packed = pack(LINES.encode())  # type: ignore[operator]
    assert read(tmp_path, packed) == ROWS
    with pytest.raises((ConfigurationError, InvalidRecord), match="cannot be read|not JSON"):
        read(tmp_path, packed[: len(packed) // 2])


def test_two_frames_of_zstd_are_one_file(tmp_path: Path) -> None:
    assert read(tmp_path, zstandard.compress(LINES.encode()) * 2) == ROWS * 2


@pytest.mark.parametrize("mark", ["", "\ufeff"], ids=["bare", "marked"])
@pytest.mark.parametrize("encoding", ["utf-8", "utf-16-le", "utf-16-be", "utf-32-le", "utf-32-be"])
@pytest.mark.parametrize("text", [LINES, ARRAY, table(ROWS, ";")], ids=["lines", "array", "csv"])
def test_every_unicode_encoding_is_read(
    tmp_path: Path, text: str, encoding: str, mark: str
) -> None:
    assert read(tmp_path, (mark + text).encode(encoding)) == ROWS


def test_a_mark_in_the_middle_of_joined_files_is_passed_over(tmp_path: Path) -> None:
    assert read(tmp_path, f"{LINES}\ufeff{LINES}") == ROWS * 2


@pytest.mark.parametrize(
    "raw", ["é".encode("latin-1"), b"\xff", b"\xc3("], ids=["latin", "ff", "cut"]
)
@pytest.mark.parametrize("name", ["rows.jsonl", "rows.json", "rows.csv"])
def test_other_encodings_are_refused_with_the_way_to_convert(
    tmp_path: Path, raw: bytes, name: str
) -> None:
    text = {
        "rows.jsonl": b'{"a": 1}\n{"a": "%b"}\n',
        "rows.json": b'[{"a": "%b"}]',
        "rows.csv": b"a,b\n1,%b\n",
    }[name]
    with pytest.raises(InvalidRecord, match=r"not UTF-8 .*`iconv -f LATIN1 -t UTF-8"):
        read(tmp_path, text.replace(b"%b", raw), name)


@pytest.mark.parametrize(
    "text",
    [
        json.dumps(ROWS[0], indent=2) + "\n" + json.dumps(ROWS[1], indent=2),
        json.dumps({"version": "1", "data": ROWS}),
        json.dumps({"rows": ROWS, "total": 2}, indent=2),
        json.dumps({"rows": [{"row_idx": k, "row": row} for k, row in enumerate(ROWS)]}),
        json.dumps({"columns": ["question", "answer"], "data": [list(r.values()) for r in ROWS]}),
        json.dumps({name: [row[name] for row in ROWS] for name in ROWS[0]}),
        json.dumps({name: {str(k): r[name] for k, r in enumerate(ROWS)} for name in ROWS[0]}),
        json.dumps({str(k): row for k, row in enumerate(ROWS)}),
        json.dumps({"train": ROWS[:1], "test": ROWS[1:]}),
        json.dumps({name: [row[name] for row in ROWS] for name in ROWS[0]}, indent=1),
    ],
    ids=[
        "objects",
        "data",
        "rows",
        "server",
        "split",
        "columns",
        "pandas",
        "index",
        "splits",
        "wide",
    ],
)
def test_rows_inside_an_object_are_found(tmp_path: Path, text: str) -> None:
    assert read(tmp_path, text) == ROWS


@pytest.mark.parametrize(
    "record",
    [
        {"question": "q", "candidates": [{"text": "a"}, {"text": "b"}]},
        {
            "chosen": [{"role": "user", "content": "a"}],
            "rejected": [{"role": "user", "content": "b"}],
        },
        {"messages": [{"role": "user", "content": text} for text in "ab"], "choices": ["a", "b"]},
        {"data": "text", "rows": []},
    ],
)
@pytest.mark.parametrize("indent", [None, 2])
def test_a_record_with_lists_stays_a_record(
    tmp_path: Path, record: dict[str, object], indent: int | None
) -> None:
    assert read(tmp_path, json.dumps(record, indent=indent)) == [record]


@pytest.mark.parametrize("delimiter", [",", ";", "\t", "|"])
@pytest.mark.parametrize("end", ["\n", "\r\n"])
def test_tables_are_read_with_any_delimiter_quoted_newlines_and_line_ends(
    tmp_path: Path, delimiter: str, end: str
) -> None:
    assert read(tmp_path, table(ROWS, delimiter, end)) == ROWS
    assert read(tmp_path, "\ufeff" + table(ROWS, delimiter, end), "rows.csv") == ROWS


def test_excels_first_line_names_the_delimiter(tmp_path: Path) -> None:
    path = tmp_path / "rows.csv"
    path.write_text("sep=;\na;b\n1;2\n")
    ((place, values),) = read_records(path)
    assert (place.number, values) == (3, {"a": "1", "b": "2"})


@given(
    rows=st.lists(st.tuples(*[st.text(max_size=12)] * 3), max_size=5),
    delimiter=st.sampled_from([",", ";", "\t", "|"]),
)
def test_any_cells_come_back_from_a_table(
    tmp_path_factory: pytest.TempPathFactory, rows: list[tuple[str, str, str]], delimiter: str
) -> None:
    rows = [tuple(_plain(cell) for cell in row) for row in rows]  # type: ignore[misc]
    written = [dict(zip(("first", "second", "third"), row, strict=True)) for row in rows]
    text = table([dict.fromkeys(("first", "second", "third"), ""), *written], delimiter)
    head, _, rest = text.partition("\n")
    _, _, rest = rest.partition("\n")
    folder = tmp_path_factory.mktemp("table")
    assert read(folder, f"{head}\n{rest}", "rows.csv") == written


def _plain(cell: str) -> str:
    """Without the line ends that Python's own CSV writer leaves unquoted, and half surrogate pairs."""
    return cell.replace("\r", "").replace("\0", "").encode(errors="replace").decode()


@given(
    st.recursive(
        st.none()
        | st.booleans()
        | st.integers()
        | st.floats(allow_nan=False)
        | st.text(max_size=6),
        lambda inner: (
            st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner, max_size=3)
        ),
        max_leaves=6,
    )
)
def test_any_record_comes_back_from_lines_and_arrays(
    tmp_path_factory: pytest.TempPathFactory, value: object
) -> None:
    folder = tmp_path_factory.mktemp("json")
    record = {"record": value, "text": "x"}
    assert read(folder, (json.dumps(record) + "\n") * 2) == [record] * 2
    assert read(folder, json.dumps([record, record])) == [record] * 2
    assert read(folder, (json.dumps(record, indent=1) + "\n") * 2) == [record] * 2


def test_bad_records_are_reported_one_by_one_and_the_others_are_read(tmp_path: Path) -> None:
    path = tmp_path / "rows"
    lines = ['{"a": 1}', "{oops", "[1]", '{"a": 2}', "null", '"x"', '{"a": 3}']
    path.write_text("\n".join(lines))
    told: list[InvalidRecord] = []
    assert [dict(v)["a"] for _, v in read_records(path, told.append)] == [1, 2, 3]
    places = [str(one).partition(":")[0].rpartition(" ")[2] for one in told]
    assert places == ["2", "3", "5", "6"]
    told.clear()
    path.write_text("{oops\n" + '{"a": 1}\n')
    assert [v for _, v in read_records(path, told.append)] == [{"a": 1}] and len(told) == 1
    told.clear()
    path.write_text('a,b\n1,2\n1\n"x"y,2\n3,4\n')
    assert [v["a"] for _, v in read_records(path, told.append)] == ["1", "3"]
    assert [str(one).partition(":")[0].rpartition(" ")[2] for one in told] == ["3", "4"]


@pytest.mark.parametrize(
    ("raw", "message"),
    [
        (b"PK\x03\x04....", "is a ZIP archive or an Excel workbook: .*save the sheet as CSV"),
        (b"%PDF-1.7", "is a PDF: export"),
        (b"\x80\x04\x95", "is a pickle: .*never loaded"),
        (b"SQLite format 3\x00", "is an SQLite database: sqlite3 -json"),
        (b"version https://git-lfs.github.com/spec/v1\n", "Git LFS pointer.*git lfs pull"),
        (b"\n<!DOCTYPE html>", "is a web page: download the file itself"),
        (b"\0" * 257 + b"ustar", "is a tar archive: unpack it"),
    ],
)
def test_files_of_other_kinds_are_named_with_the_way_to_convert_them(
    tmp_path: Path, raw: bytes, message: str
) -> None:
    with pytest.raises(ConfigurationError, match=message):
        read(tmp_path, raw)


class TestColumnar:
    @pytest.fixture(autouse=True)
    def _needs(self) -> None:
        pytest.importorskip("pyarrow")

    @pytest.mark.parametrize("name", ["rows.parquet", "rows.arrow", "stream.arrow", "rows.bin"])
    def test_parquet_and_both_forms_of_arrow_are_read(self, tmp_path: Path, name: str) -> None:
        path = tmp_path / name
        write_columnar(path, ROWS * 300)
        assert [values for _, values in read_records(path)] == ROWS * 300

    def test_packed_and_from_standard_input(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        path = tmp_path / "rows.parquet"
        write_columnar(path, ROWS)
        raw = path.read_bytes()
        assert read(tmp_path, gzip.compress(raw)) == ROWS
        monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(raw)))
        assert [values for _, values in read_records(STDIN)] == ROWS

    def test_a_damaged_file_is_one_sentence(self, tmp_path: Path) -> None:
        with pytest.raises(ConfigurationError, match="cannot be read"):
            read(tmp_path, b"PAR1" + b"x" * 40, "rows.parquet")

    def test_a_folder_of_the_datasets_library_is_read_with_its_class_names(
        self, tmp_path: Path
    ) -> None:
        datasets = pytest.importorskip("datasets")
        features = datasets.Features(
            question=datasets.Value("string"), winner=datasets.ClassLabel(names=["b", "a"])
        )
        rows = {"question": ["q1", "q2"], "winner": [0, 1]}
        one = datasets.Dataset.from_dict(rows, features=features)
        datasets.DatasetDict(train=one, test=one).save_to_disk(str(tmp_path / "set"))
        wanted = [{"question": "q1", "winner": "b"}, {"question": "q2", "winner": "a"}]
        assert [values for _, values in read_records(tmp_path / "set")] == wanted * 2
        one.to_parquet(str(tmp_path / "one.parquet"))
        assert [values for _, values in read_records(tmp_path / "one.parquet")] == wanted


def write_columnar(path: Path, rows: list[dict[str, object]]) -> None:
    import pyarrow  # noqa: PLC0415
    import pyarrow.parquet  # noqa: PLC0415

    data = pyarrow.Table.from_pylist(rows)
    if path.name.endswith((".parquet", ".bin")):
        pyarrow.parquet.write_table(data, path)
        return
    new = pyarrow.ipc.new_stream if path.name.startswith("stream") else pyarrow.ipc.new_file
    with new(str(path), data.schema) as writer:
        writer.write_table(data)


def test_a_folder_gives_its_data_files(tmp_path: Path) -> None:
    (tmp_path / "data").mkdir()
    for name in ("data/train-0.jsonl", "data/test.csv.gz", "README.md", "load.py", ".hidden.jsonl"):
        (tmp_path / name).write_text("{}")
    (tmp_path / "dataset_infos.json").write_text("{}")
    assert [str(p.relative_to(tmp_path)) for p in expanded([tmp_path])] == [
        "data/test.csv.gz",
        "data/train-0.jsonl",
    ]
    with pytest.raises(ConfigurationError, match="holds no data file"):
        (tmp_path / "empty").mkdir()
        expanded([tmp_path / "empty"])


def test_memory_holds_one_record_of_a_file_in_one_line(tmp_path: Path) -> None:
    path = tmp_path / "rows"
    for text in ("[{0}]", '{{"data": [{0}]}}'):
        path.write_text(text.format(",".join([json.dumps({"a": "x" * 1000})] * 30_000)))
        tracemalloc.start()
        assert sum(1 for _ in read_records(path)) == 30_000
        _, peak = tracemalloc.get_traced_memory()
        tracemalloc.stop()
        assert peak < 16 << 20, f"{peak} bytes of {path.stat().st_size}"
