"""fakeamqp without a trace of tracing: what measures the cost of a trace that is switched off."""

from __future__ import annotations

import ast
from importlib.machinery import SourceFileLoader
from types import CodeType

QUESTIONS = {"self._trace is not None", "node.state.watch is not None", "self.watch is not None"}
"""Under which conditions fakeamqp does something for the trace."""


class _Untraced(ast.NodeTransformer):
    """Leaves out statements that are for the trace alone."""

    def visit_If(self, node: ast.If) -> ast.AST:
        asked = {ast.unparse(each) for each in ast.walk(node.test) if isinstance(each, ast.Compare)}
        return ast.Pass() if asked & QUESTIONS else self.generic_visit(node)


def import_untraced() -> None:
    """From now on import the parts of fakeamqp without what they do for the trace; in an interpreter of its own."""
    compiled = SourceFileLoader.get_code

    def get_code(self: SourceFileLoader, fullname: str) -> CodeType | None:
        if not fullname.startswith("fakeamqp."):
            return compiled(self, fullname)
        path = self.get_filename(fullname)
        tree = _Untraced().visit(ast.parse(self.get_data(path), path))
        code: CodeType = compile(ast.fix_missing_locations(tree), path, "exec", dont_inherit=True)
        return code

    SourceFileLoader.get_code = get_code  # type: ignore[method-assign]
