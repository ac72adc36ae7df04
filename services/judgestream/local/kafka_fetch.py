"""A script that downloads Maven artifacts with jgo into a folder. Run it as a separate process.

truststore replaces `ssl.SSLContext` for the whole process, so it must not run in the caller's. Arguments:
the coordinates joined by "+", the folder, and the address of a mirror or "". Prints one JSON line with the
paths of all jars.
"""

import json
import os
import sys
from pathlib import Path


def main() -> int:
    coordinates, folder, mirror = sys.argv[1], Path(sys.argv[2]), sys.argv[3]
    # Keep jgo's files out of its default folders ~/.m2 and ~/.cache/jgo.
    os.environ["M2_REPO"] = str(folder / "repository")
    if "REQUESTS_CA_BUNDLE" not in os.environ:
        # requests trusts certifi's list only, but a company's own authority is in the machine's store.
        # A bundle that the user named takes precedence.
        import truststore

        truststore.inject_into_ssl()
    import jgo

    # This replaces jgo's default repository, which it calls "central".
    repositories = {"central": mirror} if mirror else None
    environment = jgo.build(coordinates, cache_dir=folder / "jgo", repositories=repositories)
    sys.stdout.write(json.dumps([str(path) for path in environment.all_jars]) + "\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
