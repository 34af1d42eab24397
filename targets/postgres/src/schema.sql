-- Everything Tau keeps: keys read like paths, values are versioned JSON. {schema} is the name of
-- Tau's schema, quoted.
CREATE SCHEMA IF NOT EXISTS {schema};

-- Whose tables these are, and in which version.
CREATE TABLE {schema}.about (
    application text NOT NULL,
    format integer NOT NULL
);

-- In the order of the bytes of the keys, whatever the language of the database.
CREATE TABLE {schema}.kv (
    key text COLLATE "C" NOT NULL PRIMARY KEY,
    value bytea NOT NULL
);

-- The commits of the last hour. One whose answer was lost is sent again with the same name: if it
-- was done, its name is here.
CREATE TABLE {schema}.commits (
    id bytea NOT NULL PRIMARY KEY,
    at timestamptz NOT NULL DEFAULT now()
);
CREATE INDEX commits_at ON {schema}.commits (at);

-- Who took a session last. Whether somebody has it now is told by an advisory lock alone.
CREATE TABLE {schema}.holders (
    session text COLLATE "C" NOT NULL PRIMARY KEY,
    holder text NOT NULL
);

-- One commit, in one statement and so in one transaction: false when it was done before. A claimed
-- key that exists ends it with TAU01 and the key as the message. The unique index makes a second
-- writer of a key wait for the first one's end, so that exactly one claim succeeds. Rows are taken
-- in the order of their keys: two commits wait for each other only where one makes what the other
-- changes.
CREATE FUNCTION {schema}.apply(
    commit_id bytea,
    claimed text[],
    claimed_values bytea[],
    removed text[],
    put text[],
    put_values bytea[]
) RETURNS boolean LANGUAGE plpgsql AS $$
DECLARE
    taken text;
BEGIN
    -- An answer means that it is on the disk, whatever the server is set to.
    IF current_setting('synchronous_commit') = 'off' THEN
        PERFORM set_config('synchronous_commit', 'on', true);
    END IF;
    PERFORM set_config('lock_timeout', '10s', true);

    INSERT INTO {schema}.commits (id) VALUES (commit_id) ON CONFLICT DO NOTHING;
    IF NOT FOUND THEN
        RETURN false;
    END IF;

    PERFORM 1 FROM {schema}.kv WHERE key = ANY (removed || put) ORDER BY key FOR UPDATE;
    WITH made AS (
        INSERT INTO {schema}.kv (key, value)
        SELECT wanted.key, wanted.value
        FROM unnest(claimed, claimed_values) AS wanted (key, value)
        ORDER BY wanted.key COLLATE "C"
        ON CONFLICT DO NOTHING
        RETURNING key
    )
    SELECT wanted.key INTO taken
    FROM unnest(claimed) AS wanted (key)
    WHERE NOT EXISTS (SELECT FROM made WHERE made.key = wanted.key)
    LIMIT 1;
    IF taken IS NOT NULL THEN
        RAISE EXCEPTION USING ERRCODE = 'TAU01', MESSAGE = taken;
    END IF;

    DELETE FROM {schema}.kv WHERE key = ANY (removed);
    INSERT INTO {schema}.kv (key, value)
    SELECT wanted.key, wanted.value
    FROM unnest(put, put_values) AS wanted (key, value)
    ORDER BY wanted.key COLLATE "C"
    ON CONFLICT (key) DO UPDATE SET value = excluded.value;
    RETURN true;
END
$$;

-- What is no JSON shows as NULL; a zero byte in a text, which no jsonb can hold, as the sign for
-- what cannot be shown.
CREATE FUNCTION {schema}.as_json(value bytea) RETURNS jsonb LANGUAGE plpgsql IMMUTABLE AS $$
BEGIN
    RETURN convert_from(value, 'UTF8')::jsonb;
EXCEPTION WHEN others THEN
    BEGIN
        RETURN replace(convert_from(value, 'UTF8'), '\u0000', '\ufffd')::jsonb;
    EXCEPTION WHEN others THEN
        RETURN NULL;
    END;
END
$$;

-- What is no text shows as NULL.
CREATE FUNCTION {schema}.as_text(value bytea) RETURNS text LANGUAGE plpgsql IMMUTABLE AS $$
BEGIN
    RETURN convert_from(value, 'UTF8');
EXCEPTION WHEN others THEN
    RETURN NULL;
END
$$;

-- One row for each record of a session's journal. A large text is stored once, by its hash, and
-- stands in the record by that.
CREATE VIEW {schema}.entries AS
SELECT
    split_part(key, '/', 2) AS session,
    CASE WHEN right(key, 10) ~ '^[0-9]{10}$' THEN right(key, 10)::bigint END AS seq,
    to_timestamp((record ->> 'at')::numeric / 1000) AS at,
    record ->> 'type' AS type,
    coalesce(
        (
            SELECT {schema}.as_text(content.value) FROM {schema}.kv AS content
            WHERE content.key = 'blob/' || substr(record #>> '{message,parts,0,text}', 13)
        ),
        record #>> '{message,parts,0,text}'
    ) AS text,
    record
FROM (
    SELECT key, {schema}.as_json(value) AS record
    FROM {schema}.kv
    WHERE key >= 'session/' AND key < 'session0' AND key LIKE 'session/%/journal/%'
) AS records;

-- One row for each session.
CREATE VIEW {schema}.sessions AS
SELECT
    session,
    summary ->> 'title' AS title,
    to_timestamp((summary ->> 'created')::numeric / 1000) AS created,
    to_timestamp((summary ->> 'updated')::numeric / 1000) AS updated,
    (summary ->> 'turns')::bigint AS turns,
    (summary ->> 'records')::bigint AS records,
    summary ->> 'model' AS model,
    (summary ->> 'running')::boolean AS running
FROM (
    SELECT substr(key, 10) AS session, {schema}.as_json(value) AS summary
    FROM {schema}.kv
    WHERE key >= 'sessions/' AND key < 'sessions0'
) AS summaries;

-- One row for each thing to remember; what was forgotten has the time of that in `forgotten`.
CREATE VIEW {schema}.memories AS
SELECT
    split_part(rest, '/', 1) AS scope,
    substr(rest, strpos(rest, '/') + 1) AS id,
    memory ->> 'text' AS text,
    memory ->> 'kind' AS kind,
    memory -> 'tags' AS tags,
    memory ->> 'namespace' AS namespace,
    memory ->> 'source' AS source,
    coalesce((memory ->> 'importance')::integer, 0) AS importance,
    to_timestamp((memory ->> 'at')::numeric / 1000) AS at,
    to_timestamp((memory ->> 'updated')::numeric / 1000) AS updated,
    memory ->> 'session' AS session,
    to_timestamp((memory ->> 'deleted')::numeric / 1000) AS forgotten
FROM (
    SELECT substr(key, 8) AS rest, {schema}.as_json(value) AS memory
    FROM {schema}.kv
    WHERE key >= 'memory/' AND key < 'memory0'
) AS memories;

INSERT INTO {schema}.about VALUES ('tau', {format});
