"""An audit of anybody's labels: what is wrong, how surely, where, and what would repair it.

`read.rows` reads a file, a folder or a run; `audit.audit` looks at the samples with every module of `kinds/`,
one file a kind of finding; `merits` says what each kind was measured to be worth; `repair` writes a new file.
"""
