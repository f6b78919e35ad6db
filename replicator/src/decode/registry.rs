//! A client of a schema registry that speaks Confluent's API.

use std::collections::HashMap;
use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use reqwest::StatusCode;
use serde::Deserialize;
use serde_json::Value;
use url::Url;

const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);
const TIMEOUT: Duration = Duration::from_secs(15);

/// How to reach a schema registry.
#[derive(Clone)]
pub struct RegistryConfig {
    /// Base of the API, for instance `http://registry:8081` or `http://apicurio:8080/apis/ccompat/v7`.
    pub url: Url,
    /// User name and password.
    pub basic_auth: Option<(String, String)>,
    /// PEM certificates of authorities to trust beside the usual ones.
    pub ca_pem: Option<Vec<u8>>,
    /// PEM client certificate followed by its private key.
    pub identity_pem: Option<Vec<u8>>,
}

impl fmt::Debug for RegistryConfig {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RegistryConfig").field("url", &without_credentials(&self.url)).finish_non_exhaustive()
    }
}

/// The registry cannot be used now. All but [`RegistryError::Setup`] are worth another try.
#[derive(Debug, thiserror::Error)]
pub enum RegistryError {
    /// The certificates or the URL that were given cannot be used; only from [`RegistryClient::new`].
    #[error("the client of the schema registry at {url} cannot be set up. Check its URL and certificates (PEM)")]
    Setup {
        /// Base URL.
        url: Url,
        /// What is wrong with them, if the HTTP client says so.
        #[source]
        source: Option<reqwest::Error>,
    },
    /// No answer in time.
    #[error("the schema registry at {url} does not answer. Check that it runs and that this process may reach it")]
    Unreachable {
        /// Base URL.
        url: Url,
        /// What failed.
        #[source]
        source: reqwest::Error,
    },
    /// 401 or 403.
    #[error("the schema registry at {url} refuses access ({status}). Check the user name, password or certificate")]
    Unauthorized {
        /// Base URL.
        url: Url,
        /// The answer.
        status: StatusCode,
    },
    /// Another status than success or 404: usually 429 or 5xx.
    #[error("the schema registry at {url} answers {status}. Check its logs")]
    Status {
        /// Base URL.
        url: Url,
        /// The answer.
        status: StatusCode,
    },
    /// The answer is not what Confluent's API says.
    #[error(
        "what answers at {url} is not a schema registry with Confluent's API. Check the path of the URL (Apicurio \
         serves that API below /apis/ccompat/v7)"
    )]
    NotARegistry {
        /// Base URL.
        url: Url,
    },
}

/// What the registry says of a schema id.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum RegisteredSchema {
    /// The text of an Avro schema.
    Avro(Arc<str>),
    /// Protobuf, JSON Schema, or a schema that refers to others.
    Other,
    /// No such id.
    Unknown,
}

/// Fetches schemas by id. Cheap to clone; all clones share connections and schemas.
#[derive(Clone, Debug)]
pub struct RegistryClient {
    http: reqwest::Client,
    config: Arc<RegistryConfig>,
    /// Schemas never change under their id.
    schemas: Arc<Mutex<HashMap<u32, RegisteredSchema>>>,
}

#[derive(Deserialize)]
struct SchemaAnswer {
    schema: String,
    #[serde(rename = "schemaType")]
    schema_type: Option<String>,
    #[serde(default)]
    references: Vec<Value>,
}

impl RegistryClient {
    /// A client; does not connect yet.
    pub fn new(config: RegistryConfig) -> Result<Self, RegistryError> {
        let setup = |source| RegistryError::Setup { url: without_credentials(&config.url), source };
        if config.url.cannot_be_a_base() {
            return Err(setup(None));
        }
        let mut http = reqwest::Client::builder().connect_timeout(CONNECT_TIMEOUT).timeout(TIMEOUT);
        if let Some(pem) = &config.ca_pem {
            let bundle = reqwest::Certificate::from_pem_bundle(pem).map_err(|error| setup(Some(error)))?;
            http = bundle.into_iter().fold(http, reqwest::ClientBuilder::add_root_certificate);
        }
        if let Some(pem) = &config.identity_pem {
            http = http.identity(reqwest::Identity::from_pem(pem).map_err(|error| setup(Some(error)))?);
        }
        let http = http.build().map_err(|error| setup(Some(error)))?;
        Ok(Self { http, config: Arc::new(config), schemas: Arc::default() })
    }

    /// Asks for the registry's subjects: it can be reached, it is one, and it lets us in.
    pub async fn check(&self) -> Result<(), RegistryError> {
        let answer = self.get(&["subjects"]).await?;
        let answer = self.successful(answer)?;
        answer.json::<Vec<String>>().await.map(drop).map_err(|error| self.unreadable(error))
    }

    /// The schema of an id, from memory if it was fetched before.
    pub(super) async fn schema(&self, id: u32) -> Result<RegisteredSchema, RegistryError> {
        let known = self.schemas.lock().unwrap_or_else(PoisonError::into_inner).get(&id).cloned();
        if let Some(known) = known {
            return Ok(known);
        }
        let answer = self.get(&["schemas", "ids", &id.to_string()]).await?;
        if answer.status() == StatusCode::NOT_FOUND {
            return Ok(RegisteredSchema::Unknown);
        }
        let answer: SchemaAnswer = self.successful(answer)?.json().await.map_err(|error| self.unreadable(error))?;
        let avro = answer.schema_type.is_none_or(|name| name == "AVRO") && answer.references.is_empty();
        let schema = if avro { RegisteredSchema::Avro(answer.schema.into()) } else { RegisteredSchema::Other };
        self.schemas.lock().unwrap_or_else(PoisonError::into_inner).insert(id, schema.clone());
        Ok(schema)
    }

    async fn get(&self, path: &[&str]) -> Result<reqwest::Response, RegistryError> {
        let mut url = self.config.url.clone();
        if let Ok(mut segments) = url.path_segments_mut() {
            segments.pop_if_empty().extend(path);
        }
        let mut request = self.http.get(url);
        if let Some((user, password)) = &self.config.basic_auth {
            request = request.basic_auth(user, Some(password));
        }
        request.send().await.map_err(|error| self.unreachable(error))
    }

    fn successful(&self, answer: reqwest::Response) -> Result<reqwest::Response, RegistryError> {
        let url = self.url();
        match answer.status() {
            status if status.is_success() => Ok(answer),
            status @ (StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN) => {
                Err(RegistryError::Unauthorized { url, status })
            }
            StatusCode::NOT_FOUND => Err(RegistryError::NotARegistry { url }),
            status => Err(RegistryError::Status { url, status }),
        }
    }

    fn unreachable(&self, source: reqwest::Error) -> RegistryError {
        // The URL may hold a password.
        RegistryError::Unreachable { url: self.url(), source: source.without_url() }
    }

    /// The body stopped half way, or is not what it should be.
    fn unreadable(&self, error: reqwest::Error) -> RegistryError {
        if error.is_decode() { RegistryError::NotARegistry { url: self.url() } } else { self.unreachable(error) }
    }

    fn url(&self) -> Url {
        without_credentials(&self.config.url)
    }
}

fn without_credentials(url: &Url) -> Url {
    let mut url = url.clone();
    // Fails only for URLs that cannot have credentials.
    let _ = url.set_password(None);
    let _ = url.set_username("");
    url
}
