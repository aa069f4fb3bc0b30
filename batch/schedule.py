"""What to install so that a run comes every night: a line for cron, and units for systemd.

Both run the program itself, since make turns every exit code into 2. Formats: crontab(5),
systemd.service(5), systemd.syntax(7) and systemd.timer(5).
"""

import hashlib
import os
import re
import shlex
import shutil
import sys
from collections.abc import Sequence
from dataclasses import dataclass

from batch.config import HOME, SETTINGS, Config, named_captioner
from batch.errors import ArchiveError
from batch.stopping import LATEST
from batch.stores import absolute, is_url
from batch.summary import INTERRUPTED, LOCKED, WITH_FAILURES
from batch.text import printable

AT = "00:30"  # not between one and three, an hour that some nights lack or have twice
_ODD = re.compile("[\\udc80-\\udcff]")  # what bytes that are no text look like in os.fsdecode
_LONGEST_LINE = 998  # bytes of a command; Debian's cron takes no more


@dataclass(frozen=True)
class Nightly:
    """A run to come every night: its arguments, every path in them absolute."""

    archive: str
    out: str
    arguments: Sequence[str]

    @classmethod
    def of(cls, config: Config, options: Sequence[str]) -> "Nightly":
        """Ask for the run again, from wherever cron or systemd start it.

        options: arguments that name no place. Raises ArchiveError for names that no line can hold.
        """
        archive, out = absolute(config.archive), absolute(config.out)
        captioners = ",".join(map(named_captioner, config.captioners))
        if config.urls is None:
            source = ["--", archive]
        else:
            named = [f"--url={url}" for url in config.urls]
            source = [f"--urls={archive}"] if config.urls_are_all else named
        places = [
            f"--out={out}",
            f"--features={absolute(config.features)}",
            f"--captioner={captioners}",
        ]
        arguments = ["-m", "batch", "caption", "--quiet", *places, *options, *source]
        for text in (HOME, sys.executable, *arguments):
            if re.search(r"[\x00-\x1f\x7f]", text):
                raise ArchiveError(
                    f"{text!r} has a control character, which no crontab can hold: rename it, or "
                    "give a link to it"
                )
        return cls(archive, out, arguments)

    @property
    def command(self) -> list[str]:
        """The program and its arguments; what the environment says of the encoder comes along."""
        settings = [f"{name}={os.environ[name]}" for name in SETTINGS if os.environ.get(name)]
        return [*(["env", *settings] if settings else []), sys.executable, *self.arguments]

    @property
    def unit(self) -> str:
        """The name of the systemd units: one for each folder of results."""
        name = re.sub(r"[^A-Za-z0-9]+", "-", os.path.basename(self.archive)).strip("-")
        digest = hashlib.sha256(os.fsencode(self.out)).hexdigest()[:6]
        return "-".join(filter(None, ("photo-captions", name[:40], digest)))


def cron_line(nightly: Nightly) -> str:
    """Write the line of a crontab; bytes that are no text ride along as in os.fsdecode."""
    hour, minute = AT.split(":")
    polite = ["nice", "-n", "19"]
    if shutil.which("ionice"):
        polite += ["ionice", "-c", "3", "-t"]
    words = " ".join(map(_cron_word, [*polite, *nightly.command]))
    return f"{int(minute)} {int(hour)} * * * cd {_cron_word(HOME)} && exec {words}"


def fits_every_cron(line: str) -> bool:
    """Tell whether a line is no longer than what every cron takes."""
    return len(os.fsencode(line.split(" ", 5)[5])) <= _LONGEST_LINE


def _cron_word(word: str) -> str:
    r"""Quote for /bin/sh, and for cron, to which a bare % is a newline.

    A % stands outside the quotes, as `\%`: a cron that knows nothing of % leaves the backslash to
    the shell, and one in the name before it does not run into ours.
    """
    return r"\%".join(shlex.quote(part) if part else "" for part in word.split("%")) or "''"


def service(nightly: Nightly) -> str:
    """Write the systemd service."""
    # By `env`: systemd takes $ in the program's own path as it is, and in arguments as a variable.
    command = ["/usr/bin/env", f"--chdir={HOME}", *nightly.command]
    return f"""[Unit]
Description=Captions for {_description(nightly.archive)}
{_mounts([nightly.archive, nightly.out])}
[Service]
Type=oneshot
ExecStart={" ".join(_quoted(word).replace("$", "$$") for word in command)}
SuccessExitStatus={WITH_FAILURES} {LOCKED} {INTERRUPTED}
KillMode=mixed
TimeoutStopSec={LATEST + 30}
Nice=19
IOSchedulingClass=idle
"""


def timer(nightly: Nightly) -> str:
    """Write the systemd timer, which makes up for a night that the machine was off."""
    return f"""[Unit]
Description=Captions for {_description(nightly.archive)}, every night

[Timer]
OnCalendar=*-*-* {AT}:00
Persistent=true

[Install]
WantedBy=timers.target
"""


def _description(archive: str) -> str:
    text = os.fsencode(archive).decode("utf-8", "backslashreplace")
    return printable(text).replace("%", "%%").rstrip("\\")


def _mounts(paths: Sequence[str]) -> str:
    """Ask for the disks; a name that is no text cannot be written there."""
    whole = [path for path in paths if not (is_url(path) or _ODD.search(path))]
    return f"RequiresMountsFor={' '.join(map(_quoted, whole))}\n" if whole else ""


def _quoted(word: str) -> str:
    r"""Quote for systemd: % begins a specifier, and `\xff` is a byte that is no text."""
    escaped = word.replace("\\", "\\\\").replace('"', '\\"').replace("%", "%%")
    return f'"{_ODD.sub(_as_hex, escaped)}"'


def _as_hex(letter: re.Match[str]) -> str:
    return f"\\x{os.fsencode(letter[0])[0]:02x}"


def told(nightly: Nightly) -> str:
    """Say what to install, and how; nothing is installed."""
    line = cron_line(nightly)
    length = "" if fits_every_cron(line) else "; it is longer than some crons take"
    home, unit = "~/.config/systemd/user", nightly.unit
    return f"""# Every night at {AT}, by cron: add this line by `crontab -e`{length}.
{line}

# Or by systemd, which makes up for nights that the machine was off. As {home}/{unit}.service:
{service(nightly)}
# As {home}/{unit}.timer:
{timer(nightly)}
# Then, once: systemctl --user daemon-reload && systemctl --user enable --now {unit}.timer
# And so that it runs while you are not logged in: loginctl enable-linger
"""
