"""`graphcount audit MODEL...`: findings with their evidence, and an exit code."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from graphcount.cli.command import FILE, Command
from graphcount.cli.options import (
    audit_options,
    configuration,
    fail_on_option,
    gathered,
    hash_option,
    models_argument,
    output_options,
)
from graphcount.cli.output import OutputOptions, complain
from graphcount.errors import GraphcountError
from graphcount.formats import AUDIT_FORMATS
from graphcount.formats.progress import StatusLine

if TYPE_CHECKING:
    from graphcount.api.auditing import AuditWords
    from graphcount.config import Config


@click.command(
    "audit",
    cls=Command,
    examples=(
        "audit model.onnx",
        "audit models/*.onnx --fail-on medium --format sarif -o audit.sarif",
        "audit folder --signature folder/model.sig --public-key key.pub",
    ),
)
@models_argument
@fail_on_option(None)
@gathered(
    "options",
    dict,
    audit_options,
    click.option(
        "--deep/--no-deep",
        default=None,
        help="Run rules that read tensor data and external data files."
        "  [default: up to 512 MB of them; of remote models none]",
    ),
    hash_option,
    click.option(
        "--signature",
        metavar="FILE",
        type=FILE,
        help="Verify a signature (OpenSSF Model Signing) of the model, or of its folder: of a"
        " key, a certificate, or with sigstore an identity.",
    ),
    click.option(
        "--public-key",
        metavar="FILE",
        type=FILE,
        help="Elliptic-curve key (PEM) that the signature must be of.",
    ),
    click.option(
        "--certificate-chain",
        multiple=True,
        metavar="FILE",
        type=FILE,
        help="Certificates (PEM) that are trusted to have signed. May be repeated.",
    ),
    click.option(
        "--identity",
        metavar="NAME",
        help="Who must have signed, by sigstore, which is asked over the network.",
    ),
    click.option("--issuer", metavar="URL", help="OpenID Connect provider of the identity."),
)
@configuration
@output_options(AUDIT_FORMATS)
def command(
    models: tuple[str, ...],
    fail_on: str | None,
    options: AuditWords,
    config: Config,
    output: OutputOptions,
) -> int:
    """Look for what a stranger's model hides.

    Nothing is executed, and nothing outside the model's folder is read. A clean audit means that no
    known sign was found, not that a model is safe.
    """
    from graphcount.api import audits, rules

    options["hash_file"] = options.get("hash_file", False) or output.has_digests
    with StatusLine(output.quiet) as status:

        def on_error(error: GraphcountError) -> None:
            status.clear()
            complain(error, show_rule=True)

        options["progress"] = status
        audited = audits(models, fail_on=fail_on, config=config, on_error=on_error, **options)
    view = output.view(rules={rule.id: rule for rule in rules()})
    output.emit(audited.outcomes, view, AUDIT_FORMATS)
    return audited.exit_code
