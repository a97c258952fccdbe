"""Prints the names of the installed `socketserver`: those of the module, and CLASS.NAME for what its
classes define and for what their methods store in the instance."""

import ast
import inspect
import socketserver


def is_public(name):
    return not name.startswith("_")


def stored(tree):
    for node in ast.walk(tree):
        if isinstance(node, ast.Attribute) and isinstance(node.ctx, ast.Store):
            if isinstance(node.value, ast.Name) and node.value.id == "self":
                yield node.attr


for name in socketserver.__all__:
    print(name)

for tree in ast.walk(ast.parse(inspect.getsource(socketserver))):
    if isinstance(tree, ast.ClassDef) and tree.name in socketserver.__all__:
        defined = set(vars(getattr(socketserver, tree.name))) | set(stored(tree))
        for name in sorted(filter(is_public, defined)):
            print(f"{tree.name}.{name}")
