"""How PostgreSQL's values become Python's."""

import orjson
import psycopg
from psycopg.adapt import AdaptersMap
from psycopg.types.json import set_json_loads

#: For `psycopg.connect(context=...)`. JSON's numbers beyond 64 bits are floats here as everywhere
#: else in the house: PostgreSQL writes 1e20 with all its digits, of which `json` would make an
#: integer that nothing of ours can encode.
ADAPTERS = AdaptersMap(psycopg.adapters)
set_json_loads(orjson.loads, ADAPTERS)
