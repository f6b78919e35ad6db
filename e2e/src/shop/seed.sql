-- :orders orders, a tenth as many users, and 1,000 products. One order in 50 has a note that is stored out of line.
INSERT INTO users (name, email, country, active, last_seen_at, created_at)
SELECT 'User ' || n, 'user' || n || '@example.com',
       CASE WHEN n % 11 > 0 THEN (ARRAY['DE', 'FR', 'JP', 'US', 'BR'])[n % 5 + 1] END,
       n % 7 > 0,
       CASE WHEN n % 3 > 0 THEN timestamptz '2025-01-01 00:00:00Z' + n * interval '137.000001 seconds' END,
       timestamptz '2024-01-01 00:00:00Z' + n * interval '61.5 seconds'
FROM generate_series(1, greatest(:orders / 10, 10)) AS n;

INSERT INTO products (sku, name, price, stock, weight_kg, released_on, attributes)
SELECT 'SKU-' || lpad(nextval('product_numbers')::text, 6, '0'), 'Product ' || n, n % 500 + 0.99, n % 1000,
       CASE WHEN n % 4 > 0 THEN n / 7.0 END, date '2020-02-29' + n,
       jsonb_build_object('colour', (ARRAY['red', 'green', 'blue'])[n % 3 + 1], 'sizes', jsonb_build_array(n % 40, n % 50))
FROM generate_series(1, 1000) AS n;

INSERT INTO orders (user_id, sku, status, quantity, amount, placed_at, shipped_at, note)
SELECT n::bigint * 7919 % greatest(:orders / 10, 10) + 1, 'SKU-' || lpad((n % 1000 + 1)::text, 6, '0'),
       (ARRAY['new', 'paid', 'shipped', 'returned'])[n % 4 + 1], n % 5 + 1, (n % 100000) / 100.0,
       timestamptz '2025-06-01 00:00:00Z' + n * interval '3.000007 seconds',
       CASE WHEN n % 4 > 1 THEN timestamp '2025-06-02 00:00:00' + n * interval '3.5 seconds' END,
       CASE WHEN n % 50 = 0 THEN long_text(n, 100) WHEN n % 3 = 0 THEN 'Leave it at the door of number ' || n END
FROM generate_series(1, :orders) AS n;
