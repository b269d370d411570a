"""Every way a command can fail, and the exit code of each.

This is the one place where exit codes are given. `STOP_CODES` are the ones that a
restart cannot fix: the program files tell them to supervisor as `exitcodes`, so
that `autorestart=unexpected` leaves such a program stopped, with its reason in its
log, in place of starting it for ever.

====  =======================  ==================================================
code  class                    meaning
====  =======================  ==================================================
0                              done, or stopped as asked
1     SfmError                 a fault in the program itself, or none of the below
2     UsageError               a wrong option or argument (click's own code too)
3     FindingsError            the command worked; what it examined has faults
64    ConfigError              settings, rules or inventory are wrong
65    CredentialError          X refused the credential (401, 403)
66    RulesRefusedError        X refused a rule, or the rules do not fit its limits
73    StorageError             the data or state directory cannot be written
75    LockedError              another live process holds this program's name
77    NotAllowedError          this user may not look at what the command is about
====  =======================  ==================================================
"""

from __future__ import annotations


class SfmError(Exception):
    """The base of all errors whose message is written for a person: one line, no traceback."""

    exit_code = 1


class UsageError(SfmError):
    """A wrong option or argument."""

    exit_code = 2


class FindingsError(SfmError):
    """The command did its work, and what it examined is not as it should be."""

    exit_code = 3


class ConfigError(SfmError):
    """Settings that cannot be used; the message names the file, the key, the value and the fix."""

    exit_code = 64


class CredentialError(SfmError):
    """X does not accept the credential, or does not entitle it to this stream."""

    exit_code = 65


class RulesRefusedError(SfmError):
    """X refused a rule of this filter, or the rules exceed the limits of the app."""

    exit_code = 66


class StorageError(SfmError):
    """Writing to the data or state directory failed; what was flushed before stays readable."""

    exit_code = 73


class LockedError(SfmError):
    """Another live process runs under this program's name."""

    exit_code = 75


class NotAllowedError(SfmError):
    """The user may not look at what the command is about; the message says who may."""

    exit_code = 77


STOP_CODES = (
    0,
    UsageError.exit_code,
    ConfigError.exit_code,
    CredentialError.exit_code,
    RulesRefusedError.exit_code,
)
"""Exit codes after which supervisor must leave the program stopped."""
