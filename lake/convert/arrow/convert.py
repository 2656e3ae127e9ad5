"""Arrow IPC, files and streams, to Parquet: batch by batch, no value changed."""

import struct
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from lake.config.types import AS_IT_COMES, Reading
from lake.convert.arrow.types import plain_array, plain_schema
from lake.convert.converted import Converted
from lake.errors import SourceUnreadable, StoreUnavailable

_GROUP_ROWS = 100_000
_GROUP_BYTES = 64 << 20
_END = struct.pack("<Ii", 0xFFFFFFFF, 0)
_MAGIC = b"ARROW1"


def is_stream(path: Path) -> bool:
    """Tell whether an Arrow stream begins in the file at `path`: with a schema that can be read."""
    try:
        with pa.OSFile(str(path)) as file, pa.ipc.open_stream(file):
            return True
    except (pa.ArrowException, OSError):
        return False


def convert_arrow(
    path: Path,
    out: Path,
    *,
    name: str,
    reading: Reading = AS_IT_COMES,
    rejects: Path | None = None,
) -> Converted:
    """Write the rows of the Arrow file or stream at `path` to a zstd Parquet at `out`.

    Every value is what it was; dictionaries and run ends are written out. Every row lands or the
    whole is refused: `rejects` is never made, and of `reading` nothing is used. Memory is bounded
    by a batch of the source.

    Raises:
        SourceUnreadable: it is damaged or cut off, names a column twice, or holds what no Parquet
            holds exactly. `out` is not there then.
        StoreUnavailable: the disk is full. Safe to retry.
    """
    del reading, rejects
    try:
        with _opened(path, name) as (schema, batches):
            return Converted(_write(schema, batches, out, name))
    except (pa.ArrowException, OSError) as exc:
        out.unlink(missing_ok=True)
        if isinstance(exc, OSError) and exc.errno:
            raise StoreUnavailable(
                f"{name} could not be converted here: {exc.strerror or exc}; make room"
            ) from exc
        raise SourceUnreadable(
            f"{name} is a damaged or truncated Arrow file ({str(exc).splitlines()[0]}): fetch it"
            " again"
        ) from exc
    except SourceUnreadable:
        out.unlink(missing_ok=True)
        raise


@contextmanager
def _opened(path: Path, name: str) -> Iterator[tuple[pa.Schema, Iterator[pa.RecordBatch]]]:
    with ExitStack() as stack:
        head = _head(path)
        options = pa.ipc.IpcReadOptions(use_threads=False)
        if head == _MAGIC:
            source = stack.enter_context(pa.memory_map(str(path)))
            file = stack.enter_context(pa.ipc.open_file(source, options=options))
            yield file.schema, (file.get_batch(i) for i in range(file.num_record_batches))
            return
        source = stack.enter_context(pa.OSFile(str(path)))
        stream = stack.enter_context(pa.ipc.open_stream(source, options=options))
        yield stream.schema, _streamed(stream, source, name)


def _head(path: Path) -> bytes:
    with path.open("rb") as file:
        return file.read(len(_MAGIC))


def _streamed(
    stream: pa.RecordBatchReader, source: pa.NativeFile, name: str
) -> Iterator[pa.RecordBatch]:
    end = source.tell()
    while True:
        try:
            batch = stream.read_next_batch()
        except StopIteration:
            break
        yield batch
        end = source.tell()
    # Without its mark, an end may be a cut between two batches.
    source.seek(end)
    rest = source.read(len(_END) + 1)
    if rest != _END:
        what = "more behind its end mark" if rest.startswith(_END) else "no end mark"
        raise SourceUnreadable(f"{name} is an Arrow stream with {what}: fetch it again")


def _write(schema: pa.Schema, batches: Iterator[pa.RecordBatch], out: Path, name: str) -> int:
    wanted = plain_schema(schema, name=name)
    rows = 0
    # Its own schema beside the Parquet's would bring the types back that were written out.
    with pq.ParquetWriter(out, wanted, compression="zstd", store_schema=False) as writer:
        for group in _groups(batches):
            table = _plain_table(group, schema, wanted, name)
            writer.write_table(table, row_group_size=_GROUP_ROWS)
            rows += table.num_rows
    return rows


def _groups(batches: Iterator[pa.RecordBatch]) -> Iterator[list[pa.RecordBatch]]:
    """Give batches together that are large enough for a row group, large ones in slices."""
    waiting: list[pa.RecordBatch] = []
    rows = size = 0
    for whole in batches:
        whole.validate(full=True)
        for start in range(0, whole.num_rows, _GROUP_ROWS):
            part = whole.slice(start, _GROUP_ROWS)
            waiting.append(part)
            rows, size = rows + part.num_rows, size + part.nbytes
            if rows >= _GROUP_ROWS or size >= _GROUP_BYTES:
                yield waiting
                waiting, rows, size = [], 0, 0
    if waiting:
        yield waiting


def _plain_table(
    group: Sequence[pa.RecordBatch], schema: pa.Schema, wanted: pa.Schema, name: str
) -> pa.Table:
    parts = [
        pa.RecordBatch.from_arrays(
            [
                plain_array(array, field.type, name=name, column=field.name)
                for array, field in zip(batch.columns, wanted, strict=True)
            ],
            schema=wanted,
        )
        for batch in group
    ]
    return pa.Table.from_batches(parts, schema=wanted)
