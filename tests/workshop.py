"""The tools of a bicycle workshop, as a person would write them."""

PYTHON = '''
"""Tools of a bicycle workshop."""
import datetime
from typing import Literal, Optional

def book_repair(
    customer: str,
    day: datetime.date,
    bike: Literal["road", "mountain", "cargo"],
    express: bool = False,
    note: Optional[str] = None,
):
    """Book a repair for a customer.

    Args:
        customer: Full name of the customer.
        day: Day on which the bike is brought in.
        express: Whether the repair should be done within a day.
    """

def order_part(part_number: str, quantity: int = 1):
    """Order a spare part.

    Args:
        part_number: Number of the part, e.g. "BK-2041".
        quantity: How many to order.
    """

def repair_status(repair_id: str):
    """Get the status of a repair."""

def send_invoice(repair_id: str, email: str, amount_eur: float, due_date: Optional[datetime.date] = None):
    """Send the invoice for a repair by email.

    Args:
        amount_eur: Amount in euros.
    """
'''
