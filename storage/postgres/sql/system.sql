-- name: stock
-- As the last roll-up counted it.
select live as entries, archived
from entry_counts
order by day desc
limit 1;

-- name: count_stock
select
    (count(*) filter (where archived_at is null))::integer as entries,
    (count(*) filter (where archived_at is not null))::integer as archived
from entries;

-- name: status
select
    current_setting('server_version') as server_version,
    clock_timestamp() as at,
    (
        select count(*) from pg_stat_activity where backend_type = 'client backend'
    )::integer as connections,
    (
        current_setting('max_connections')::integer
        - current_setting('superuser_reserved_connections')::integer
    ) as connections_max,
    coalesce((
        select extract(epoch from max(now() - xact_start))
        from pg_stat_activity
        where backend_xid is not null and pid <> pg_backend_pid()
    ), 0)::float8 as feed_held_seconds;

-- name: ground
select
    (
        select count(*) from pg_stat_activity where backend_type = 'client backend'
    )::integer as connections,
    (
        current_setting('max_connections')::integer
        - current_setting('superuser_reserved_connections')::integer
    ) as connections_max,
    pg_database_size(current_database()) as size_bytes,
    coalesce((
        select extract(epoch from max(now() - xact_start))
        from pg_stat_activity
        where backend_xid is not null and pid <> pg_backend_pid()
    ), 0)::float8 as feed_held_seconds;

-- name: letters
select state, count(*) as count
from dead_letters
group by state;

-- name: key_name
select name
from api_keys
where digest = %(digest)s;

-- name: add_key
insert into api_keys (digest, name)
values (%(digest)s, %(name)s)
on conflict do nothing;

-- name: schema_versions
select version
from schema_migrations;

-- name: schema_version
select coalesce(max(version), 0) as version
from schema_migrations;

-- name: schema_migrations
create table if not exists schema_migrations (
    version integer primary key,
    name text not null,
    applied_at timestamptz not null default now()
);

-- name: has_migrations
select to_regclass('schema_migrations') is not null as found;

-- name: migrated
insert into schema_migrations (version, name)
values (%(version)s, %(name)s);

-- name: set_lock_timeout
select set_config('lock_timeout', %(ms)s, false);

-- name: oldest_transaction
select pid, application_name, extract(epoch from now() - xact_start)::float8 as seconds
from pg_stat_activity
where
    datname = current_database() and xact_start is not null and pid <> pg_backend_pid()
    and backend_type = 'client backend'
order by xact_start
limit 1;

-- name: sizes
select relname as name, greatest(reltuples, 0)::bigint as rows, pg_total_relation_size(oid) as bytes
from pg_class
where relnamespace = current_schema()::regnamespace and relkind in ('r', 'p');
