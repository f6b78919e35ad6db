-- The shop: what the demo and most tests replicate. No foreign keys, so that keys can change and rows go in any order.
CREATE TABLE users (
    id           bigserial PRIMARY KEY,
    name         text NOT NULL,
    email        text NOT NULL,
    country      char(2),
    active       boolean NOT NULL DEFAULT true,
    last_seen_at timestamptz,
    created_at   timestamptz NOT NULL DEFAULT now()
);

CREATE TABLE products (
    sku         text PRIMARY KEY,
    name        text NOT NULL,
    price       numeric(10,2) NOT NULL,
    stock       integer NOT NULL DEFAULT 0,
    weight_kg   double precision,
    released_on date,
    attributes  jsonb
);
CREATE SEQUENCE product_numbers;

CREATE TABLE orders (
    id         bigserial PRIMARY KEY,
    user_id    bigint NOT NULL,
    sku        text NOT NULL,
    status     text NOT NULL DEFAULT 'new',
    quantity   smallint NOT NULL DEFAULT 1,
    amount     numeric(12,2) NOT NULL,
    placed_at  timestamptz NOT NULL DEFAULT now(),
    shipped_at timestamp,
    note       text
);

-- Text that does not compress: `chunks` times 32 characters. Above 2 kB Postgres stores it out of line (TOAST).
CREATE FUNCTION long_text(seed bigint, chunks integer) RETURNS text LANGUAGE sql IMMUTABLE PARALLEL SAFE AS
    $$ SELECT string_agg(md5(seed::text || '/' || chunk), '') FROM generate_series(1, chunks) AS chunk $$;
