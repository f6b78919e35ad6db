-- Rows 1 to 40 are big, 41 to 60 small, 61 to 70 null.
INSERT INTO toasted SELECT (big_row(n, n * 100)).* FROM generate_series(1, 40) AS n;
INSERT INTO toasted
SELECT n, 0, 'small', 'small', 'small', '"small"', '{"small": 1}', '<small/>', '\x00', '{small}', '{1}', '{1}', 'x=>small'
FROM generate_series(41, 60) AS n;
INSERT INTO toasted (id) SELECT n FROM generate_series(61, 70) AS n;

INSERT INTO many_keys
SELECT (ARRAY['eu', 'us', ''])[n % 3 + 1], date '2024-02-28' + n % 4, timestamptz '2024-01-01 00:00:00Z' + n * interval '0.000001 seconds',
       n / 7.0, md5((n % 5)::text)::uuid, n % 2 = 0, n, 'row ' || n
FROM generate_series(1, 100) AS n;
