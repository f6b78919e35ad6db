//! Servers that cannot be replicated from.

use super::{Source, reasons, superuser};

#[tokio::test]
async fn a_server_without_logical_decoding_is_found() {
    let source = Source::start(&["wal_level=replica", "max_replication_slots=2"]).await;
    source.sql("CREATE TABLE users (id int PRIMARY KEY)").await;
    assert_eq!(reasons(&source.found_by(&superuser(), &["public.users"]).await), ["WalLevelNotLogical"]);
}

#[tokio::test]
async fn a_server_whose_slots_are_taken_is_found_until_one_is_ours() {
    let source = Source::start(&["max_replication_slots=2", "max_wal_senders=2"]).await;
    source.sql("CREATE TABLE users (id int PRIMARY KEY)").await;
    source.sql("SELECT pg_create_physical_replication_slot('first')").await;
    assert!(source.found_by(&superuser(), &["public.users"]).await.is_empty());
    source.sql("SELECT pg_create_physical_replication_slot('second')").await;
    assert_eq!(reasons(&source.found_by(&superuser(), &["public.users"]).await), ["NoSlotFree"]);

    source.sql("SELECT pg_drop_replication_slot('second')").await;
    let own = tributary_sources::postgres::slot(&source.resource(&[]));
    source.sql(&format!("SELECT pg_create_physical_replication_slot('{own}')")).await;
    assert_eq!(reasons(&source.found_by(&superuser(), &["public.users"]).await), ["SlotForeign"]);
    source.sql(&format!("SELECT pg_drop_replication_slot('{own}')")).await;
    source.sql(&format!("SELECT pg_create_logical_replication_slot('{own}', 'pgoutput')")).await;
    assert!(source.found_by(&superuser(), &["public.users"]).await.is_empty());
}

#[tokio::test]
async fn a_slot_whose_log_is_gone_is_found() {
    let source = Source::start(&["max_wal_size=32MB", "min_wal_size=32MB", "max_slot_wal_keep_size=1MB"]).await;
    source.sql("CREATE TABLE users (id int PRIMARY KEY)").await;
    let own = tributary_sources::postgres::slot(&source.resource(&[]));
    source.sql(&format!("SELECT pg_create_logical_replication_slot('{own}', 'pgoutput')")).await;
    for _ in 0..4 {
        source.sql("SELECT pg_switch_wal()").await;
        source.sql("INSERT INTO users SELECT count(*) FROM users").await;
    }
    source.sql("CHECKPOINT").await;
    assert_eq!(reasons(&source.found_by(&superuser(), &["public.users"]).await), ["SlotLost"]);
}
