//! The stack's registry behind TLS and a login: one request per connection, answered by the registry if the login is right.

use std::net::SocketAddr;
use std::sync::Arc;

use base64::Engine;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinHandle;
use tokio_rustls::TlsAcceptor;
use tributary_e2e::stack::{Part, Stack};

/// Who may ask.
pub(crate) const USER: &str = "tributary";
/// The password of [`USER`].
pub(crate) const PASSWORD: &str = "registry-password";

pub(crate) struct LockedRegistry {
    address: SocketAddr,
    ca_pem: String,
    task: JoinHandle<()>,
}

impl LockedRegistry {
    pub(crate) async fn start(stack: &Stack) -> Self {
        let addresses = stack.addresses();
        let listener = TcpListener::bind((addresses.bind, 0)).await.unwrap();
        let address = listener.local_addr().unwrap();
        let registry = SocketAddr::new(addresses.bind, addresses.port(Part::Registry));
        let acceptor = acceptor(&std::fs::read(&stack.tls().broker_pem).unwrap());
        let task = tokio::spawn(async move {
            while let Ok((client, _)) = listener.accept().await {
                tokio::spawn(serve(acceptor.clone(), client, registry));
            }
        });
        Self { address, ca_pem: std::fs::read_to_string(&stack.tls().ca_pem).unwrap(), task }
    }

    pub(crate) fn url(&self) -> String {
        format!("https://{}/apis/ccompat/v7", self.address)
    }

    pub(crate) fn ca_pem(&self) -> &str {
        &self.ca_pem
    }
}

impl Drop for LockedRegistry {
    fn drop(&mut self) {
        self.task.abort();
    }
}

/// With the key and the certificate of a PEM file.
fn acceptor(pem: &[u8]) -> TlsAcceptor {
    let key = PrivateKeyDer::from_pem_slice(pem).unwrap();
    let certificate = CertificateDer::from_pem_slice(pem).unwrap();
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let config = rustls::ServerConfig::builder_with_provider(provider).with_safe_default_protocol_versions().unwrap();
    TlsAcceptor::from(Arc::new(config.with_no_client_auth().with_single_cert(vec![certificate], key).unwrap()))
}

/// How a connection ends is its client's affair.
async fn serve(acceptor: TlsAcceptor, client: TcpStream, registry: SocketAddr) -> std::io::Result<()> {
    let mut client = acceptor.accept(client).await?;
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        head.push(client.read_u8().await?);
    }
    let head = String::from_utf8_lossy(&head).into_owned();
    let login = base64::engine::general_purpose::STANDARD.encode(format!("{USER}:{PASSWORD}"));
    if head.contains(&format!("Basic {login}\r\n")) {
        let mut server = TcpStream::connect(registry).await?;
        let once = head.replacen("\r\n\r\n", "\r\nConnection: close\r\n\r\n", 1);
        server.write_all(once.as_bytes()).await?;
        tokio::io::copy(&mut server, &mut client).await?;
    } else {
        let answer = "HTTP/1.1 401 Unauthorized\r\nContent-Length: 0\r\nConnection: close\r\n\r\n";
        client.write_all(answer.as_bytes()).await?;
    }
    client.shutdown().await
}
