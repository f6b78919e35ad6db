-- What the tables of types stand on, and those that are written out by hand.
CREATE EXTENSION IF NOT EXISTS citext;
CREATE EXTENSION IF NOT EXISTS hstore;
CREATE EXTENSION IF NOT EXISTS ltree;
CREATE TYPE mood AS ENUM ('sad', 'ok', 'it''s "fine"');
CREATE DOMAIN positive AS integer CHECK (VALUE > 0);

-- Every type that can be big. Values of more than 2 kB that do not compress are stored out of line.
CREATE TABLE toasted (
    id       bigint PRIMARY KEY,
    counter  integer NOT NULL DEFAULT 0,
    a_text   text,
    a_varchar varchar,
    a_char   char(3000),
    a_json   json,
    a_jsonb  jsonb,
    an_xml   xml,
    bytes    bytea,
    texts    text[],
    integers integer[],
    bigints  bigint[],
    an_hstore hstore,
    uuids    uuid[]
);

CREATE TABLE many_keys (
    region  varchar(5),
    day     date,
    moment  timestamptz,
    number  numeric(20,3),
    uid     uuid,
    flag    boolean,
    counter bigint,
    note    text,
    PRIMARY KEY (uid, region, day, moment, number, flag)
);

CREATE TABLE defaults (
    id       integer PRIMARY KEY,
    nullable bigint DEFAULT 5,
    word     text DEFAULT 'word',
    moment   timestamptz DEFAULT '2024-01-01 00:00:00Z',
    required integer NOT NULL DEFAULT 7
);

-- Letters and digits that do not compress: 32 times `chunks`.
CREATE FUNCTION incompressible(seed bigint, chunks integer) RETURNS text LANGUAGE sql IMMUTABLE PARALLEL SAFE AS
    $$ SELECT string_agg(md5(seed::text || '/' || chunk), '') FROM generate_series(1, chunks) AS chunk $$;

-- A row of big values; each seed gives other ones.
CREATE FUNCTION big_row(id bigint, seed bigint) RETURNS toasted LANGUAGE sql AS $$
    SELECT ROW(
        id, 0, incompressible(seed, 150), incompressible(seed + 1, 100), left(incompressible(seed + 2, 90), 2800),
        to_json(incompressible(seed + 3, 120)), jsonb_build_object('big', incompressible(seed + 4, 120), 'n', 1.50),
        xmlelement(name big, incompressible(seed + 5, 120)), decode(incompressible(seed + 6, 200), 'hex'),
        ARRAY(SELECT CASE WHEN n % 50 > 0 THEN md5(n::text || seed) END FROM generate_series(1, 200) AS n),
        ARRAY(SELECT CASE WHEN n % 50 > 0 THEN hashint8(n + seed) END FROM generate_series(1, 2000) AS n),
        ARRAY(SELECT CASE WHEN n % 50 > 0 THEN hashint8extended(n, seed) END FROM generate_series(1, 1000) AS n),
        hstore(ARRAY['x', 'y', 'z'], ARRAY[incompressible(seed + 7, 150), NULL, 'small']),
        ARRAY(SELECT md5(n::text || seed)::uuid FROM generate_series(1, 300) AS n)
    )::toasted
$$;
