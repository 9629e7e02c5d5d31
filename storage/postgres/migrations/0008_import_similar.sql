-- Of an import's entries: the most similar other one.

create table import_similar (
    import_id uuid not null references imports on delete cascade,
    entry_id uuid not null references entries on delete cascade,
    other_id uuid not null references entries on delete cascade,
    similarity real not null check (similarity > 0 and similarity <= 1),
    primary key (import_id, entry_id)
);
create index import_similar_best on import_similar (import_id, similarity desc, entry_id);
create index import_similar_entry on import_similar (entry_id);
create index import_similar_other on import_similar (other_id);
