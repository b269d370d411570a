"""Has X judge the rules of a filter before anything depends on them: it takes none (``dry_run``)."""

from __future__ import annotations

from sfm_stream.errors import RulesRefusedError
from sfm_stream.sources.x import api
from sfm_stream.sources.x.client import Client, Dropped, XRefused
from sfm_stream.sources.x.rules.compiler import XRule, compile_rules
from sfm_stream.sources.x.settings import XCredential, XStream


def check_rules(stream: XStream, credential: XCredential) -> int:
    """Has X judge the rules of a filter; returns how many it would take or holds already.

    Raises:
        RulesRefusedError: X would refuse rules: a line for each, in its own words; or the app has no room for any to
            be judged.
        XRefused, Dropped: X could not be asked.
    """
    rules = compile_rules(stream)
    client = Client(api.bearer_token(credential, stream.api_url), stream.api_url)
    try:
        api.try_rules(client, rules)
    except api.RuleCapError:
        # X judges no more at a time than the app has room for, beside the rules that it holds by now.
        held = api.live_rules(client)
        values = {rule.value for rule in held}
        room = stream.rule_count - len(held)
        _in_slices(client, [rule for rule in rules if rule.value not in values], room, len(held))
    return len(rules)


def refusals(stream: XStream, credential: XCredential) -> list[str]:
    """What X has against the rules of a filter, or why it did not judge them; a line for each."""
    try:
        check_rules(stream, credential)
    except RulesRefusedError as error:
        return str(error).splitlines()
    except (XRefused, Dropped) as error:
        return [f"X did not judge the rules: {error}; see to it, or deploy without sfm_check_rules"]
    return []


def _in_slices(client: Client, rules: list[XRule], room: int, held: int) -> None:
    if rules and room <= 0:
        raise RulesRefusedError(
            f"X judges no new rule while the app holds as many as it may ({held}); it is asked again when they change"
        )
    refused = []
    for start in range(0, len(rules), max(room, 1)):
        try:
            api.try_rules(client, rules[start : start + room])
        except api.RuleCapError:
            raise
        except RulesRefusedError as error:
            refused.append(str(error))
    if refused:
        raise RulesRefusedError("\n".join(refused))
