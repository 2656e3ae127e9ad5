"""Load what was published into warehouses, each change exactly once."""
