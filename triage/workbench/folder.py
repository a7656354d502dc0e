"""Which profile is meant: a name in the folder of the settings, or a file that is still being written."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from msgspec import Struct

from triage.config.faultfile import load_fault_table
from triage.config.lexiconfile import load_lexicon
from triage.config.profile.file import Profile, load_profile, load_profiles
from triage.config.settings import Settings, load_settings
from triage.core.faults import FaultTable
from triage.errors import InputError, InputFault


class Shelf(Struct, frozen=True):
    """The folder of profiles, and the fault tables they are read with.

    Both are None when there are no settings: a file can be tried out without them.
    """

    settings: Settings | None
    table: FaultTable | None

    def profile(self, name: str) -> Profile:
        """The profile called ``name``, or in the file of that path.

        Raises:
            InputError: there is none, or it is faulty.
        """
        names = None if self.table is None else self.table.names()
        path = Path(name)
        if path.suffix in {".yaml", ".yml"} or path.is_file():
            return load_profile(path, names)
        if self.settings is None:
            raise InputError([InputFault(name, None, "", "is no file, and there are no settings", _NAME_ONE)])
        found = self.settings.profiles_path / f"{name.replace('/', '_')}.yaml"
        if not found.is_file():
            known = ", ".join(sorted(each.stem for each in self.settings.profiles_path.glob("*.yaml"))) or "none"
            raise InputError([InputFault(str(found), None, "", "there is no such profile", f"known: {known}")])
        return load_profile(found, names)

    def all(self) -> dict[str, Profile]:
        """Every profile of the folder.

        Raises:
            InputError: every fault of every file.
        """
        if self.settings is None:
            return {}
        return load_profiles(self.settings.profiles_path, None if self.table is None else self.table.names())


_NAME_ONE = "give the path of a YAML file, or name the settings with --config"


def open_shelf(config: Path, environ: Mapping[str, str], wanted: str = "") -> Shelf:
    """The folder that the settings at ``config`` name; for a ``wanted`` file it may do without settings.

    Raises:
        InputError: the settings, the words or the fault tables are faulty.
    """
    if not config.exists() and Path(wanted).suffix in {".yaml", ".yml"}:
        return Shelf(None, None)
    settings = load_settings(config, environ)
    return Shelf(settings, load_fault_table(settings.faults_path, load_lexicon(settings.lexicon_path)))
