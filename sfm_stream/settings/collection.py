"""What a collection is, in the words of those who collect: for who reads a report of it.

It stands beside the settings, and no program needs it. In the inventory it is ``sfm_collection``, and ``collection`` of
a filter; what each may say is declared here.

``/etc/sfm/collection.json`` has the description of all that a host collects and, below ``filters``, by program, what is
said of one filter besides::

    {"title": "…", "purpose": "…", "rights": "…", "contact": "…", "filters": {"twitterfilter-storms": {"title": "…"}}}
"""

from __future__ import annotations

from pathlib import Path

import msgspec

from sfm_stream import reading


class Description(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """A collection, or a part of one, in the words of those who collect it.

    Attributes:
        title: What it is called, as it is to be cited.
        creator: Who collects: a person, a group, an institution.
        purpose: What for, and what is in it; for a methods section.
        rights: Who may use it, and how.
        contact: Where to ask: an address, a page.
    """

    title: str = ""
    creator: str = ""
    purpose: str = ""
    rights: str = ""
    contact: str = ""

    def over(self, general: Description) -> Description:
        """This one, and where it says nothing what `general` says; but a title is its own."""
        return Description(
            title=self.title,
            creator=self.creator or general.creator,
            purpose=self.purpose,
            rights=self.rights or general.rights,
            contact=self.contact or general.contact,
        )


class Collection(Description, frozen=True, kw_only=True, omit_defaults=True):
    """What a host collects, and what is said of single filters, by program."""

    filters: dict[str, Description] = {}


def collection_path(config_dir: Path) -> Path:
    """Where the description lies."""
    return config_dir / "collection.json"


def read_collection(config_dir: Path) -> Collection:
    """The description of what a host collects; an empty one where there is none.

    Raises:
        UnreadableError: There is one that cannot be read.
    """
    return reading.read_record(collection_path(config_dir), Collection) or Collection()
