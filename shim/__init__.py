"""HTTP: routes, who may call, how often; turns replies into responses; no storage."""
