"""`cvmproof collateral`: certificates and revocation lists, fetched, imported and shown."""

from cvmproof.cli.command import LazyGroup

collateral = LazyGroup(
    "collateral",
    help_="Fetch, import and show certificates and revocation lists.",
    lazy={
        "fetch": ("cvmproof.cli.collateral_store:fetch", "Fetch what a report, or a product line, needs."),
        "import": ("cvmproof.cli.collateral_store:import_", "Take over files, folders and bundles."),
        "show": ("cvmproof.cli.collateral_store:show", "Show what is in the store, and what it is worth."),
    },
)
