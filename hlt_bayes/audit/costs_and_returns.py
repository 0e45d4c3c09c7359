"""Check that printed costs and returns are consistent with each other and with the impacts."""

from __future__ import annotations

from collections.abc import Iterator

from hlt_bayes.audit.cells import Cell, Finding, PrintedCells, weighted_bounds
from hlt_bayes.audit.estimates import impact_cells
from hlt_bayes.core.vocabulary import OUTCOMES, POOLED_GROUPS

VALUED = {"financial": "employment", "economic": "health"}
"""The outcome to which section 2.1 of the synthesis report attributes each kind of return."""


def costs_of_pooled_rows(printed: PrintedCells) -> Iterator[Finding]:
    """Check the cost of a pooled row against the mean of its parts, weighted by recruits to treatment."""
    for group, names in POOLED_GROUPS.items():
        pooled = printed.stated("cost per head", group=group)
        parts = [printed.stated("cost per head", group=name) for name in names]
        treated = [printed.stated("recruits", group=name, arm="treatment") for name in names]
        costs, weights = [c for c in parts if c], [c for c in treated if c]
        if pooled is None or len(costs) != 2 or len(weights) != 2:
            continue
        low, high = weighted_bounds(costs, [cell.value for cell in weights])
        if not pooled.allows(low, high):
            yield Finding(
                "cost of a pooled row",
                "error",
                (pooled, *costs),
                f"the parts weighted by recruits to treatment cost £{low:,.1f} to £{high:,.1f}, printed "
                f"{pooled.printed}",
            )


def returns_and_impacts(printed: PrintedCells) -> Iterator[Finding]:
    """Check that one price of the impact explains all returns above zero, and report what returns of zero omit."""
    impacts = impact_cells(printed)
    for perspective, outcome in VALUED.items():
        returns = {
            q[3]: cells[0] for q, cells in printed.quantities.items() if q[0] == f"{perspective} return" and not q[1]
        }
        half_unit = min((cell.half_unit for cell in returns.values()), default=0.0)
        priced = {group: cell for group, cell in returns.items() if cell.value > 0}
        known = {group: impacts.get((outcome, group)) for group in priced}
        if len(known) < 2 or any(cell is None or cell.low <= 0 for cell in known.values()):
            continue
        at = {name: _prices(printed, priced, impacts, outcome, net=net) for name, net in (("gross", 0.0), ("net", 1.0))}
        common = {name: (max(low for low, _ in found), min(high for _, high in found)) for name, found in at.items()}
        agree = {name: low <= high for name, (low, high) in common.items()}
        cells = tuple(cell for group in priced for cell in (priced[group], impacts[(outcome, group)]))
        texts = {name: "; ".join(f"£{low:,.0f} to £{high:,.0f}" for low, high in found) for name, found in at.items()}
        about = f"{perspective} returns and impacts on {outcome}:"
        if not agree["gross"] and not agree["net"]:
            yield Finding(
                "returns and impacts", "error", cells, f"{about} no single price explains all ({texts['gross']})"
            )
            continue
        low, high = common["gross" if agree["gross"] else "net"]
        called_net = [
            cell for cell in printed.cells if cell.quantity[0] == f"{perspective} return" and " net " in cell.row
        ]
        if called_net and agree["gross"] and not agree["net"]:
            yield Finding(
                "returns gross or net",
                "warning",
                (called_net[0], *cells),
                f"{about} the text calls the returns net; if they are gross of cost, one price of £{low:,.0f} to "
                f"£{high:,.0f} explains them all; if they are net, no single price does ({texts['net']})",
            )
        if agree["gross"]:
            yield from _zeros(printed, returns, impacts, outcome, (low, high), half_unit)
    yield from _economic_below_financial(printed)


def _prices(
    printed: PrintedCells, priced: dict[str, Cell], impacts: dict[tuple[str, str], Cell], outcome: str, *, net: float
) -> list[tuple[float, float]]:
    """Price, in £ per unit of impact, implied by each group's return: bounds given rounding."""
    found = []
    for group, cell in priced.items():
        cost, impact = printed.stated("cost per head", group=group), impacts[(outcome, group)]
        if cost is None:
            continue
        scale = OUTCOMES[outcome].display_scale
        low = (cell.low + net) * cost.low / (impact.high / scale)
        high = (cell.high + net) * cost.high / (impact.low / scale)
        found.append((low, high))
    return found


def _zeros(
    printed: PrintedCells,
    returns: dict[str, Cell],
    impacts: dict[tuple[str, str], Cell],
    outcome: str,
    price: tuple[float, float],
    half_unit: float,
) -> Iterator[Finding]:
    """Find returns of £0 where the price implied by the other returns gives a return other than zero."""
    for group, cell in returns.items():
        impact, cost = impacts.get((outcome, group)), printed.stated("cost per head", group=group)
        if cell.value != 0 or impact is None or cost is None:
            continue
        ends = [
            end / OUTCOMES[outcome].display_scale * pound / cost.value
            for end in (impact.low, impact.high)
            for pound in price
        ]
        if min(ends) > half_unit or max(ends) < -half_unit:
            yield Finding(
                "return of zero",
                "warning",
                (cell, impact, cost),
                f"at the price implied by the other returns (£{price[0]:,.0f} to £{price[1]:,.0f} per unit of "
                f"{outcome}), {impact.printed} returns {_pounds(min(ends))} to {_pounds(max(ends))} for each £1, "
                f"printed {cell.printed}: this impact was apparently counted as zero",
            )


def _economic_below_financial(printed: PrintedCells) -> Iterator[Finding]:
    for quantity, cells in printed.quantities.items():
        if quantity[0] != "economic return" or quantity[1]:
            continue
        financial = printed.stated("financial return", group=quantity[3])
        if financial is not None and cells[0].value < financial.value:
            yield Finding(
                "economic below financial",
                "note",
                (cells[0], financial),
                f"economic return {cells[0].printed}, financial return {financial.printed}: the economic return does "
                "not include the financial one",
            )


def _pounds(amount: float) -> str:
    return f"{'-' if amount < 0 else ''}£{abs(amount):.3f}"
