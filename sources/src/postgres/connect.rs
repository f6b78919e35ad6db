//! A session with the source database, encrypted as the resource says.

use std::fmt;
use std::ops::Deref;
use std::sync::Arc;
use std::time::Duration;

use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::{CryptoProvider, verify_tls12_signature, verify_tls13_signature};
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::{ClientConfig, DigitallySignedStruct, SignatureScheme};
use tokio::task::JoinHandle;
use tokio_postgres::{Client, Config, config};
use tokio_postgres_rustls::MakeRustlsConnect;
use tributary_crds::{Postgres, SslMode};

use super::SourceError;

/// From the first packet to a session that answers.
const PATIENCE: Duration = Duration::from_secs(10);

/// A table that somebody has locked, or a server that is stuck, must not hold the operator up.
const LIMITS: &str = "SET statement_timeout = '20s'; SET lock_timeout = '10s'";

/// User and password of the database.
#[derive(Clone, PartialEq, Eq)]
pub struct Credentials {
    /// The user.
    pub username: String,
    /// The password; never logged.
    pub password: String,
}

impl fmt::Debug for Credentials {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Credentials").field("username", &self.username).finish_non_exhaustive()
    }
}

/// A session; it ends when this is dropped.
pub struct Session {
    client: Client,
    connection: JoinHandle<()>,
}

impl Deref for Session {
    type Target = Client;

    fn deref(&self) -> &Client {
        &self.client
    }
}

impl Drop for Session {
    fn drop(&mut self) {
        self.connection.abort();
    }
}

/// Opens a session as the user that the connector will be.
pub async fn connect(postgres: &Postgres, credentials: &Credentials) -> Result<Session, SourceError> {
    let address = format!("{}:{}", postgres.host, postgres.port);
    let failed = |source| SourceError::connecting(address.clone(), &credentials.username, &postgres.database, source);
    let session = async {
        let (client, connection) = config(postgres, credentials).connect(tls()).await.map_err(failed)?;
        // How it ends is seen by the statement that was running.
        let connection = tokio::spawn(async { drop(connection.await) });
        let session = Session { client, connection };
        session.batch_execute(LIMITS).await.map_err(failed)?;
        Ok(session)
    };
    let late = || SourceError::Timeout { address: address.clone(), seconds: PATIENCE.as_secs() };
    tokio::time::timeout(PATIENCE, session).await.map_err(|_| late())?
}

fn config(postgres: &Postgres, credentials: &Credentials) -> Config {
    let mut config = Config::new();
    config
        .host(&postgres.host)
        .port(postgres.port)
        .dbname(&postgres.database)
        .user(&credentials.username)
        .password(&credentials.password)
        .application_name("tributary")
        .ssl_mode(match postgres.ssl_mode {
            SslMode::Disable => config::SslMode::Disable,
            SslMode::Prefer => config::SslMode::Prefer,
            SslMode::Require => config::SslMode::Require,
        });
    config
}

/// TLS without a look at who the server is, which is what `prefer` and `require` mean to libpq and to the connector's
/// driver. With SCRAM, the server still proves that it knows the password's hash.
fn tls() -> MakeRustlsConnect {
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let verifier = Arc::new(AnyServer(Arc::clone(&provider)));
    let builder = ClientConfig::builder_with_provider(provider).with_protocol_versions(rustls::ALL_VERSIONS);
    #[allow(clippy::expect_used, reason = "a provider with no cipher for any version would be a broken build")]
    let builder = builder.expect("the provider has ciphers for every version");
    MakeRustlsConnect::new(builder.dangerous().with_custom_certificate_verifier(verifier).with_no_client_auth())
}

#[derive(Debug)]
struct AnyServer(Arc<CryptoProvider>);

impl ServerCertVerifier for AnyServer {
    fn verify_server_cert(
        &self,
        _: &CertificateDer<'_>,
        _: &[CertificateDer<'_>],
        _: &ServerName<'_>,
        _: &[u8],
        _: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        verify_tls12_signature(message, certificate, signature, &self.0.signature_verification_algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        verify_tls13_signature(message, certificate, signature, &self.0.signature_verification_algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.0.signature_verification_algorithms.supported_schemes()
    }
}
