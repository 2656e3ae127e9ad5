"""The verbs that these flows add to `lake`; none of them loads Prefect before it is run."""

from importlib.util import find_spec

from lake.errors import MissingExtra

if not find_spec("prefect"):
    raise MissingExtra("this verb needs Prefect: pip install 'clearlake[flows]'")
