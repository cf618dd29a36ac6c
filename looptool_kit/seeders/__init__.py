"""Where seed samples come from; each seeder is one module or package found by its name here."""
