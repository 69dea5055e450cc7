"""Print the requirements of pyproject.toml: the base ones and those of the extras named as arguments, one a line."""

import sys
import tomllib
from pathlib import Path

project = tomllib.loads((Path(__file__).parent.parent / "pyproject.toml").read_text())["project"]
extras = project["optional-dependencies"]
for requirement in [*project["dependencies"], *(item for name in sys.argv[1:] for item in extras[name])]:
    sys.stdout.write(requirement + "\n")
