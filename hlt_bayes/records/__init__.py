"""Individual records: their schema, how they are read and checked, and a synthetic twin."""

from hlt_bayes.records.disclosure import describe_records, suppressed
from hlt_bayes.records.findings import RecordFindings
from hlt_bayes.records.listing import schema_table
from hlt_bayes.records.people import Records
from hlt_bayes.records.reading import check_records, load_records, records_of_frame
from hlt_bayes.records.schema import COLUMNS, CONTACT_BANDS

__all__ = [
    "COLUMNS",
    "CONTACT_BANDS",
    "RecordFindings",
    "Records",
    "check_records",
    "describe_records",
    "load_records",
    "records_of_frame",
    "schema_table",
    "suppressed",
]
