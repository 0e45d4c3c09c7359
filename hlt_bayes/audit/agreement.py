"""Check that repeated statements agree: text with tables, documents with each other, bases with their tables."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence

from hlt_bayes.audit.cells import Cell, Finding, PrintedCells, plain
from hlt_bayes.evidence.claims import Relation
from hlt_bayes.evidence.printed_text import MONTH, month_words

_EDGE = 1e-9
_RESPONSES = {
    "4-month survey response": ("4-month survey sample", "4-month"),
    "12-month survey response": ("12-month survey sample", "12-month"),
}


def one_quantity_one_value(printed: PrintedCells) -> Iterator[Finding]:
    """Check that cells stating the same quantity agree, within rounding."""
    for quantity, cells in printed.quantities.items():
        apart = _distinct(cells)
        if len(apart) < 2 or quantity[0] == "significance":
            continue
        units = dict.fromkeys(cell.unit.replace("pence", "GBP") for cell in apart)
        if len(units) > 1:
            said = f"{' v '.join(f'{cell.printed} {cell.unit}' for cell in apart)}: one requirement, two units"
        else:
            said = f"{' v '.join(_words(cell) for cell in apart)} for one quantity ({_named(quantity)})"
            said += _denominators(printed, apart)
        severity = "error" if any(_contradict(one, two) for one, two in _pairs(apart)) else "warning"
        yield Finding("one quantity, two values", severity, tuple(apart), said)


def _contradict(cell: Cell, other: Cell) -> bool:
    """Return True if differing values contradict: same document and denominator, and neither a duration nor a date."""
    bases = {cell.base, other.base} if cell.quantity[0] in _RESPONSES else set()
    return cell.document == other.document and len(bases) < 2 and cell.unit not in ("months", MONTH)


def _distinct(cells: Sequence[Cell]) -> list[Cell]:
    """Keep the first cell of each distinct value, allowing for rounding."""
    apart: list[Cell] = []
    for cell in cells:
        if all(not _same(cell, other) for other in apart):
            apart.append(cell)
    return apart


def _same(cell: Cell, other: Cell) -> bool:
    if cell.unit != other.unit and "GBP" not in cell.unit:
        return False
    if cell.place == other.place and cell.document == other.document and cell.place.startswith("Table"):
        return True  # one label over two rows, which ``labels_twice`` reports
    if cell.is_exact or other.is_exact:
        return cell.allows(other.value) and other.allows(cell.value)
    # Intervals that only touch would need both numbers to lie on the edge of their rounding.
    return min(cell.high, other.high) - max(cell.low, other.low) > _EDGE * max(1.0, abs(cell.value))


def _words(cell: Cell) -> str:
    return month_words(cell.value) if cell.unit == MONTH else cell.printed


def _named(quantity: tuple[str, ...]) -> str:
    return ", ".join(part for part in quantity if part)


def _denominators(printed: PrintedCells, cells: Sequence[Cell]) -> str:
    """For response rates, state the denominator that gives each of them."""
    measure, _, _, group, arm = cells[0].quantity
    if measure not in _RESPONSES:
        return ""
    return "; " + "; ".join(_makes(printed, cell, measure, group, arm) for cell in cells)


def _makes(printed: PrintedCells, cell: Cell, measure: str, group: str, arm: str) -> str:
    sample, wave = _RESPONSES[measure]
    answered = printed.stated(sample, group=group, arm=arm)
    asked = [
        printed.stated("recruits", group=group, arm=arm),
        printed.stated("survey issued", category=wave, group=group, arm=arm),
    ]
    found = [
        f"{cell.printed} is {plain(answered.value)} of {plain(people.value)}"
        for people in asked
        if answered and people and cell.rounded_or_cut_from(100 * answered.value / people.value)
    ]
    return found[0] if found else f"no printed number of people gives {cell.printed}"


def response_rates_name_their_base(printed: PrintedCells) -> Iterator[Finding]:
    """Find response rates without a stated denominator."""
    rows: dict[tuple[str, str, str], list[Cell]] = {}
    for cell in printed.cells:
        if cell.quantity[0] in _RESPONSES and cell.known and cell.base != cell.base:
            rows.setdefault((cell.document, cell.place, cell.row), []).append(cell)
    for cells in rows.values():
        made = [_makes(printed, cell, cell.quantity[0], cell.quantity[3], cell.quantity[4]) for cell in cells]
        yield Finding("response rate without a base", "note", tuple(cells), f"no base is named; {'; '.join(made)}")


def claims_of_running_text(printed: PrintedCells) -> Iterator[Finding]:
    """Check the arithmetic that the text claims, within rounding."""
    for relation in printed.evidence.relations:
        terms = [printed.named(name) for name in relation.terms]
        result = printed.named(relation.result) if relation.result else None
        cells = tuple([result, *terms] if result else terms)
        sure = len({cell.document for cell in cells}) == 1 and not relation.otherwise
        severity = "error" if sure else "warning"
        unless = f"; unless {relation.otherwise}" if relation.otherwise else ""
        if not all(cell.known for cell in cells):
            continue
        if result is None:
            first, second = terms
            if first.value <= second.value:
                yield Finding(
                    "claim of the text",
                    severity,
                    cells,
                    f"{relation.what}: {first.printed} is not above {second.printed}{unless}",
                )
            continue
        if any(cell.allows(0.0) for cell in _divisors(relation, terms)):
            said = f"{relation.what}: {_formula(relation, terms)} divides by a value that may be zero"
            yield Finding("claim of the text", severity, cells, said + unless)
            continue
        low, high = _bounds(relation, terms)
        if not result.allows(low, high):
            exact = high - low < _EDGE
            value = f"{low:.4g}" if exact else f"{low:.4g} to {high:.4g}"
            truncated = exact and result.cut_from(low) and not result.is_exact
            yield Finding(
                "claim of the text",
                "warning" if truncated else severity,
                cells,
                f"{relation.what}: {_formula(relation, terms)} is {value}, printed {result.printed}"
                + (": truncated, not rounded" if truncated else unless),
            )


def _divisors(relation: Relation, terms: Sequence[Cell]) -> Sequence[Cell]:
    """Terms that the arithmetic divides by."""
    if relation.kind in ("sum", "difference"):
        return ()
    return terms[1::2] if relation.kind == "difference_of_shares" else terms[-1:]


def _bounds(relation: Relation, terms: Sequence[Cell]) -> tuple[float, float]:
    """Smallest and largest result compatible with the rounding of the terms."""
    ends = [(cell.value, cell.value) if cell.is_exact else (cell.low, cell.high) for cell in terms]
    compute: Callable[..., float] = _COMPUTE[relation.kind]
    values = [compute(*choice) for choice in _corners(ends)]
    return min(values), max(values)


def _corners(ends: Sequence[tuple[float, float]]) -> list[list[float]]:
    """All terms at one bound, or the first or last at the other: enough except for differences of rounded shares."""
    least, most = [low for low, _ in ends], [high for _, high in ends]
    first_least, first_most = [least[0], *most[1:]], [most[0], *least[1:]]
    last_least, last_most = [*most[:-1], least[-1]], [*least[:-1], most[-1]]
    return [least, most, first_least, first_most, last_least, last_most]


def _sum(*terms: float) -> float:
    return sum(terms)


_COMPUTE: dict[str, Callable[..., float]] = {
    "sum": _sum,
    "difference": lambda first, second: first - second,
    "share": lambda part, whole: 100 * part / whole,
    "relative": lambda first, second: 100 * (first / second - 1),
    "ratio": lambda first, second: first / second,
    "difference_of_shares": lambda a, b, c, d: 100 * (a / b - c / d),
    "ratio_of_sum": lambda *terms: sum(terms[:-1]) / terms[-1],
}


def _formula(relation: Relation, terms: Sequence[Cell]) -> str:
    texts = [plain(cell.value) for cell in terms]
    if relation.kind == "sum":
        return " + ".join(texts)
    if relation.kind == "difference":
        return " - ".join(texts)
    if relation.kind == "ratio":
        return " / ".join(texts)
    if relation.kind == "ratio_of_sum":
        return f"({' + '.join(texts[:-1])}) / {texts[-1]}"
    if relation.kind == "difference_of_shares":
        return f"100 x {texts[0]} / {texts[1]} - 100 x {texts[2]} / {texts[3]}"
    return f"100 x {texts[0]} / {texts[1]}{' - 100' if relation.kind == 'relative' else ''}"


def bases_as_claimed(printed: PrintedCells) -> Iterator[Finding]:
    """Check that stated bases match the table's total, and that each description of a base has one size."""
    claims: dict[tuple[str, str], list[tuple[str, tuple[Cell, ...]]]] = {}
    for table, grid in printed.tables():
        total = grid.at(table.total_row, table.total_column) if table.total_row and table.total_column else None
        if total is not None and table.base_people is not None and total.value != table.base_people:
            yield Finding(
                "base as claimed",
                "error",
                (total,),
                f"the base line says {table.base!r}, the table's total is {total.printed}",
            )
        rows = [table.base_row] if table.base_row else []
        rows += [block.weights_row for block in table.total_percentage_blocks]
        bases = tuple(cell for row in rows for cell in grid.row(row, grid.columns) if cell.is_count)
        if bases and table.base and "answering this question" not in table.base:
            claims.setdefault((table.document, _normal(table.base)), []).append((table.base, bases))
    everything = [(document, text, bases) for (document, _), found in claims.items() for text, bases in found]
    for (document, text, bases), (other_document, other_text, others) in _pairs(everything):
        same_text = document == other_document and _normal(text) == _normal(other_text)
        largest, other_largest = max(bases, key=_value), max(others, key=_value)
        if same_text and largest.value != other_largest.value:
            yield Finding(
                "base as claimed",
                "warning",
                (largest, other_largest),
                f"both tables say “{text}”, but one counts {largest.printed} people, the other {other_largest.printed}",
            )
        if not same_text and document == other_document and largest.value == other_largest.value:
            yield Finding(
                "base as claimed",
                "warning",
                (largest, other_largest),
                f"{largest.printed} people are “{text}” in one table, “{other_text}” in the other",
            )


def _pairs[T](items: Sequence[T]) -> Iterator[tuple[T, T]]:
    return ((first, second) for i, first in enumerate(items) for second in items[i + 1 :])


def _value(cell: Cell) -> float:
    return cell.value


def _normal(text: str) -> str:
    return re.sub(r"\W+", " ", text).strip().lower()
