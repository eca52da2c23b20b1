"""``python -m tests.web.run JSON``: `earmark serve` with bounds that a test has chosen."""

import json
import sys
from pathlib import Path

from earmark import config
from earmark.models import bundle
from earmark.models.catalog import shipped_model
from earmark.web.server import serve
from earmark.web.settings import Bounds, WebSettings, check_libraries


def main() -> None:
    given = json.loads(sys.argv[1])
    model = bundle.load(given.pop("model", None) or shipped_model())
    settings = WebSettings(
        data_dir=config.data_dir(),
        model=model,
        vote=model.meta.vote,
        libraries=check_libraries(tuple(map(Path, given.pop("libraries", ())))),
        bounds=Bounds(**given.pop("bounds", {})),
        port=0,
        **given,
    )
    serve(settings, lambda address: print(address, flush=True))  # noqa: T201


if __name__ == "__main__":
    main()
