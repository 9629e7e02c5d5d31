-- Events, by the month in their ids, and which batches of them are not counted yet.

-- The lowest UUIDv7 of a moment: a range of time is a range of ids.
create function uuid_at(at timestamptz) returns uuid
language sql immutable strict parallel safe
as $$
    select (lpad(to_hex(floor(extract(epoch from at) * 1000)::bigint), 12, '0') || repeat('0', 20))::uuid
$$;

create function uuid_time(id uuid) returns timestamptz
language sql immutable strict parallel safe
as $$
    select to_timestamp(('x0000' || translate(left(id::text, 13), '-', ''))::bit(64)::bigint / 1000.0)
$$;

create table events (
    id uuid primary key,                     -- a UUIDv7
    kind text not null,
    at timestamptz not null,                 -- as the id says
    batch bigint not null,
    who uuid,                                -- pseudonyms
    session uuid,
    search_id uuid,
    entry_id uuid,
    query text,
    normalised text,
    total integer,
    took_ms real,
    first integer,                           -- hits before those in hits
    hits uuid [],
    filters jsonb,
    category text,
    rank integer,
    rating smallint,
    worked boolean,
    comment text,
    details jsonb
) partition by range (id);
create index events_batch on events (batch);
create index events_comments on events (entry_id, id) where comment is not null;

-- What is not counted yet. A row goes in the transaction that counts its events: no order of
-- commits can hide one, and no open transaction holds it back.
create sequence event_batch;
create table event_batches (
    id bigint primary key,
    events integer not null,
    at timestamptz not null default now()
);

-- Attached, not created in place: that locks out nobody who inserts or reads.
create function make_event_month(at timestamptz) returns boolean
language plpgsql
as $$
declare
    month timestamp := date_trunc('month', at at time zone 'UTC');
    name text := 'events_' || to_char(month, 'YYYY_MM');
begin
    perform pg_advisory_xact_lock(hashtext('casebook events'));
    if to_regclass(name) is not null then
        return false;
    end if;
    execute format('create table %I (like events)', name);
    execute format(
        'alter table events attach partition %I for values from (%L) to (%L)', name,
        uuid_at(month at time zone 'UTC'), uuid_at((month + interval '1 month') at time zone 'UTC')
    );
    return true;
end
$$;

-- Months that ended before the moment; their names.
create function drop_event_months(before timestamptz) returns setof text
language plpgsql
as $$
declare
    name text;
begin
    perform pg_advisory_xact_lock(hashtext('casebook events'));
    for name in
        select c.relname
        from pg_inherits as i
        inner join pg_class as c on c.oid = i.inhrelid
        where
            i.inhparent = 'events'::regclass
            and c.relname < 'events_' || to_char(before at time zone 'UTC', 'YYYY_MM')
        order by c.relname
    loop
        execute format('drop table %I', name);
        return next name;
    end loop;
end
$$;
