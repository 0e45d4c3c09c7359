"""Statistical disclosure control of what is computed from individual records."""

from hlt_bayes.ipd.disclosure.describe import describe_records
from hlt_bayes.ipd.disclosure.leave_out import some_left_out
from hlt_bayes.ipd.disclosure.output_check import output_check
from hlt_bayes.ipd.disclosure.rules import Rules, rules_table

__all__ = ["Rules", "describe_records", "output_check", "rules_table", "some_left_out"]
