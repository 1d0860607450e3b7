"""Named hyperparameters."""

import json
import numbers


class HParams:
    """Named hyperparameters, as attributes."""

    def __init__(self, hparam_def=None, model_structure=None, **kwargs):
        self._names = []
        for name, value in kwargs.items():
            self.add_hparam(name, value)

    def add_hparam(self, name, value):
        if getattr(self, name, None) is not None:
            raise ValueError("Hyperparameter name is reserved: %s" % name)
        if isinstance(value, (list, tuple)) and not value:
            raise ValueError("Multi-valued hyperparameters cannot be empty: %s" % name)
        self._names.append(name)
        setattr(self, name, list(value) if isinstance(value, tuple) else value)

    def set_hparam(self, name, value):
        old = getattr(self, name)
        if isinstance(old, list) != isinstance(value, (list, tuple)):
            raise ValueError("Must pass a %s for %s" % ("list" if isinstance(old, list) else "single value", name))
        setattr(self, name, [_as(o, v) for o, v in zip([old[0]] * len(value), value)]
                if isinstance(old, list) else _as(old, value))

    def del_hparam(self, name):
        if name in self._names:
            self._names.remove(name)
            delattr(self, name)

    def override_from_dict(self, values_dict):
        for name, value in values_dict.items():
            self.set_hparam(name, value)
        return self

    def parse(self, values):
        """Reads "name=value,other=[1,2]"."""
        rest = values.strip()
        while rest:
            name, _, rest = rest.partition("=")
            name = name.strip()
            if name not in self._names:
                raise ValueError("Unknown hyperparameter: %s" % name)
            if rest.startswith("["):
                value, _, rest = rest[1:].partition("]")
                self.set_hparam(name, [v.strip() for v in value.split(",")])
                rest = rest.lstrip().lstrip(",")
            else:
                value, _, rest = rest.partition(",")
                self.set_hparam(name, value.strip())
        return self

    def parse_json(self, values_json):
        return self.override_from_dict(json.loads(values_json))

    def values(self):
        return {name: getattr(self, name) for name in self._names}

    def to_json(self, indent=None, separators=None, sort_keys=False):
        return json.dumps(self.values(), indent=indent, separators=separators, sort_keys=sort_keys)

    def get(self, key, default=None):
        return getattr(self, key) if key in self._names else default

    def __contains__(self, key):
        return key in self._names

    def __str__(self):
        return str(sorted(self.values().items()))

    __repr__ = __str__


def _as(old, value):
    if isinstance(old, bool):
        if isinstance(value, str) and value.lower() not in ("true", "false", "0", "1"):
            raise ValueError("Could not cast hparam of type bool from %r" % value)
        return value.lower() in ("true", "1") if isinstance(value, str) else bool(value)
    if old is None or isinstance(old, str) or not isinstance(old, numbers.Number):
        return value
    if isinstance(old, numbers.Integral) and float(value) != int(float(value)):
        raise ValueError("Must pass an integer, not %r" % value)
    return type(old)(float(value)) if isinstance(old, numbers.Integral) else type(old)(value)
