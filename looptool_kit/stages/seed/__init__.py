"""Stage seed. Strategies (setting `seeds.source`): `world`, `evolved`, `templates`, `trees`, `file`."""
