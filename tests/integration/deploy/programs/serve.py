"""`serve.py DATA`: start both servers, use them, say as whom they run and who owns the files."""

import sys
from pathlib import Path

import psycopg
import redis

from deploy.errors import DeployError
from deploy.postgres import EmbeddedPostgres
from deploy.valkey import EmbeddedValkey

data = Path(sys.argv[1])
postgres, valkey = EmbeddedPostgres(data), EmbeddedValkey(data)
try:
    valkey.begin()
    postgres.start()
    valkey.start()
    with psycopg.connect(postgres.url) as connection:
        connection.execute("CREATE TABLE IF NOT EXISTS kept (at timestamptz DEFAULT now())")
        connection.execute("INSERT INTO kept DEFAULT VALUES")
        row = connection.execute("SELECT count(*) FROM kept").fetchone()
    with redis.Redis.from_url(valkey.url) as client:
        starts = client.incr("starts")
    status = Path(f"/proc/{postgres.pid}/status").read_text() if sys.platform == "linux" else ""
    uid = next((line.split()[1] for line in status.splitlines() if line.startswith("Uid")), "")
    print(f"served rows={row and row[0]} starts={starts}")
    print(f"server uid={uid} files uid={(data / 'postgres').stat().st_uid}")
except DeployError as error:
    print(f"failed {error.code}: {error}")
finally:
    postgres.stop()
    valkey.stop()
