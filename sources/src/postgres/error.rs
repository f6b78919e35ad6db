//! Why the source could not be asked, or not cleaned up.

use tokio_postgres::error::SqlState;

use super::Finding;

/// Why the source could not be asked, or not cleaned up.
#[derive(Debug, thiserror::Error)]
pub enum SourceError {
    /// Nobody answers there.
    #[error("cannot connect to Postgres at {address}")]
    Unreachable {
        /// Host and port.
        address: String,
        /// What the network, or the server, said.
        #[source]
        source: tokio_postgres::Error,
    },
    /// It takes too long.
    #[error("Postgres at {address} does not answer within {seconds} s")]
    Timeout {
        /// Host and port.
        address: String,
        /// The patience.
        seconds: u64,
    },
    /// `sslMode: Require`, and the server has no TLS, or it failed.
    #[error("the encrypted connection to Postgres at {address} fails")]
    Tls {
        /// Host and port.
        address: String,
        /// What failed.
        #[source]
        source: tokio_postgres::Error,
    },
    /// Wrong user or password, or a rule of `pg_hba.conf`.
    #[error("Postgres at {address} refuses the login of {user}")]
    Login {
        /// Host and port.
        address: String,
        /// The user.
        user: String,
        /// What the server said.
        #[source]
        source: tokio_postgres::Error,
    },
    /// There is no such database.
    #[error("Postgres at {address} has no database {database}")]
    NoDatabase {
        /// Host and port.
        address: String,
        /// The database.
        database: String,
        /// What the server said.
        #[source]
        source: tokio_postgres::Error,
    },
    /// All connections are taken.
    #[error("Postgres at {address} takes no more connections")]
    TooManyConnections {
        /// Host and port.
        address: String,
        /// What the server said.
        #[source]
        source: tokio_postgres::Error,
    },
    /// A statement failed.
    #[error("cannot {doing}")]
    Statement {
        /// What was being done.
        doing: String,
        /// What the server said.
        #[source]
        source: tokio_postgres::Error,
    },
    /// A value cannot be what its column becomes in Delta.
    #[cfg(feature = "rows")]
    #[error("a value of the column {column} of {table} {source}")]
    Value {
        /// The table as `schema.table`.
        table: String,
        /// The column.
        column: String,
        /// Why not.
        #[source]
        source: super::rows::ValueError,
    },
    /// The server answers what it never should.
    #[error("Postgres answers {text:?} to {what}")]
    Answer {
        /// The question.
        what: &'static str,
        /// The answer.
        text: String,
    },
    /// Somebody reads from the slot and comes back again and again.
    #[error("the replication slot {slot} is read by the server process {pid} and cannot be dropped")]
    SlotInUse {
        /// The slot.
        slot: String,
        /// Process of the reader.
        pid: i32,
    },
}

impl SourceError {
    /// An error of a connection attempt.
    pub(super) fn connecting(address: String, user: &str, database: &str, source: tokio_postgres::Error) -> Self {
        match source.code() {
            Some(&SqlState::INVALID_PASSWORD | &SqlState::INVALID_AUTHORIZATION_SPECIFICATION) => {
                Self::Login { address, user: user.to_owned(), source }
            }
            Some(&SqlState::INVALID_CATALOG_NAME) => {
                Self::NoDatabase { address, database: database.to_owned(), source }
            }
            Some(&SqlState::TOO_MANY_CONNECTIONS) => Self::TooManyConnections { address, source },
            // The kind of a client's error is not public; its text is fixed.
            None if source.to_string().contains("TLS handshake") => Self::Tls { address, source },
            _ => Self::Unreachable { address, source },
        }
    }

    pub(super) fn statement(doing: impl Into<String>) -> impl FnOnce(tokio_postgres::Error) -> Self {
        let doing = doing.into();
        move |source| Self::Statement { doing, source }
    }

    /// A word in `PascalCase` for a condition's reason.
    pub fn reason(&self) -> &'static str {
        match self {
            Self::Unreachable { .. } | Self::Timeout { .. } => "SourceUnreachable",
            Self::Tls { .. } => "SourceTlsFailed",
            Self::Login { .. } => "SourceLoginRefused",
            Self::NoDatabase { .. } => "SourceDatabaseMissing",
            Self::TooManyConnections { .. } => "SourceConnectionsExhausted",
            Self::Statement { .. } | Self::Answer { .. } => "SourceStatementFailed",
            #[cfg(feature = "rows")]
            Self::Value { .. } => "UnsupportedValue",
            Self::SlotInUse { .. } => "SlotInUse",
        }
    }

    /// What to do.
    pub fn advice(&self) -> String {
        match self {
            Self::Unreachable { .. } | Self::Timeout { .. } => {
                "Check spec.source.postgres.host and port, that the server runs, and that no network policy or firewall \
                 keeps the operator and Kafka Connect from it."
            }
            Self::Tls { .. } => {
                "Turn TLS on at the server (ssl=on, with a certificate), or set spec.source.postgres.sslMode: Prefer."
            }
            Self::Login { .. } => {
                "Check username and password in the Secret that spec.source.postgres.credentials names, and that \
                 pg_hba.conf lets this user connect from here."
            }
            Self::NoDatabase { .. } => "Check spec.source.postgres.database, or create the database.",
            Self::TooManyConnections { .. } => {
                "Raise max_connections, close idle sessions, or see whether the user or the database has a CONNECTION LIMIT."
            }
            #[cfg(feature = "rows")]
            Self::Value { .. } => "Change the value at the source, or the type of the column.",
            Self::Statement { .. } | Self::Answer { .. } => "See what the server says; it is tried again.",
            Self::SlotInUse { slot, .. } => {
                return format!(
                    "Stop the connector that reads it, or end it with SELECT pg_terminate_backend(active_pid) FROM \
                     pg_replication_slots WHERE slot_name = '{slot}'."
                );
            }
        }
        .to_owned()
    }

    /// The same as a finding, with all that the server said.
    pub fn finding(&self) -> Finding {
        let mut message = self.to_string();
        let mut source = std::error::Error::source(self);
        while let Some(error) = source {
            let text = error.to_string();
            // Client errors repeat what caused them.
            if !message.contains(&text) {
                message = format!("{message}: {text}");
            }
            source = error.source();
        }
        Finding::error(self.reason(), message, self.advice())
    }
}
