-- Under which operation a task was made: its story is that operation's, too.

alter table tasks add column operation_id text not null default '';
