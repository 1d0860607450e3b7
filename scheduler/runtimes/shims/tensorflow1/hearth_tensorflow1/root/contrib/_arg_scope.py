"""Defaults for the arguments of functions within a block, as tf.contrib's had."""

import contextlib
import functools

_stack = [{}]


def _key(func):
    return getattr(func, "_arg_scope_key", func)


def add_arg_scope(func):
    """Lets the defaults of func be set by arg_scope."""

    @functools.wraps(func)
    def with_defaults(*args, **kwargs):
        defaults = _stack[-1].get(func, {})
        return func(*args, **{**defaults, **kwargs})

    with_defaults._arg_scope_key = func
    return with_defaults


@contextlib.contextmanager
def arg_scope(list_ops_or_scope, **kwargs):
    """Sets defaults for the functions listed, or those of a scope kept before."""
    if isinstance(list_ops_or_scope, dict):
        if kwargs:
            raise ValueError("when a scope is given again, no arguments can be")
        scope = dict(list_ops_or_scope)
    else:
        scope = {k: dict(v) for k, v in _stack[-1].items()}
        for op in list_ops_or_scope:
            if not has_arg_scope(op):
                raise ValueError("%s is not decorated with @add_arg_scope" % op)
            scope.setdefault(_key(op), {}).update(kwargs)
    _stack.append(scope)
    try:
        yield scope
    finally:
        _stack.pop()


def has_arg_scope(func):
    """Reports whether arg_scope knows the function."""
    return hasattr(func, "_arg_scope_key")


def arg_scoped_arguments(func):
    """Gives the names of the arguments that arg_scope can set."""
    code = _key(func).__code__
    defaults = _key(func).__defaults__ or ()
    return code.co_varnames[code.co_argcount - len(defaults):code.co_argcount]
