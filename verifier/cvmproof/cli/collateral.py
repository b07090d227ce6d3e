"""`cvmproof collateral`: certificates and revocation lists, fetched, imported and shown."""

from cvmproof.cli.command import LazyGroup

collateral = LazyGroup(
    "collateral",
    help_="Fetch, import and show certificates, revocation lists and TCB info.",
    lazy={
        "fetch": ("cvmproof.cli.collateral_store:fetch", "Fetch what evidence, a product line or an FMSPC needs."),
        "import": ("cvmproof.cli.collateral_store:import_", "Take over files, folders and bundles; make a bundle."),
        "show": ("cvmproof.cli.collateral_store:show", "Show what is in the store, and what it is worth."),
    },
)
