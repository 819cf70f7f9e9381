"""Parquet tables, streamed by row groups."""

from collections.abc import Iterator, Mapping
from pathlib import Path

from agent.ingest.tables_cells import as_text
from voxcurate.errors import SourceError

_ROWS = 1000


def parquet_rows(path: Path, role: str) -> Iterator[tuple[int, Mapping[str, str] | str]]:
    """The rows as text, numbered from 1; columns of bytes are left out, dates are in ISO form.

    Raises:
        SourceError: it is no readable Parquet file.
    """
    import pyarrow as pa
    import pyarrow.parquet as pq

    number = 0
    try:
        with pq.ParquetFile(path) as table:
            schema = table.schema_arrow
            names = [f.name for f in schema if not pa.types.is_binary(f.type)]
            for batch in table.iter_batches(batch_size=_ROWS, columns=names):
                columns = [[as_text(v) for v in column.to_pylist()] for column in batch.columns]
                for cells in zip(*columns, strict=True):
                    number += 1
                    yield number, dict(zip(batch.schema.names, cells, strict=True))
    except pa.ArrowException:
        raise SourceError(f"the {role} table is no readable Parquet after row {number}") from None
