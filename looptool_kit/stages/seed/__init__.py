"""Stage seed. Strategies (setting `seeds.source`): `world`, `templates`, `trees`, `file`."""
