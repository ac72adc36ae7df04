"""Run as a script in a process of its own: fetch Maven artifacts with jgo into a folder.

A process of its own, because truststore replaces `ssl.SSLContext` for the whole process, and the
caller's own connections are not ours to change. Arguments: the coordinates joined by "+", the
folder, and the address of a mirror or "". Prints one JSON line with the paths of all jars.
"""

import json
import os
import sys
from pathlib import Path


def main() -> int:
    coordinates, folder, mirror = sys.argv[1], Path(sys.argv[2]), sys.argv[3]
    # jgo's own folders would be ~/.m2 and ~/.cache/jgo: leave no trace there.
    os.environ["M2_REPO"] = str(folder / "repository")
    if "REQUESTS_CA_BUNDLE" not in os.environ:
        # requests trusts certifi's list only; a company's own authority is in the machine's store.
        # Where the user named a bundle, requests honours that, and it must win.
        import truststore

        truststore.inject_into_ssl()
    import jgo

    # jgo names its default repository "central": this replaces it
    repositories = {"central": mirror} if mirror else None
    environment = jgo.build(coordinates, cache_dir=folder / "jgo", repositories=repositories)
    sys.stdout.write(json.dumps([str(path) for path in environment.all_jars]) + "\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
