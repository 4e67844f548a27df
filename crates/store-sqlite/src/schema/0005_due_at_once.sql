-- Agents that are due since they were written are so whatever the clock says: what that goes by is in the index too.
DROP INDEX agent_due;
CREATE INDEX agent_due ON agent (tenant, due, holder, updated_at) WHERE due IS NOT NULL;
