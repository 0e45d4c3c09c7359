"""Individual records: their schema, and how they are read and checked."""

from hlt_bayes.ipd.data.findings import RecordFindings
from hlt_bayes.ipd.data.load import check_records, load_records, records_of_frame
from hlt_bayes.ipd.data.records import Records
from hlt_bayes.ipd.data.schema import COLUMNS, CONTACT_BANDS
from hlt_bayes.ipd.data.schema_table import schema_table

__all__ = [
    "COLUMNS",
    "CONTACT_BANDS",
    "RecordFindings",
    "Records",
    "check_records",
    "load_records",
    "records_of_frame",
    "schema_table",
]
