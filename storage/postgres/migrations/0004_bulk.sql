-- Changes of many entries, and imports that can be taken back.

-- The entry's version after the change; null where nobody asks for it (single writes).
alter table changes add column version integer;

-- The entries that a task changes, fixed when it began.
create table entry_selection (
    task_id uuid not null references tasks on delete cascade,
    place bigint not null,
    entry_id uuid not null,
    first integer,                           -- of an import: its first and last version of the entry
    last integer,
    primary key (task_id, place)
);

-- What a task passed over, and why.
create table task_skips (
    task_id uuid not null references tasks on delete cascade,
    entry_id uuid not null,
    code text not null,
    message text not null,
    primary key (task_id, entry_id)
);

alter table imports add column undone_by uuid;   -- the task that takes it back
