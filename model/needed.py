"""What a model's file needs where it is loaded: installed libraries, and modules of one's own."""

import ast
import importlib.util
import pickle
import platform
import re
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from importlib.metadata import packages_distributions, version
from pathlib import Path
from typing import Any

from model.errors import ModelError

ROOT = Path(__file__).resolve().parent.parent
LOCKS = ("requirements/service.txt", "requirements/frames.txt")
CARRIED = re.compile(r"(model\.(?:\w+\.)*?code)(?:\.|$)")  # model.code, and such packages further down
MOVE_IT = "move it to a module in model/code/, which travels with the model, and import it from there"


@dataclass(frozen=True)
class Needed:
    """Versions of libraries by package, and the own files by their path from the repository's root."""

    libraries: dict[str, str]
    code: dict[str, Path]


class Collector(pickle.Pickler):
    """Pickles into nothing, and notes the module of every class and function that the pickle names."""

    def __init__(self) -> None:
        super().__init__(self)  # a file is what has write()
        self.named: dict[str, str] = {}  # module -> the first class or function of it

    def write(self, data: Any) -> int:
        """Drop what a file would keep."""
        return len(data)

    def reducer_override(self, value: Any) -> Any:
        """Note it, and pickle it as ever."""
        # Classes and functions have both names, those of Cython too, whose type is of no module that exists.
        is_named = all(isinstance(getattr(value, name, None), str) for name in ("__module__", "__qualname__"))
        named = value if is_named else type(value)
        self.named.setdefault(named.__module__, named.__qualname__)
        return NotImplemented


def needed_by(model: Any, *, takes_frames: bool) -> Needed:
    """Return what has to be there to load the model.

    Raises ModelError where it cannot be pickled, a class is in a module that does not travel, or a library is not in
    the image.
    """
    collector = Collector()
    try:
        collector.dump(model)
    except (pickle.PicklingError, AttributeError, TypeError) as error:
        raise ModelError(
            f"model: it cannot be pickled ({error}); a class or function of your own needs a name in a module, so "
            f"{MOVE_IT}; a lambda has none"
        ) from error
    packages, libraries = set(), {"joblib", *(["pandas"] if takes_frames else [])}
    for module, name in collector.named.items():
        if (carried := package_carried(module)) is not None:
            packages.add(carried)
        elif not is_installed(module):
            raise ModelError(f"model: {name} is in {module}, which is not where the model is served; {MOVE_IT}")
        libraries.add(module.partition(".")[0])
    code = code_of(packages)
    for path in code.values():
        libraries |= {module.partition(".")[0] for module in imports_of(path)}
    return Needed({"python": platform.python_version(), **versions_of(libraries, takes_frames=takes_frames)}, code)


def package_carried(module: str) -> str | None:
    found = CARRIED.match(module)
    return found[1] if found else None


def is_installed(module: str) -> bool:
    top = module.partition(".")[0]
    return top != "__main__" and (top in sys.stdlib_module_names or top in distributions())


@cache
def distributions() -> dict[str, list[str]]:
    return dict(packages_distributions())


def versions_of(modules: set[str], *, takes_frames: bool) -> dict[str, str]:
    """Return the versions of the packages that these modules are of; raises ModelError for one not in the image."""
    locks = [ROOT / lock for lock in (LOCKS if takes_frames else LOCKS[:1])]
    locked = set(re.findall(r"(?m)^([a-z0-9._-]+)(?:\[[^]]*])?==", "".join(lock.read_text("utf-8") for lock in locks)))
    found: dict[str, str] = {}
    for module in sorted(modules - sys.stdlib_module_names - {"model"}):
        names = distributions().get(module, [])
        in_image = [name for name in names if re.sub(r"[-_.]+", "-", name).lower() in locked]
        if not in_image:
            raise ModelError(
                f"model: it needs {names[0] if names else module}, which is not in {' or '.join(LOCKS)}; add it to the "
                "group service of pyproject.toml and run make lock"
                + ("" if module != "pandas" else ", or give train_rows as a data frame")
            )
        found |= {name: version(name) for name in in_image}
    return found


def code_of(packages: set[str]) -> dict[str, Path]:
    """Return the files of these packages, and of those that they import, by their path from the root."""
    found: dict[str, Path] = {}
    left = set(packages)
    while left:
        package = left.pop()
        folder = ROOT.joinpath(*package.split("."))
        for path in sorted(folder.rglob("*.py")):
            found[path.relative_to(ROOT).as_posix()] = path
            left |= further(path)
        left -= {each for each in left if f"{each.replace('.', '/')}/__init__.py" in found}
    return dict(sorted(found.items()))


def further(path: Path) -> set[str]:
    """Return the packages that a module which travels imports besides its own."""
    packages = set()
    for module in imports_of(path):
        if module.partition(".")[0] != "model":
            continue
        if (package := package_carried(module)) is None:
            raise ModelError(
                f"model: {path.relative_to(ROOT)} imports {module}, which is not where the model is served; {MOVE_IT}"
            )
        packages.add(package)
    return packages


def imports_of(path: Path) -> Iterator[str]:
    """Yield the modules that a file imports, but for those under `if TYPE_CHECKING`."""
    package = ".".join(path.relative_to(ROOT).parent.parts)
    left: list[ast.AST] = [ast.parse(path.read_text(encoding="utf-8"))]
    while left:
        node = left.pop()
        if isinstance(node, ast.If) and ast.unparse(node.test).endswith("TYPE_CHECKING"):
            continue
        left += ast.iter_child_nodes(node)
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            module = importlib.util.resolve_name("." * node.level + (node.module or ""), package)
            # `from model import train` imports model.train; of other packages the first part alone is of interest.
            yield from (f"{module}.{alias.name}" for alias in node.names) if module == "model" else (module,)
