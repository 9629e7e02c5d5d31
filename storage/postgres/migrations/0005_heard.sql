-- When a message of the task was last seen at work: a task that nothing was heard of may have lost one.
alter table tasks add column heard_at timestamptz;
