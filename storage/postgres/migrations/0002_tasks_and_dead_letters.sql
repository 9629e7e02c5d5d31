-- Tasks and their steps, dead letters, and who did what.

create table tasks (
    id uuid primary key,                     -- made in order of time
    type text not null,
    status text not null check (
        status in ('enqueued', 'processing', 'succeeded', 'failed', 'canceled')
    ),
    started_by text not null,
    details jsonb not null default '{}',     -- what was asked for
    key text,                                -- of a single write: its effect tells how it ended
    done bigint,                             -- null: its members are what is counted
    total bigint,
    result jsonb,
    enqueued_at timestamptz not null default now(),
    started_at timestamptz,
    finished_at timestamptz
);
create index tasks_status on tasks (status, id);
create index tasks_type on tasks (type, id);

create table task_steps (
    task_id uuid not null references tasks on delete cascade,
    step integer not null,
    name text not null,
    status text not null check (status in ('waiting', 'processing', 'succeeded')),
    started_at timestamptz,
    finished_at timestamptz,
    primary key (task_id, step)
);

-- The messages of a step. Counting rows, not arrivals: a member that arrives twice is one row.
create table task_members (
    task_id uuid not null,
    step integer not null,
    member integer not null,
    message_id uuid not null,                -- the same however often it is sent
    actor text not null,
    queue text,
    request jsonb not null,
    status text not null check (status in ('waiting', 'sent', 'succeeded', 'failed')),
    sends integer not null default 0,
    result jsonb,
    error jsonb,
    primary key (task_id, step, member),
    foreign key (task_id, step) references task_steps on delete cascade
);

create table dead_letters (
    id uuid primary key,
    message_id text not null,
    queue text not null,
    actor text not null,
    body bytea not null,                     -- as it was sent
    readable boolean not null,
    size integer not null,
    reason text not null,
    error text not null,                     -- exception class
    message text not null,
    attempts jsonb not null,
    report jsonb not null,
    deliveries integer not null,
    operation_id text not null,
    first_failed_at timestamptz not null,
    failed_at timestamptz not null,
    replays integer not null,                -- how often it had been replayed when it died
    replay_of uuid,                          -- the letter that it was before
    task_id uuid,                            -- the task whose member it is
    step integer,
    member integer,
    state text not null default 'dead' check (
        state in ('dead', 'replaying', 'replayed', 'discarded')
    ),
    replay_task uuid,
    discarded_why text,
    original jsonb,                          -- the request before it was edited
    changed_by text,
    changed_at timestamptz
);
-- Every list is in this order, whatever it is narrowed to.
create index dead_letters_page on dead_letters (state, failed_at desc, id desc);
create index dead_letters_actor on dead_letters (state, actor, failed_at desc, id desc);
create index dead_letters_queue on dead_letters (state, queue, failed_at desc, id desc);
create index dead_letters_reason on dead_letters (state, reason, failed_at desc, id desc);
create index dead_letters_error on dead_letters (state, error, failed_at desc, id desc);
create index dead_letters_message on dead_letters (message_id);
create index dead_letters_task on dead_letters (task_id) where task_id is not null;
create index dead_letters_replay on dead_letters (replay_task) where replay_task is not null;
create index dead_letters_replay_of on dead_letters (replay_of) where replay_of is not null;

-- What a replay moves, fixed when it began.
create table replay_selection (
    task_id uuid not null references tasks on delete cascade,
    place bigint not null,
    letter_id uuid not null,
    primary key (task_id, place)
);

-- How far the change feed was pruned: whoever stands before that has missed changes.
alter table epoch add column pruned_txid xid8 not null default '0';
alter table epoch add column pruned_seq bigint not null default 0;

create table audit (
    id bigint generated always as identity primary key,
    at timestamptz not null default now(),
    by text not null,
    action text not null,
    target text not null,
    details jsonb not null
);
create index audit_at on audit (at);
