//! A gate before a part that speaks HTTP: tests close it in several ways, and the part behind it keeps its data.

use std::net::SocketAddr;

use tokio::io::{AsyncReadExt, AsyncWriteExt, copy_bidirectional};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio::task::JoinHandle;

use super::{Addresses, Part};

/// Forwards connections from an address of its own to a part. It lives on the runtime that it was created on. Not for
/// Kafka, whose clients go to the addresses that the broker names, nor for `PostgreSQL` in other modes than open and refused.
#[derive(Debug)]
pub struct Gate {
    address: SocketAddr,
    mode: watch::Sender<GateMode>,
    task: JoinHandle<()>,
}

/// What a gate does with connections. When it changes, those that are open are cut.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum GateMode {
    /// They reach the part.
    Open,
    /// They are refused: nothing listens.
    Refused,
    /// They are accepted, and never answered.
    Silent,
    /// Each request is answered with `503 Service Unavailable`.
    Unavailable,
    /// Each request is answered with `403 Forbidden`, in the words of S3.
    Forbidden,
    /// Each request is answered with `404 Not Found`, in the words of a registry that does not know a schema.
    NotFound,
}

impl Gate {
    /// An open gate before this part.
    pub async fn before(part: Part, addresses: &Addresses) -> anyhow::Result<Self> {
        let target = SocketAddr::new(addresses.bind, addresses.port(part));
        let listener = TcpListener::bind((addresses.bind, 0)).await?;
        let address = listener.local_addr()?;
        let (mode, watched) = watch::channel(GateMode::Open);
        let task = tokio::spawn(serve(listener, address, target, watched));
        Ok(Self { address, mode, task })
    }

    /// Where the gate listens, as `http://host:port`.
    pub fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// Changes what happens to connections, from now on.
    pub fn set(&self, mode: GateMode) {
        self.mode.send_replace(mode);
    }
}

impl Drop for Gate {
    fn drop(&mut self) {
        self.task.abort();
    }
}

async fn serve(first: TcpListener, address: SocketAddr, target: SocketAddr, mut watched: watch::Receiver<GateMode>) {
    let mut listener = Some(first);
    loop {
        let mode = *watched.borrow_and_update();
        if mode == GateMode::Refused {
            listener = None;
            if watched.changed().await.is_err() {
                return;
            }
            continue;
        }
        let open = match listener.take() {
            Some(listener) => listener,
            // The port was this gate's a moment ago, and a listener may take it again at once.
            None => match TcpListener::bind(address).await {
                Ok(listener) => listener,
                Err(_) => return,
            },
        };
        tokio::select! {
            accepted = open.accept() => if let Ok((client, _)) = accepted {
                tokio::spawn(handle(client, target, mode, watched.clone()));
            },
            changed = watched.changed() => if changed.is_err() { return },
        }
        listener = Some(open);
    }
}

/// Serves one connection until it ends, the mode changes or the gate is dropped.
async fn handle(client: TcpStream, target: SocketAddr, mode: GateMode, mut watched: watch::Receiver<GateMode>) {
    let served = async {
        match mode {
            GateMode::Open => forward(client, target).await,
            GateMode::Unavailable => answer(client, "503 Service Unavailable", "").await,
            GateMode::Forbidden => answer(client, "403 Forbidden", ACCESS_DENIED).await,
            GateMode::NotFound => answer(client, "404 Not Found", SCHEMA_NOT_FOUND).await,
            GateMode::Silent | GateMode::Refused => {
                let _client = client;
                std::future::pending().await
            }
        }
    };
    tokio::select! {
        // How a connection ends is its two ends' affair.
        _ = served => {}
        _ = watched.changed() => {}
    }
}

async fn forward(mut client: TcpStream, target: SocketAddr) -> std::io::Result<()> {
    let mut server = TcpStream::connect(target).await?;
    copy_bidirectional(&mut client, &mut server).await.map(drop)
}

const ACCESS_DENIED: &str = "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\
    <Error><Code>AccessDenied</Code><Message>Access Denied</Message></Error>";
const SCHEMA_NOT_FOUND: &str = "{\"error_code\": 40403, \"message\": \"Schema not found\"}";

async fn answer(mut client: TcpStream, status: &str, body: &str) -> std::io::Result<()> {
    let mut sink = vec![0; 64 * 1024];
    if client.read(&mut sink).await? == 0 {
        return Ok(());
    }
    let head = format!("HTTP/1.1 {status}\r\nContent-Length: {}\r\nConnection: close\r\n\r\n", body.len());
    client.write_all(head.as_bytes()).await?;
    client.write_all(body.as_bytes()).await?;
    client.shutdown().await?;
    // The rest of the request is read: closing before would reset the connection, and the answer might be lost.
    while client.read(&mut sink).await? > 0 {}
    Ok(())
}
