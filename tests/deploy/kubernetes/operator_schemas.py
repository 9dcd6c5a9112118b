"""Write the schemas of the Prometheus Operator's kinds into a folder: `operator_schemas.py FOLDER`.

The package cloudcoil-models-prometheus-operator, which has them as models, is made from the
operator's own definitions.
"""

import importlib
import json
import sys
from pathlib import Path

KINDS = ("PrometheusRule", "ServiceMonitor")


def main(folder: Path) -> None:
    """Write a file for each kind, in which an unknown field is an error."""
    models = importlib.import_module("cloudcoil.models.prometheus_operator.v1")
    for kind in KINDS:
        schema = getattr(models, kind).model_json_schema(by_alias=True)
        for part in (schema, *schema["$defs"].values()):
            if "properties" in part:
                part.setdefault("additionalProperties", False)
        schema["$schema"] = "https://json-schema.org/draft/2020-12/schema"
        (folder / f"{kind.lower()}-monitoring-v1.json").write_text(json.dumps(schema), "utf-8")


if __name__ == "__main__":
    main(Path(sys.argv[1]))
