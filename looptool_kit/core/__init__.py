"""What everything else uses: samples, tables, rows, calls, statistics."""
