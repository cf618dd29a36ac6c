"""The account of a run: the scoreboard, what is planned, the page with its figures."""
