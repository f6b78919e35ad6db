//! What is left of a resource in its source is removed, also while somebody reads from it.

use tributary_sources::postgres::cleanup;
use tributary_sources::postgres::slot;

use super::{Source, superuser};

const SLOTS: &str = "SELECT count(*) FROM pg_replication_slots";
const READ_SLOTS: &str = "SELECT count(*) FROM pg_replication_slots WHERE active";
const PUBLICATIONS: &str = "SELECT count(*) FROM pg_publication";

#[tokio::test]
async fn a_slot_that_is_being_read_and_the_publication_are_dropped_and_nothing_else() {
    let source = Source::start(&[]).await;
    let (resource, postgres) = (source.resource(&[]), source.postgres());
    let name = slot(&resource);
    for publication in [name.as_str(), "others"] {
        source.sql(&format!("CREATE PUBLICATION {publication}")).await;
        source.sql(&format!("SELECT pg_create_logical_replication_slot('{publication}', 'pgoutput')")).await;
    }
    read(&source, &name).await;
    while source.number(READ_SLOTS).await == 0 {
        tokio::task::yield_now().await;
    }

    cleanup(&resource, &postgres, &superuser()).await.unwrap();
    assert_eq!((source.number(SLOTS).await, source.number(PUBLICATIONS).await), (1, 1));
    assert_eq!(source.number("SELECT count(*) FROM pg_replication_slots WHERE slot_name = 'others'").await, 1);
    // Again, as after an operator that died in between.
    cleanup(&resource, &postgres, &superuser()).await.unwrap();
    assert_eq!((source.number(SLOTS).await, source.number(PUBLICATIONS).await), (1, 1));
}

/// PostgreSQL's own reader, started by the server, which knows where it is.
pub(super) async fn read(source: &Source, slot: &str) {
    let row = source.admin.query_one("SELECT setting FROM pg_config WHERE name = 'BINDIR'", &[]).await.unwrap();
    let url = source.stack.addresses().postgres_url("shop");
    let reader = format!(
        "{}/pg_recvlogical -d {url} --slot {slot} --start --no-loop -o proto_version=1 -o publication_names={slot} -f -",
        row.get::<_, String>(0)
    );
    let detached = format!("cat > /dev/null; {reader} < /dev/null > /dev/null 2>&1 &");
    source.sql(&format!("COPY (SELECT 1) TO PROGRAM '{detached}'")).await;
}
