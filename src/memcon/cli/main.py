"""`memcon`: one module per command, each imported only when it is run."""

from __future__ import annotations

import importlib

import click

from memcon import __version__

COMMANDS = {
    "init": "Make a recorder: keys, custodian, configuration, the first leaf of its log",
    "serve": "Record, seal, keep and show until stopped",
    "systemd": "Print the systemd unit of this recorder",
    "demo": "Place a real call and watch it being recorded, sealed, checked and played",
    "load": "Place many recorded calls at once, to see what a recorder bears",
    "ingest": "Take calls in from files: audio, packet captures, vCons",
    "search": "Find words in transcripts, dossiers and the parties of calls",
    "calls": "List the calls",
    "show": "Show one call",
    "dossier": "Keep what each side said of a call, who says so, and what followed",
    "compare": "Compare what the two sides said of a call, topic by topic",
    "example": "Install examples to look at",
    "events": "Keep what came before and after a call, and import event files",
    "coincidence": "Ask whether what followed a call was a coincidence",
    "claims": "Show the claims of a dossier as chains: origins, steps, withdrawals",
    "transcribe": "Write what is said in calls, in versions that are sealed",
    "cite": "Cite a call or a span of it: the archives' form and Chicago's",
    "export": "Take a call away: audio, packets, or the bundle a stranger can check",
    "verify": "Check a log, a bundle, or everything this recorder keeps",
    "off": "Switch recording off, on the record: by whom, why, which lines",
    "on": "Switch recording on again",
    "explain": "Say afterwards why the recorder was silent",
    "attack": "Play an operator's attack on a throw-away log, and show what anybody sees",
    "was-it-on": "Say whether a recorder was attested at a time, and by what evidence",
    "page": "Write the public page of a log: was it on, who saw it, how to check",
    "rebuild": "Make the catalogue again from vault and log",
    "status": "Say what the recorder is doing",
    "silence": "Prove that a log was silent, and check such a proof",
    "structure": "Give an overseer every slot's structure, without content, and check such a feed",
    "unlock": "After a reboot: give the recorder back the keys of what was not sealed yet",
    "witness": "Cosign logs, keep mirrors of them, and certify their silence",
    "user": "Add and remove people who may use the console; make login links",
    "selftest": "See whether memcon works on this machine",
}


class _Commands(click.Group):
    """Finds `memcon.cli.<name>` (`-` as `_`) and its `command`."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in COMMANDS:
            return None
        command: click.Command = importlib.import_module(f"memcon.cli.{cmd_name.replace('-', '_')}").command
        return command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        with formatter.section("Commands"):  # from the table: no need to import them all to say this
            formatter.write_dl(list(COMMANDS.items()))


@click.group(cls=_Commands, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__, prog_name="memcon")
def main() -> None:
    """A recorder of record for official calls: seals while the call goes on, and lets anyone check."""
