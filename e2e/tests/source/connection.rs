//! How the operator gets in, and what it says when it does not.

use tributary_crds::{Postgres, SslMode};
use tributary_sources::postgres::{Credentials, SourceError, connect};

use super::{Source, superuser};

/// The error of an attempt to connect, shown.
async fn refused(postgres: &Postgres, credentials: &Credentials) -> SourceError {
    let Err(error) = connect(postgres, credentials).await else { panic!("{postgres:?} lets us in") };
    println!("{}: {}", error.reason(), error.finding());
    assert!(!format!("{error:?} {}", error.finding()).contains(&credentials.password), "the password is shown");
    error
}

#[tokio::test]
async fn whoever_is_not_let_in_is_told_why_and_never_shown_the_password() {
    let source = Source::start(&[]).await;
    let right = source.postgres();
    let wrong = Credentials { password: "not the password".to_owned(), ..superuser() };
    assert_eq!(refused(&right, &wrong).await.reason(), "SourceLoginRefused");
    let nobody = Credentials { username: "nobody".to_owned(), ..wrong };
    assert_eq!(refused(&right, &nobody).await.reason(), "SourceLoginRefused");
    let secret = Credentials { password: String::from("zq-right-one"), ..superuser() };
    source.sql("ALTER ROLE postgres PASSWORD 'zq-right-one'").await;
    let elsewhere = Postgres { database: "nowhere".to_owned(), ..right.clone() };
    assert_eq!(refused(&elsewhere, &secret).await.reason(), "SourceDatabaseMissing");
    let closed = Postgres { port: 1, ..right.clone() };
    assert_eq!(refused(&closed, &secret).await.reason(), "SourceUnreachable");
    let unknown = Postgres { host: "postgres.invalid".to_owned(), ..right.clone() };
    assert_eq!(refused(&unknown, &secret).await.reason(), "SourceUnreachable");
    source.sql("CREATE ROLE busy LOGIN PASSWORD 'zq-busy' CONNECTION LIMIT 0").await;
    let busy = Credentials { username: "busy".to_owned(), password: "zq-busy".to_owned() };
    assert_eq!(refused(&right, &busy).await.reason(), "SourceConnectionsExhausted");
    connect(&right, &secret).await.unwrap();
}

#[tokio::test]
async fn the_connection_is_encrypted_as_the_resource_says() {
    let source = Source::start(&[]).await;
    let with = |ssl_mode| Postgres { ssl_mode, ..source.postgres() };
    // Not the server's own, which is also a word of the messages.
    let never_sent = Credentials { password: "zq-never-sent".to_owned(), ..superuser() };
    assert_eq!(refused(&with(SslMode::Require), &never_sent).await.reason(), "SourceTlsFailed");
    for mode in [SslMode::Disable, SslMode::Prefer] {
        assert!(!is_encrypted(&with(mode)).await, "{mode:?}");
    }

    let certificate = "openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 2 -subj /CN=nobody \
        -out server.crt -keyout server.key 2>/dev/null";
    // The server's own program, so that the key belongs to it.
    source.sql(&format!("COPY (SELECT 1) TO PROGRAM 'cat > /dev/null; {certificate}'")).await;
    source.sql("ALTER SYSTEM SET ssl = on").await;
    source.sql("SELECT pg_reload_conf()").await;
    while !is_encrypted(&with(SslMode::Prefer)).await {
        tokio::task::yield_now().await;
    }
    assert!(is_encrypted(&with(SslMode::Require)).await);
    assert!(!is_encrypted(&with(SslMode::Disable)).await);
}

async fn is_encrypted(postgres: &Postgres) -> bool {
    let session = connect(postgres, &superuser()).await.unwrap();
    let query = "SELECT ssl FROM pg_stat_ssl WHERE pid = pg_backend_pid()";
    session.query_one(query, &[]).await.unwrap().get(0)
}
