"""A bicycle workshop's own functions: an example of what a person brings. Type hints and docstrings are all
that the tools are made of.
"""

from __future__ import annotations

from datetime import date
from typing import Literal, TypedDict

Service = Literal["tune up", "brake check", "wheel truing", "flat tyre"]
Weekday = Literal["Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday"]


class Part(TypedDict):
    """A spare part in stock."""

    part_id: str
    name: str
    price: float
    in_stock: int


_PARTS: dict[str, Part] = {
    p["part_id"]: p
    for p in (
        Part(part_id="BP-2041", name="brake pads", price=14.5, in_stock=12),
        Part(part_id="CH-1180", name="chain", price=28.0, in_stock=5),
        Part(part_id="CH-1195", name="chain", price=44.0, in_stock=2),
        Part(part_id="IT-3307", name="inner tube", price=6.9, in_stock=40),
        Part(part_id="SD-5210", name="saddle", price=39.0, in_stock=3),
        Part(part_id="PD-6114", name="pedals", price=22.0, in_stock=8),
    )
}
_REPAIRS: dict[str, dict[str, str]] = {}


def find_parts(part: str, max_price: float | None = None) -> list[Part]:
    """Search the spare parts in stock.

    Args:
        part: What the part is called, e.g. inner tube
        max_price: Highest price in euros
    """
    return [
        p
        for p in _PARTS.values()
        if part.lower() in p["name"] and (max_price is None or p["price"] <= max_price)
    ]


def reserve_part(part_id: str, quantity: int = 1) -> dict[str, object]:
    """Put a part aside for a customer.

    Args:
        part_id: Number of the part
        quantity: How many
    """
    part = _PARTS.get(part_id)
    if part is None or part["in_stock"] < quantity:
        return {
            "reserved": False,
            "reason": "no such part" if part is None else f"only {part['in_stock']} in stock",
        }
    part["in_stock"] -= quantity
    return {"reserved": True, "part_id": part_id, "quantity": quantity}


def book_repair(customer: str, day: date, service: Service) -> dict[str, str]:
    """Book a bicycle in for a repair.

    Args:
        customer: Name of the customer
        day: Day of the repair, YYYY-MM-DD
        service: What is to be done
    """
    repair_id = f"REP-{4001 + len(_REPAIRS)}"
    _REPAIRS[repair_id] = {"customer": customer, "day": str(day), "service": service}
    return {"repair_id": repair_id, **_REPAIRS[repair_id]}


def cancel_repair(repair_id: str) -> dict[str, object]:
    """Cancel a repair that was booked.

    Args:
        repair_id: Number of the repair
    """
    return {"repair_id": repair_id, "cancelled": _REPAIRS.pop(repair_id, None) is not None}


def get_opening_hours(weekday: Weekday) -> dict[str, str]:
    """Get the opening hours of the workshop on a day of the week."""
    return {
        "weekday": weekday,
        "open": (
            "closed" if weekday == "Sunday" else "09:00-14:00" if weekday == "Saturday" else "09:00-18:30"
        ),
    }
