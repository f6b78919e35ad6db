-- Big values that stay while something else changes.
UPDATE toasted SET counter = counter + 1;
UPDATE toasted SET counter = counter + 1 WHERE id % 2 = 0;

-- One big value changes, the others stay.
UPDATE toasted SET a_text = incompressible(id + 1000000, 150) WHERE id = 1;
UPDATE toasted SET a_jsonb = jsonb_build_object('big', incompressible(id + 1000000, 150)) WHERE id = 2;
UPDATE toasted SET bytes = decode(incompressible(id + 1000000, 200), 'hex') WHERE id = 3;
UPDATE toasted SET texts = texts || '{one more}' WHERE id = 4;
UPDATE toasted SET integers = integers || 7 WHERE id = 5;
UPDATE toasted SET bigints = bigints || 7::bigint WHERE id = 6;
UPDATE toasted SET an_hstore = an_hstore || 'new=>1' WHERE id = 7;
UPDATE toasted SET a_varchar = 'small now', an_xml = NULL WHERE id = 8;
UPDATE toasted SET a_text = NULL, a_json = NULL, bytes = NULL, integers = '{}' WHERE id = 9;

-- What Debezium would write for a value that stays, if it were not told otherwise.
UPDATE toasted SET a_text = '__debezium_unavailable_value', texts = '{__debezium_unavailable_value}' WHERE id = 21;

-- Small and null become big, and big ones then stay.
UPDATE toasted t SET (a_text, a_jsonb, bytes, texts, integers) = (SELECT a_text, a_jsonb, bytes, texts, integers FROM big_row(0, t.id))
WHERE id IN (41, 42, 61, 62);
UPDATE toasted SET counter = counter + 1 WHERE id IN (41, 61);

-- Key changes of rows with big values, alone, with an update before, and with one after.
UPDATE toasted SET id = id + 1000 WHERE id = 10;
BEGIN;
UPDATE toasted SET a_text = incompressible(2000000, 150), counter = 5 WHERE id = 11;
UPDATE toasted SET id = id + 1000 WHERE id = 11;
COMMIT;
BEGIN;
UPDATE toasted SET id = id + 1000 WHERE id = 12;
UPDATE toasted SET counter = 6 WHERE id = 1012;
COMMIT;
UPDATE toasted SET id = 13000 WHERE id = 13;
UPDATE toasted SET id = 13 WHERE id = 13000;

-- Two rows swap their keys.
BEGIN;
UPDATE toasted SET id = -14 WHERE id = 14;
UPDATE toasted SET id = 14 WHERE id = 15;
UPDATE toasted SET id = 15 WHERE id = -14;
COMMIT;

-- The same key with another row, and an update of that.
BEGIN;
DELETE FROM toasted WHERE id = 16;
INSERT INTO toasted SELECT (big_row(16, 3000000)).*;
UPDATE toasted SET counter = 7 WHERE id = 16;
COMMIT;
DELETE FROM toasted WHERE id = 17;
INSERT INTO toasted (id, a_text) VALUES (17, 'small');
UPDATE toasted SET counter = 8 WHERE id = 17;

-- New big rows that are changed at once, one of them in vain.
INSERT INTO toasted SELECT (big_row(n, 4000000 + n)).* FROM generate_series(101, 105) AS n;
UPDATE toasted SET counter = 9 WHERE id BETWEEN 101 AND 105;
BEGIN;
UPDATE toasted SET counter = 10, a_text = 'never seen' WHERE id = 105;
ROLLBACK;
DELETE FROM toasted WHERE id IN (18, 104);

-- Keys of many columns.
UPDATE many_keys SET note = NULL WHERE counter % 3 = 0;
UPDATE many_keys SET moment = moment + interval '1 second' WHERE counter % 4 = 0;
UPDATE many_keys SET number = number - 1000, region = 'asia' WHERE counter % 5 = 0;
DELETE FROM many_keys WHERE counter % 7 = 0;

-- Nulls where a default could take their place.
UPDATE defaults SET nullable = NULL, word = NULL WHERE id = 2;
INSERT INTO defaults VALUES (4, NULL, NULL, NULL, 0);
INSERT INTO defaults (id) VALUES (5);
