"""`cvmproof cvm`: the CVMs that an API lists."""

from cvmproof.cli.command import LazyGroup

cvm = LazyGroup(
    "cvm",
    help_="List, create and delete the CVMs of an API, and verify them.",
    lazy={
        "list": ("cvmproof.cli.cvm_reading:list_", "List the CVMs of a domain."),
        "show": ("cvmproof.cli.cvm_reading:show", "Show what the API says of a CVM; nothing is checked."),
        "create": ("cvmproof.cli.cvm_changing:create", "Create a CVM."),
        "delete": ("cvmproof.cli.cvm_changing:delete", "Delete a CVM."),
        "stats": ("cvmproof.cli.cvm_reading:stats", "Show when a CVM was online."),
        "policy": ("cvmproof.cli.cvm_policy:policy", "Fetch a CVM's attestation policy, and say what it is."),
        "verify": ("cvmproof.cli.cvm_verify:verify", "Verify a CVM, or all: API, policy, evidence, verdict."),
        "forget": ("cvmproof.cli.cvm_forget:forget", "Forget which machine a CVM was at its first use."),
    },
)
