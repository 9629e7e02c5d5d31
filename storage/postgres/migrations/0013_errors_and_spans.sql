-- Errors grouped by what and where; what an operation did.

create table errors (
    fingerprint text primary key,            -- of class and place
    error text not null,                     -- exception class
    place text not null,                     -- module.function where it was raised
    category text not null,
    severity text not null check (severity in ('warning', 'error')),
    count bigint not null,
    first_seen timestamptz not null,
    last_seen timestamptz not null,
    actor text not null,                     -- operation or route of the newest
    operation_id text not null,
    message text not null,
    traceback text not null,
    resolved_at timestamptz,
    resolved_by text
);
create index errors_seen on errors (last_seen desc);

-- What deliveries did: of every write, and of reads that were slow, failed or asked to be traced.
create table spans (
    operation_id text not null,
    message_id text not null,
    at timestamptz not null,                 -- when it began, on Redis's clock
    actor text not null,
    queue text not null,
    worker text not null,
    waited_ms real not null,
    ms real not null,
    attempt integer not null,
    outcome text not null,
    error text not null,                     -- class or code; '' = none
    slow boolean not null,
    shape jsonb,                             -- of a slow one's request: kinds and lengths, no values
    primary key (message_id, at)
);
create index spans_operation on spans (operation_id);
create index spans_at on spans (at);
create index spans_slow on spans (at) where slow;
create index dead_letters_operation on dead_letters (operation_id);
