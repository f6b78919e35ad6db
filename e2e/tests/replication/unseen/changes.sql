-- The matrix: a table, and what is done to it. Statements run one by one, as psql runs them.
--   -- TABLE name: a row of docs/schema-changes.md, or the number of a case (see unseen.rs)
--   how it is made; without it {plain}
--   -- CHANGE
--   what is done
--   -- AFTER
--   what is done when all tables are equal again, and comes as events; without it {after}
-- {t} is the table, {database} and {publication} are those of the test, the others are in changes.rs.

-- TABLE constant_default: a default that is in the catalogue
-- CHANGE
ALTER TABLE {t} ADD COLUMN b int DEFAULT 7;

-- TABLE volatile_default: a default that each row has of its own
-- CHANGE
ALTER TABLE {t} ADD COLUMN b text DEFAULT md5(random()::text);

-- TABLE generated: a generated column and an identity
-- CHANGE
ALTER TABLE {t} ADD COLUMN g int GENERATED ALWAYS AS (id * 2) STORED;
ALTER TABLE {t} ADD COLUMN i bigint GENERATED ALWAYS AS IDENTITY;

-- TABLE renamed: a column has another name
-- CHANGE
ALTER TABLE {t} RENAME COLUMN a TO b;
-- AFTER
DELETE FROM {t} WHERE id % 2 = 1;
UPDATE {t} SET b = b || '?';

-- TABLE dropped_and_added: another column of the same name
-- CHANGE
ALTER TABLE {t} DROP COLUMN a, ADD COLUMN other int;
ALTER TABLE {t} ADD COLUMN a text;

-- TABLE wider: another type of the key
-- CHANGE
ALTER TABLE {t} ALTER COLUMN id TYPE bigint;

-- TABLE rewritten: other values of the same type
-- CHANGE
ALTER TABLE {t} ALTER COLUMN a TYPE text USING a || '!';

-- TABLE other_key: another key
CREATE TABLE {t} (id int PRIMARY KEY, a text NOT NULL UNIQUE);
{rows};
-- CHANGE
ALTER TABLE {t} DROP CONSTRAINT {t}_pkey, ADD PRIMARY KEY (a);

-- TABLE truncated_part: a partition is truncated
{parts};
-- CHANGE
TRUNCATE {t}_low;

-- TABLE truncated_parts: all partitions are
{parts};
-- CHANGE
TRUNCATE {t};
INSERT INTO {t} VALUES (5, 'new');

-- TABLE detached_part: a partition goes
{parts};
-- CHANGE
ALTER TABLE {t} DETACH PARTITION {t}_low;

-- TABLE made_again: dropped, and another one of its name
-- CHANGE
DROP TABLE {t};
CREATE TABLE {t} (id int PRIMARY KEY, a text);
INSERT INTO {t} VALUES (2, 'new');

-- TABLE swapped: another one in its place
-- CHANGE
CREATE TABLE {t}_next (id int PRIMARY KEY, a text);
INSERT INTO {t}_next VALUES (8, 'next');
ALTER TABLE {t} RENAME TO {t}_previous;
ALTER TABLE {t}_next RENAME TO {t};

-- TABLE unpublished: taken out of the publication, and put in again as the operator does
-- CHANGE
ALTER PUBLICATION {publication} DROP TABLE {t};
UPDATE {t} SET a = 'unsent' WHERE id < 100;

-- TABLE renamed_back: changed under another name
-- CHANGE
ALTER TABLE {t} RENAME TO {t}_aside;
UPDATE {t}_aside SET a = 'aside' WHERE id < 100;
DELETE FROM {t}_aside WHERE id > 1900;
ALTER TABLE {t}_aside RENAME TO {t};

-- TABLE attached_again: a partition is changed while it is none
{parts};
-- CHANGE
ALTER TABLE {t} DETACH PARTITION {t}_low;
UPDATE {t}_low SET a = 'detached' WHERE id < 100;
DELETE FROM {t}_low WHERE id < 50;
ALTER TABLE {t} ATTACH PARTITION {t}_low FOR VALUES FROM (0) TO (1000);

-- TABLE other_identity: deletes are sent without the key for a while
CREATE TABLE {t} (id int PRIMARY KEY, a text NOT NULL);
CREATE UNIQUE INDEX {t}_a ON {t} (a);
{rows};
-- CHANGE
INSERT INTO {t} VALUES (0, 'zero');
ALTER TABLE {t} REPLICA IDENTITY USING INDEX {t}_a;
DELETE FROM {t} WHERE id > 1900;
ALTER TABLE {t} REPLICA IDENTITY DEFAULT;

-- TABLE other_label: a label of an enum has another name
CREATE TYPE {t}_mood AS ENUM ('ok', 'fine');
CREATE TABLE {t} (id int PRIMARY KEY, a {t}_mood);
INSERT INTO {t} SELECT n, 'ok' FROM generate_series(1, 100) n;
-- CHANGE
ALTER TYPE {t}_mood RENAME VALUE 'ok' TO 'well';
-- AFTER
UPDATE {t} SET a = 'fine' WHERE id < 10;

-- TABLE no_expression: a column is computed no more
CREATE TABLE {t} (id int PRIMARY KEY, a text, g int GENERATED ALWAYS AS (id * 2) STORED);
INSERT INTO {t} (id, a) SELECT n, 'row ' || n FROM generate_series(1, 100) n;
-- CHANGE
ALTER TABLE {t} ALTER COLUMN g DROP EXPRESSION;
UPDATE {t} SET g = 7 WHERE id = 1;

-- TABLE cascade_parent: TRUNCATE CASCADE, with the table that follows
-- CHANGE

-- TABLE cascade_child: TRUNCATE CASCADE
CREATE TABLE {t} (id int PRIMARY KEY REFERENCES cascade_parent, a text);
{rows};
-- CHANGE
TRUNCATE cascade_parent CASCADE;
INSERT INTO cascade_parent VALUES (2, 'new');
INSERT INTO {t} VALUES (2, 'new');

-- TABLE replica_role: rows of a session that plays a replica
-- CHANGE
SET session_replication_role = replica;
INSERT INTO {t} VALUES (3000, 'replica');
DELETE FROM {t} WHERE id < 50;
RESET session_replication_role;

-- TABLE two_phase: a two-phase commit
-- CHANGE
BEGIN;
UPDATE {t} SET a = 'prepared' WHERE id < 100;
DELETE FROM {t} WHERE id > 1900;
PREPARE TRANSACTION '{database}';
UPDATE {t} SET a = 'before' WHERE id = 500;
COMMIT PREPARED '{database}';

-- TABLE subtransactions: parts of a transaction are undone
-- CHANGE
BEGIN;
INSERT INTO {t} VALUES (3000, 'outer');
SAVEPOINT one;
UPDATE {t} SET a = 'undone';
ROLLBACK TO one;
SAVEPOINT two;
DELETE FROM {t} WHERE id < 50;
RELEASE two;
COMMIT;

-- TABLE c02_users: case C02, columns with defaults
CREATE TABLE {t} (id int PRIMARY KEY, name text);
INSERT INTO {t} VALUES (1, 'Ada'), (2, 'Ben'), (3, 'Cleo');
-- CHANGE
ALTER TABLE {t} ADD COLUMN plan text NOT NULL DEFAULT 'free', ADD COLUMN tries int DEFAULT 0;
ALTER TABLE {t} ADD COLUMN token uuid DEFAULT gen_random_uuid();
UPDATE {t} SET name = 'Ada L.' WHERE id = 1;
-- AFTER
UPDATE {t} SET tries = tries + 1;

-- TABLE c03_hits: case C03, a number outgrows its column
CREATE TABLE {t} (id int PRIMARY KEY, n int);
INSERT INTO {t} VALUES (1, 2147483647), (2, 7);
-- CHANGE
ALTER TABLE {t} ALTER COLUMN n TYPE bigint;
UPDATE {t} SET n = n + 1 WHERE id = 1;
-- AFTER
UPDATE {t} SET n = n + 1;

-- TABLE c03_sums: case C03, so does a sum
CREATE TABLE {t} (id int PRIMARY KEY, total numeric(10,2));
INSERT INTO {t} VALUES (1, 99999999.99), (2, 0.01);
-- CHANGE
ALTER TABLE {t} ALTER COLUMN total TYPE numeric(14,2);
UPDATE {t} SET total = total + 1 WHERE id = 1;
-- AFTER
UPDATE {t} SET total = total * 2;

-- TABLE c03_texts: case C03, and a text
CREATE TABLE {t} (id int PRIMARY KEY, note varchar(10));
INSERT INTO {t} VALUES (1, 'short');
-- CHANGE
ALTER TABLE {t} ALTER COLUMN note TYPE varchar(40);
UPDATE {t} SET note = 'longer than ten characters' WHERE id = 1;
ALTER TABLE {t} ALTER COLUMN note TYPE text;
-- AFTER
UPDATE {t} SET note = note || '?';

-- TABLE c04_events: case C04, partitions are detached, dropped, truncated and attached with rows
CREATE TABLE {t} (id bigint, day date, note text, PRIMARY KEY (id, day)) PARTITION BY RANGE (day);
CREATE TABLE {t}_01 PARTITION OF {t} FOR VALUES FROM ('2026-01-01') TO ('2026-02-01');
CREATE TABLE {t}_02 PARTITION OF {t} FOR VALUES FROM ('2026-02-01') TO ('2026-03-01');
CREATE TABLE {t}_03 PARTITION OF {t} FOR VALUES FROM ('2026-03-01') TO ('2026-04-01');
INSERT INTO {t} VALUES (10, '2026-01-10', 'jan'), (11, '2026-01-11', 'jan'), (20, '2026-02-20', 'feb'), (21, '2026-02-21', 'feb'), (30, '2026-03-30', 'mar');
-- CHANGE
ALTER TABLE {t} DETACH PARTITION {t}_01;
DROP TABLE {t}_01;
TRUNCATE {t}_02;
CREATE TABLE {t}_04 (LIKE {t} INCLUDING ALL);
INSERT INTO {t}_04 VALUES (40, '2026-04-10', 'apr'), (41, '2026-04-11', 'apr');
ALTER TABLE {t} ATTACH PARTITION {t}_04 FOR VALUES FROM ('2026-04-01') TO ('2026-05-01');
INSERT INTO {t} VALUES (31, '2026-03-31', 'the control: arrives');
-- AFTER
UPDATE {t} SET note = note || '?';

-- TABLE c05_prices: case C05, the nightly swap of an import
CREATE TABLE {t} (id int PRIMARY KEY, price int);
INSERT INTO {t} VALUES (1, 10), (2, 20), (3, 30);
-- CHANGE
BEGIN;
CREATE TABLE {t}_next (LIKE {t} INCLUDING ALL);
INSERT INTO {t}_next SELECT id, price * 2 FROM {t};
ALTER TABLE {t} RENAME TO {t}_last;
ALTER TABLE {t}_next RENAME TO {t};
COMMIT;
INSERT INTO {t} VALUES (4, 80);
UPDATE {t} SET price = 21 WHERE id = 1;
DELETE FROM {t} WHERE id = 3;
-- AFTER
UPDATE {t} SET price = price + 1;

-- TABLE c05_codes: case C05, a migration that makes a table again
CREATE TABLE {t} (id int PRIMARY KEY, code text);
INSERT INTO {t} VALUES (1, 'old'), (2, 'old');
-- CHANGE
BEGIN;
DROP TABLE {t};
CREATE TABLE {t} (id int PRIMARY KEY, code text);
INSERT INTO {t} VALUES (7, 'new');
COMMIT;
-- AFTER
INSERT INTO {t} VALUES (8, 'newer');

-- TABLE c07_users: case C07, columns have other names, and a row is touched whose big value is not sent
CREATE TABLE {t} (id int PRIMARY KEY, full_name text, bio text, visits int);
ALTER TABLE {t} ALTER COLUMN bio SET STORAGE EXTERNAL;
INSERT INTO {t} VALUES (1, 'Ada', repeat('a', 9000), 0), (2, 'Ben', repeat('b', 9000), 0), (3, 'Cleo', 'short', 0);
-- CHANGE
ALTER TABLE {t} RENAME COLUMN full_name TO display_name;
ALTER TABLE {t} RENAME COLUMN bio TO about;
UPDATE {t} SET visits = 1 WHERE id = 1;
-- AFTER
UPDATE {t} SET visits = visits + 1;

-- TABLE c11_rows: case C11, columns are dropped and others added under their names
CREATE TABLE {t} (id int PRIMARY KEY, note text, score int, n int DEFAULT 0);
INSERT INTO {t} VALUES (1, 'secret 1', 10), (2, 'secret 2', 20), (3, 'secret 3', 30);
-- CHANGE
ALTER TABLE {t} DROP COLUMN note, DROP COLUMN score;
ALTER TABLE {t} ADD COLUMN note text, ADD COLUMN score int;
UPDATE {t} SET note = 'fresh' WHERE id = 1;
-- AFTER
UPDATE {t} SET score = id;

-- TABLE c11_retyped: case C11, with another type
CREATE TABLE {t} (id int PRIMARY KEY, v int);
INSERT INTO {t} VALUES (1, 1), (2, 2);
-- CHANGE
ALTER TABLE {t} DROP COLUMN v;
ALTER TABLE {t} ADD COLUMN v text;
UPDATE {t} SET v = 'one' WHERE id = 1;
-- AFTER
UPDATE {t} SET v = v || '?';

-- TABLE c12_codes: case C12, changes of type that rewrite values
CREATE TABLE {t} (id int PRIMARY KEY, code varchar(20), at timestamp, cents int);
INSERT INTO {t} VALUES (1, 'abc', '2026-01-01 10:00:00.75', 100), (2, 'def', '2026-01-01 10:00:00.75', 250);
-- CHANGE
ALTER TABLE {t} ALTER COLUMN code TYPE text USING upper(code);
ALTER TABLE {t} ALTER COLUMN at TYPE timestamp(0);
ALTER TABLE {t} ALTER COLUMN cents TYPE int USING cents * 100;
UPDATE {t} SET code = code WHERE id = 1;
-- AFTER
UPDATE {t} SET cents = cents + 1;

-- TABLE h3_texts: replicator H3, a value that looks as if Debezium had left one out
CREATE TABLE {t} (id int PRIMARY KEY, s text);
INSERT INTO {t} VALUES (1, 'x');
-- CHANGE
INSERT INTO {t} VALUES (2, '__debezium_unavailable_value');
INSERT INTO {t} VALUES (3, 'y');
UPDATE {t} SET s = '__debezium_unavailable_value' WHERE id = 1;
-- AFTER
UPDATE {t} SET s = 'z' WHERE id = 3;
