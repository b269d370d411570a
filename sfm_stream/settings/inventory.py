"""What Ansible passes over in an inventory without a word: keys that stand twice, and lists that hide other lists."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

import yaml

from sfm_stream.settings.faults import Fault
from sfm_stream.settings.secrecy import shown_name


def repeated_keys(text: bytes, path: str) -> Iterator[Fault]:
    """Each key that a mapping of a YAML file has more than once; YAML keeps only the last one's value.

    A text that is no YAML, an INI inventory or a script for instance, has none.
    """
    try:
        documents = list(yaml.compose_all(text, Loader=getattr(yaml, "CSafeLoader", yaml.SafeLoader)))
    except yaml.YAMLError:
        return
    seen: set[int] = set()
    for document in documents:
        yield from _repeated_below(document, path, seen)


def _repeated_below(node: yaml.Node | None, path: str, seen: set[int]) -> Iterator[Fault]:
    if node is None or id(node) in seen:  # an alias leads to where an anchor was
        return
    seen.add(id(node))
    if isinstance(node, yaml.SequenceNode):
        for each in node.value:
            yield from _repeated_below(each, path, seen)
    elif isinstance(node, yaml.MappingNode):
        first: dict[str, int] = {}
        for key, value in node.value:
            name = key.value if isinstance(key, yaml.ScalarNode) and key.value != "<<" else None
            line = key.start_mark.line + 1
            if name in first:
                yield Fault(
                    where=f"{path}, line {line}",
                    problem=f"the key {shown_name(name)} stands in line {first[name]} already",
                    fix="YAML forgets what the first one says: make one of both",
                )
            elif name is not None:
                first[name] = line
            yield from _repeated_below(value, path, seen)


def hidden_filters(levels: Sequence[tuple[str, Mapping[str, object]]]) -> Iterator[Fault]:
    """Filters that a host would not capture, since a level nearer to it has a list of its own.

    Args:
        levels: Whose variables hold for one host (``group 'all'``), and these; the nearest last.
    """
    lists = [(whose, value) for whose, variables in levels if (value := variables.get("sfm_filters"))]
    if not lists:
        return
    nearest, kept = lists[-1]
    for whose, value in lists[:-1]:
        lost = [name for name in _names(value) if name not in _names(kept)]
        if lost:
            yield Fault(
                where=f"sfm_filters of {nearest}",
                problem=f"they hide those of {whose}: {', '.join(lost)}",
                fix="Ansible does not join lists. If these are meant as well, put all filters of a host into one list",
            )


def _names(filters: object) -> list[str]:
    """The names in a list of filters; a template in its place is named as what it is."""
    if not isinstance(filters, list | tuple):
        return [f"what {filters} gives"]
    return [str(each["name"]) for each in filters if isinstance(each, Mapping) and "name" in each]


def summary(hosts: Mapping[str, Sequence[bool]]) -> str:
    """What an inventory declares, for a person to see whether it is what was meant.

    Args:
        hosts: For each host, of each of its streams whether it is active.
    """
    streams = [active for each in hosts.values() for active in each]
    idle = [name for name, each in hosts.items() if not any(each)]
    text = f"{_count(len(hosts), 'host')}, {_count(len(streams), 'stream')}, {sum(streams)} of them active"
    if idle:
        text += f"; no active stream on {', '.join(idle) if len(idle) < 6 else f'{len(idle)} of the hosts'}"
    return text


def _count(number: int, noun: str) -> str:
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"
