-- One row for each thing to remember; what was forgotten has the time of that in `forgotten`.
CREATE VIEW memories AS
SELECT
    substr(rest, 1, instr(rest, '/') - 1) AS scope,
    substr(rest, instr(rest, '/') + 1) AS id,
    memory ->> '$.text' AS text,
    memory ->> '$.kind' AS kind,
    memory ->> '$.tags' AS tags,
    memory ->> '$.namespace' AS namespace,
    memory ->> '$.source' AS source,
    coalesce(memory ->> '$.importance', 0) AS importance,
    datetime(memory ->> '$.at' / 1000.0, 'unixepoch') AS at,
    datetime(memory ->> '$.updated' / 1000.0, 'unixepoch') AS updated,
    memory ->> '$.session' AS session,
    datetime(memory ->> '$.deleted' / 1000.0, 'unixepoch') AS forgotten
FROM (
    SELECT
        substr(key, 8) AS rest,
        iif(json_valid(CAST(value AS TEXT)), CAST(value AS TEXT), NULL) AS memory
    FROM kv
    WHERE key >= 'memory/' AND key < 'memory0'
);
