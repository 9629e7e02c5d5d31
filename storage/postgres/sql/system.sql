-- name: status
select
    (select count(*) from entries where archived_at is null)::integer as entries,
    (select count(*) from entries where archived_at is not null)::integer as archived,
    current_setting('server_version') as server_version,
    coalesce((
        select extract(epoch from max(now() - xact_start))
        from pg_stat_activity
        where backend_xid is not null and pid <> pg_backend_pid()
    ), 0)::float8 as feed_held_seconds;

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
