"""CSV and TSV with a header line."""

import csv
import io
from collections.abc import Iterator

from contracts.imports import ROW_BYTES
from pipelines.formats.source import Found, Source, SourceRow

DELIMITERS = ",;\t|"


def rows(source: Source, sample: bytes) -> Iterator[Found]:
    """Each record as `{header: text}`; `line` is the record's last line in the file.

    Empty cells are left out, so that a field's default applies.
    """
    encoding = "utf-16" if sample[:2] in (b"\xff\xfe", b"\xfe\xff") else "utf-8-sig"
    text = io.TextIOWrapper(source.stream, encoding=encoding, errors="strict", newline="")
    csv.field_size_limit(ROW_BYTES)
    reader = csv.reader(text, dialect=_dialect(sample.decode(encoding, errors="replace")))
    header: list[str] = []
    while True:
        try:
            record = next(reader)
        except StopIteration:
            return
        except csv.Error as error:
            yield source.reject(reader.line_num, "CSV_UNREADABLE", str(error))
            continue
        except UnicodeDecodeError as error:
            # A decoder can't go on after a wrong byte: what follows is not known.
            message = f"not {encoding}: byte {error.object[error.start]:#04x}; nothing after it"
            yield source.reject(reader.line_num + 1, "ENCODING_UNREADABLE", f"{message} is read")
            return
        if not any(record):
            continue
        if not header:
            header = [name.strip() for name in record]
        elif len(record) != len(header):
            message = f"has {len(record)} cells, the header has {len(header)}"
            row = ",".join(record).encode(errors="replace")
            yield source.reject(reader.line_num, "CSV_RAGGED", message, row)
        else:
            cells = zip(header, record, strict=True)
            data = {name: cell for name, cell in cells if name and cell}
            yield SourceRow(source.name, reader.line_num, data)


def _dialect(sample: str) -> type[csv.Dialect]:
    """The delimiter that the header line has most of; quoting as RFC 4180 has it."""
    header = sample.split("\n", 1)[0]
    best = max(DELIMITERS, key=header.count)

    class Sniffed(csv.excel):
        delimiter = best

    return Sniffed
