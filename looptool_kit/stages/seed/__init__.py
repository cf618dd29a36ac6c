"""Stage seed. Strategies are the modules of this folder, named by the setting `seeds.source`."""
