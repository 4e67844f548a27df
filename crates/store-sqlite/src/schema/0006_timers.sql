-- Agents that are due at once, and those that sleep until a time, apart: who looks for what is due walks past nobody who
-- sleeps, and an append changes one index.
DROP INDEX agent_due;
CREATE INDEX agent_at_once ON agent (tenant, due, holder) WHERE due <= updated_at;
CREATE INDEX agent_timer ON agent (due, tenant, holder) WHERE due > updated_at;
CREATE INDEX agent_timer_of ON agent (tenant, due, holder) WHERE due > updated_at;
