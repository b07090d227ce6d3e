"""What an agent doesn't use of gRPC stays out, and is there for whoever asks."""

import subprocess
import sys


def run(program: str) -> None:
    subprocess.run([sys.executable, "-c", program], check=True, timeout=60)


def test_the_asyncio_half_of_grpc_is_not_loaded() -> None:
    run(
        "import sys\n"
        "from cvmproof_agent.grpc_without_aio import import_grpc\n"
        "import_grpc()\n"
        "import cvmproof_agent.serve, grpc\n"
        "assert not any(name.startswith('grpc.aio') for name in sys.modules)\n"
        "assert not hasattr(grpc, 'aio')\n"
        "assert callable(grpc.server)\n"
    )


def test_who_imports_it_afterwards_gets_it() -> None:
    run(
        "from cvmproof_agent.grpc_without_aio import import_grpc\n"
        "import_grpc()\n"
        "import grpc.aio\n"
        "assert callable(grpc.aio.server) and callable(grpc.aio.insecure_channel)\n"
    )


def test_what_was_imported_before_stays() -> None:
    run(
        "import grpc\n"
        "before = grpc.aio\n"
        "from cvmproof_agent.grpc_without_aio import import_grpc\n"
        "import_grpc()\n"
        "import sys\n"
        "assert grpc.aio is before is sys.modules['grpc.aio']\n"
    )
