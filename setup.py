"""Which directories make up the package; everything else stands in pyproject.toml, which cannot say "found
packages plus one from elsewhere".
"""

from setuptools import find_packages, setup

setup(
    packages=[
        *find_packages(include=["looptool_kit", "looptool_kit.*"]),
        "looptool_kit.widgets",
    ],
    package_dir={"looptool_kit": "looptool_kit", "looptool_kit.widgets": "widgets"},
)
