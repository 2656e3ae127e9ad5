"""An address of each kind of page over the lake that tests look at."""

from urllib.parse import quote

SQL = quote("SELECT month, sum(fare) AS fare FROM raw.trips GROUP BY ALL ORDER BY ALL")
PAGES = {
    "lake": ["/", "/?at=2"],
    "dataset": ["/raw/trips", "/raw/zones", "/curated/revenue"],
    "rows": ["/raw/trips/rows", "/raw/trips/rows?row=1"],
    "columns": ["/raw/trips/columns"],
    "versions": ["/raw/trips/versions"],
    "checks": ["/curated/revenue/checks", "/raw/trips/checks"],
    "version": [
        "/raw/trips/month=2024-01/v1",
        "/raw/trips/month=2024-01/v2?verify=1",
        "/raw/zones/v1",
    ],
    "diff": ["/raw/trips/month=2024-01/v2/diff/v1"],
    "bucket": ["/bucket", "/bucket?prefix=raw/trips/"],
    "object": ["/bucket/object?key=_lake/lake.json"],
    "commits": ["/commits", "/commits?dataset=raw.trips"],
    "commit": ["/commits/3", "/commits/6"],
    "runs": ["/runs"],
    "search": ["/search?q=trips", "/search?q=nothing%20at%20all"],
    "sql": ["/sql", f"/sql?sql={SQL}"],
}
EVERY = [path for paths in PAGES.values() for path in paths]
