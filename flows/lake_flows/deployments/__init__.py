"""`lake deploy`: the deployments that `lake.toml` names, as a Prefect server keeps them."""
