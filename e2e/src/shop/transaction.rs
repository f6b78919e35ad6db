//! What the shop's customers and clerks do, as SQL transactions. Chosen by weight, with random rows and values.

use super::random::Random;

/// One SQL statement and what its rows count as.
pub(super) struct Statement {
    pub(super) sql: String,
    pub(super) counts_as: Change,
}

/// What a statement does to a row.
#[derive(Clone, Copy)]
pub(super) enum Change {
    Insert,
    Update,
    Delete,
    /// An update of the primary key.
    Rekey,
    Truncate,
}

/// The statements of a transaction and whether it is rolled back in the end.
pub(super) struct Transaction {
    pub(super) statements: Vec<Statement>,
    pub(super) rolled_back: bool,
}

/// The highest keys that the workload has reason to believe in; rows are picked below them.
#[derive(Clone, Copy)]
pub(super) struct Extent {
    pub(super) users: i64,
    pub(super) orders: i64,
    pub(super) products: i64,
}

type Make = fn(&mut Random, Extent) -> Vec<Statement>;

const KINDS: [(i64, Make); 12] = [
    (25, check_out),
    (26, move_order_on),
    (5, rewrite_note),
    (8, sign_up),
    (8, visit),
    (8, cancel_order),
    (2, delete_user),
    (4, rekey_order),
    (2, rekey_user),
    (2, rekey_product),
    (5, change_prices),
    (5, touch_one_order_often),
];

const ROLLED_BACK_ONE_IN: i64 = 20;

/// The next transaction.
pub(super) fn next(random: &mut Random, extent: Extent, carts: bool) -> Transaction {
    let statements = if carts && random.one_in(10) { use_carts(random, extent) } else { pick(random)(random, extent) };
    Transaction { statements, rolled_back: random.one_in(ROLLED_BACK_ONE_IN) }
}

fn pick(random: &mut Random) -> Make {
    let mut number = random.below(KINDS.iter().map(|(weight, _)| weight).sum());
    let chosen = KINDS.iter().find(|(weight, _)| {
        number -= weight;
        number < 0
    });
    chosen.map_or(check_out as Make, |(_, make)| *make)
}

/// Several tables in one transaction.
fn check_out(random: &mut Random, extent: Extent) -> Vec<Statement> {
    let user = some_user(random, extent);
    let mut statements = vec![update(format!("UPDATE users SET last_seen_at = clock_timestamp() WHERE {user}"))];
    for _ in 0..=random.below(3) {
        let (product, quantity, note) = (some_product(random, extent), random.below(5) + 1, note(random));
        statements.push(insert(format!(
            "INSERT INTO orders (user_id, sku, quantity, amount, placed_at, note)
             SELECT u.id, p.sku, {quantity}, p.price * {quantity}, clock_timestamp(), {note}
             FROM (SELECT id FROM users WHERE {user}) u, (SELECT sku, price FROM products WHERE {product}) p"
        )));
        statements.push(update(format!("UPDATE products SET stock = stock - {quantity} WHERE {product}")));
    }
    statements
}

/// An update that leaves a long note, if the order has one, unchanged and out of line.
fn move_order_on(random: &mut Random, extent: Extent) -> Vec<Statement> {
    let status = ["paid", "packed", "shipped", "returned"][random.below(4) as usize];
    let order = some_order(random, extent);
    vec![update(format!(
        "UPDATE orders SET status = '{status}', shipped_at = clock_timestamp()::timestamp WHERE {order}"
    ))]
}

fn rewrite_note(random: &mut Random, extent: Extent) -> Vec<Statement> {
    let (note, order) = (note(random), some_order(random, extent));
    vec![update(format!("UPDATE orders SET note = {note} WHERE {order}"))]
}

fn sign_up(random: &mut Random, _: Extent) -> Vec<Statement> {
    let number = random.below(1_000_000);
    vec![insert(format!(
        "INSERT INTO users (name, email, country) VALUES ('New user {number}', 'new{number}@example.com', 'NZ')"
    ))]
}

fn visit(random: &mut Random, extent: Extent) -> Vec<Statement> {
    let user = some_user(random, extent);
    vec![update(format!("UPDATE users SET last_seen_at = clock_timestamp(), active = NOT active WHERE {user}"))]
}

fn cancel_order(random: &mut Random, extent: Extent) -> Vec<Statement> {
    vec![delete(format!("DELETE FROM orders WHERE {}", some_order(random, extent)))]
}

fn delete_user(random: &mut Random, extent: Extent) -> Vec<Statement> {
    vec![delete(format!("DELETE FROM users WHERE {}", some_user(random, extent)))]
}

fn rekey_order(random: &mut Random, extent: Extent) -> Vec<Statement> {
    vec![rekey(format!("UPDATE orders SET id = nextval('orders_id_seq') WHERE {}", some_order(random, extent)))]
}

/// Also the orders that name the user, so that one transaction spans tables.
fn rekey_user(random: &mut Random, extent: Extent) -> Vec<Statement> {
    let user = some_user(random, extent);
    vec![
        update(format!("UPDATE orders SET user_id = -1 WHERE {}", some_order(random, extent))),
        rekey(format!("UPDATE users SET id = nextval('users_id_seq') WHERE {user}")),
    ]
}

fn rekey_product(random: &mut Random, extent: Extent) -> Vec<Statement> {
    let sku = "'SKU-' || lpad(nextval('product_numbers')::text, 6, '0')";
    vec![rekey(format!("UPDATE products SET sku = {sku} WHERE {}", some_product(random, extent)))]
}

/// Many rows in one statement.
fn change_prices(random: &mut Random, extent: Extent) -> Vec<Statement> {
    let (start, end) = (random.below(extent.products), random.below(20) + 1);
    vec![update(format!(
        "UPDATE products SET price = price + 0.01, weight_kg = random() / 3
         WHERE sku IN (SELECT sku FROM products WHERE sku >= '{}' ORDER BY sku LIMIT {end})",
        sku(start)
    ))]
}

/// Several changes of one key in one transaction: insert, update, delete, and the same key again.
fn touch_one_order_often(random: &mut Random, extent: Extent) -> Vec<Statement> {
    let order = "id = currval('orders_id_seq')";
    let mut statements = vec![
        insert(format!(
            "INSERT INTO orders (user_id, sku, amount, note) VALUES ({}, 'SKU-000001', 1, {})",
            random.below(extent.users) + 1,
            note(random)
        )),
        update(format!("UPDATE orders SET amount = amount + {} WHERE {order}", random.below(1000))),
    ];
    if random.one_in(2) {
        statements.push(delete(format!("DELETE FROM orders WHERE {order}")));
        if random.one_in(2) {
            let values = "currval('orders_id_seq'), 1, 'SKU-000002', 2";
            statements.push(insert(format!("INSERT INTO orders (id, user_id, sku, amount) VALUES ({values})")));
        }
    }
    statements
}

fn use_carts(random: &mut Random, extent: Extent) -> Vec<Statement> {
    let truncate = Statement { sql: "TRUNCATE carts".to_string(), counts_as: Change::Truncate };
    let fill = insert(format!(
        "INSERT INTO carts (user_id, content, changed_at)
         SELECT n, jsonb_build_object('items', n), now() FROM generate_series({0}, {0} + 9) AS n",
        random.below(extent.users)
    ));
    match random.below(6) {
        0 => vec![truncate],
        1 => vec![fill, truncate, insert("INSERT INTO carts (user_id) VALUES (1)".to_string())],
        _ => vec![fill, update("UPDATE carts SET changed_at = now() WHERE id % 7 = 0".to_string())],
    }
}

// Rows are picked as the first at or after a random key, because any key may be gone.
fn some_user(random: &mut Random, extent: Extent) -> String {
    format!("id = (SELECT id FROM users WHERE id >= {} ORDER BY id LIMIT 1)", random.below(extent.users))
}

fn some_order(random: &mut Random, extent: Extent) -> String {
    format!("id = (SELECT id FROM orders WHERE id >= {} ORDER BY id LIMIT 1)", random.below(extent.orders))
}

fn some_product(random: &mut Random, extent: Extent) -> String {
    format!(
        "sku = (SELECT sku FROM products WHERE sku >= '{}' ORDER BY sku LIMIT 1)",
        sku(random.below(extent.products))
    )
}

fn sku(number: i64) -> String {
    format!("SKU-{number:06}")
}

/// No note, a short one, or one that is stored out of line.
fn note(random: &mut Random) -> String {
    match random.below(5) {
        0 => format!("long_text({}, {})", random.below(1_000_000), 70 + random.below(200)),
        1 => "NULL".to_string(),
        n => format!("'Call {n} times: \"tab\\t\", ''quote'', Zürich 東京 🛒'"),
    }
}

fn insert(sql: String) -> Statement {
    Statement { sql, counts_as: Change::Insert }
}

fn update(sql: String) -> Statement {
    Statement { sql, counts_as: Change::Update }
}

fn delete(sql: String) -> Statement {
    Statement { sql, counts_as: Change::Delete }
}

fn rekey(sql: String) -> Statement {
    Statement { sql, counts_as: Change::Rekey }
}
