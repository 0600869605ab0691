"""``python tests/serve_sink.py DATABASE [PORT]``: `doorstep.cli.serve` over the sink of the tests, to be killed."""

from __future__ import annotations

import sys
from pathlib import Path

from doorstep.cli.serve import serve
from servers import KEY, SOURCE, FixedKeys
from sinks import SqliteSink

if __name__ == "__main__":
    kept = SqliteSink(Path(sys.argv[1]))
    serve(kept, FixedKeys({KEY: SOURCE}), host="127.0.0.1", port=int(sys.argv[2]) if len(sys.argv) > 2 else 0)
    kept.close()
    print("closed", flush=True)
