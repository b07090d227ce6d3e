"""`cvmproof policy`: policies checked, listed, shown, written and signed."""

from cvmproof.cli.command import LazyGroup

policy = LazyGroup(
    "policy",
    help_="Check, list, show, write and sign policies.",
    lazy={
        "check": ("cvmproof.cli.policy_reading:check", "Read a policy strictly, and say what it leaves open."),
        "list": ("cvmproof.cli.policy_reading:list_", "List the built-in policies and TCB floors."),
        "show": ("cvmproof.cli.policy_reading:show", "Print the whole policy, with what it extends."),
        "new": ("cvmproof.cli.policy_writing:new", "Write a policy that completes a built-in one."),
        "sign": ("cvmproof.cli.policy_signing:sign", "Sign a policy for one CVM."),
        "from-evidence": ("cvmproof.cli.policy_writing:from_evidence", "Write a policy from what evidence claims."),
    },
)
