"""Source code that leaves this package: chosen functions with all that they need, and no more.

A bundle has to run where this package is not installed. Its scripts are therefore cut out of the
modules that we run ourselves, definition by definition, so that both do the same; nothing is
written twice.
"""

import ast
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from importlib.util import find_spec
from pathlib import Path

OURS = ("training", "voxcurate")
HEAD = '"""Written by voxcurate from its own module {module}; it imports nothing of it."""\n\n'
Place = tuple[str, str]  # module, name


def carried(roots: Mapping[str, Sequence[str]]) -> dict[str, str]:
    """The files of a package that holds the definitions `roots` and what they use.

    Imports of ours become imports beside each other; annotations are kept but never evaluated, so
    what only they name stays behind.

    Args:
        roots: module to names of it.

    Returns:
        file name to text; a module's file is called by the last part of its name.

    Raises:
        ValueError: a definition cannot be cut out (an import of ours inside a function, two modules
            with the same last part).
    """
    modules: dict[str, _Module] = {}
    waiting = [(module, name) for module, names in roots.items() for name in names]
    while waiting:
        module, name = waiting.pop()
        source = modules.setdefault(module, _Module.read(module))
        if name in source.wanted:
            continue
        source.wanted.add(name)
        for used in sorted(_used(source.definitions[name])):
            if used in source.definitions:
                waiting.append((module, used))
            elif used in source.imports:
                source.used.add(used)
                if _is_ours(source.imports[used]):
                    waiting.append(_place(source.imports[used]))
    files = {f"{_last(name)}.py": source.text() for name, source in modules.items()}
    if len(files) < len(modules):
        raise ValueError(f"modules of the same name among {', '.join(sorted(modules))}")
    return files


@dataclass
class _Module:
    """A module's top level: definitions by name, and imports by the name they bind."""

    name: str
    lines: list[str]
    definitions: dict[str, ast.stmt] = field(default_factory=dict)
    imports: dict[str, ast.Import | ast.ImportFrom] = field(default_factory=dict)
    wanted: set[str] = field(default_factory=set)
    used: set[str] = field(default_factory=set)

    @classmethod
    def read(cls, name: str) -> "_Module":
        spec = find_spec(name)
        assert spec is not None
        assert spec.origin is not None
        text = Path(spec.origin).read_text(encoding="utf-8")
        found = cls(name, text.splitlines())
        for node in ast.parse(text).body:
            if isinstance(node, ast.Import | ast.ImportFrom):
                for alias in node.names:
                    found.imports[alias.asname or alias.name.partition(".")[0]] = _single(
                        node, alias
                    )
            for bound in _bound(node):
                found.definitions[bound] = node
        return found

    def text(self) -> str:
        """The file: imports, then the wanted definitions in their order."""
        imports = [_written(self.imports[name], name) for name in sorted(self.used)]
        nodes = {id(self.definitions[n]): self.definitions[n] for n in self.wanted}
        parts = [
            self._segment(node) for node in sorted(nodes.values(), key=lambda node: node.lineno)
        ]
        head = HEAD.format(module=self.name) + "from __future__ import annotations\n\n"
        return head + "\n".join(imports) + "\n\n\n" + "\n\n\n".join(parts) + "\n"

    def _segment(self, node: ast.stmt) -> str:
        decorators = getattr(node, "decorator_list", [])
        first = min([node.lineno, *(d.lineno for d in decorators)])
        for inner in ast.walk(node):
            if isinstance(inner, ast.Import | ast.ImportFrom) and _is_ours(inner):
                raise ValueError(f"{self.name}: an import of ours inside a definition")
        return "\n".join(self.lines[first - 1 : node.end_lineno])


def _bound(node: ast.stmt) -> Iterator[str]:
    """Names that a definition binds."""
    if isinstance(node, ast.FunctionDef | ast.ClassDef):
        yield node.name
    elif isinstance(node, ast.AnnAssign) and isinstance(node.target, ast.Name):
        yield node.target.id
    elif isinstance(node, ast.Assign):
        for target in node.targets:
            yield from (n.id for n in ast.walk(target) if isinstance(n, ast.Name))


def _used(node: ast.AST) -> set[str]:
    """Names that a definition looks up when it runs: annotations aside."""
    found: set[str] = set()
    for name, value in ast.iter_fields(node):
        if name in ("annotation", "returns"):
            continue
        for child in value if isinstance(value, list) else [value]:
            if isinstance(child, ast.Name):
                found.add(child.id)
            elif isinstance(child, ast.AST):
                found |= _used(child)
    return found


def _single(node: ast.Import | ast.ImportFrom, alias: ast.alias) -> ast.Import | ast.ImportFrom:
    if isinstance(node, ast.Import):
        return ast.Import(names=[alias])
    return ast.ImportFrom(module=node.module, names=[alias], level=node.level)


def _is_ours(node: ast.Import | ast.ImportFrom) -> bool:
    if isinstance(node, ast.Import):
        return any(alias.name.partition(".")[0] in OURS for alias in node.names)
    return (node.module or "").partition(".")[0] in OURS


def _place(node: ast.Import | ast.ImportFrom) -> Place:
    if isinstance(node, ast.Import) or node.module is None:
        raise ValueError(f"want `from module import name`, found {ast.unparse(node)}")
    return node.module, node.names[0].name


def _written(node: ast.Import | ast.ImportFrom, name: str) -> str:
    if not _is_ours(node):
        return ast.unparse(node)
    module, original = _place(node)
    return f"from .{_last(module)} import {original}" + (f" as {name}" if name != original else "")


def _last(module: str) -> str:
    return module.rpartition(".")[2]
